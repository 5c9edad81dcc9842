#!/bin/sh

mkdir site
echo "hello" > site/page
python3 -m http.server --bind 127.0.0.1 --directory site 8001 &
twistd -n --pidfile= txproxy reverse --upstream http://127.0.0.1:8001 --admin 127.0.0.1:8090 &
curl --retry 20 --retry-delay 1 --retry-all-errors http://127.0.0.1:8090/ | grep -o "<title>.*</title>"
curl http://127.0.0.1:8080/page
curl --no-buffer http://127.0.0.1:8090/api/events | grep -o -m1 '"stage": "serving"'
