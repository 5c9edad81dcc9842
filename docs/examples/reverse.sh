#!/bin/sh

mkdir one two
echo "I am one" > one/name
echo "I am two" > two/name
python3 -m http.server --bind 127.0.0.1 --directory one 8001 &
python3 -m http.server --bind 127.0.0.1 --directory two 8002 &
twistd -n --pidfile= txproxy reverse --upstream http://127.0.0.1:8001 --upstream http://127.0.0.1:8002 &
curl --retry 20 --retry-delay 1 --retry-all-errors http://127.0.0.1:8080/name
curl --retry 20 --retry-delay 1 --retry-all-errors http://127.0.0.1:8080/name
