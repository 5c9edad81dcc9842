#!/bin/sh

mkdir site
echo "hello" > site/page
touch -d 2020-01-01 site/page
python3 -m http.server --bind 127.0.0.1 --directory site 8001 &
twistd -n --pidfile= txproxy reverse --upstream http://127.0.0.1:8001 --cache 10M &
curl --retry 20 --retry-delay 1 --retry-all-errors -i http://127.0.0.1:8080/page | grep -o "txproxy; [a-z=-]*"
curl --retry 20 --retry-delay 1 --retry-all-errors -i http://127.0.0.1:8080/page | grep -o "txproxy; [a-z=-]*"
