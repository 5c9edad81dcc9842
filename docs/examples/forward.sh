#!/bin/sh

echo "hello" > greeting
python3 -m http.server --bind 127.0.0.1 8003 &
twistd -n --pidfile= txproxy forward --allow-destination 127.0.0.1 &
curl --retry 20 --retry-delay 1 --retry-all-errors -x http://127.0.0.1:3128 http://127.0.0.1:8003/greeting
