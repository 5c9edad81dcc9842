#!/bin/sh

mkdir site
echo "hello" > site/page
python3 -m http.server --bind 127.0.0.1 --directory site 8001 &
twistd -n --pidfile= txproxy reverse --upstream http://127.0.0.1:8001 --admin 127.0.0.1:8090 \
    --access-log access.log --access-log-format json &
curl --retry 20 --retry-delay 1 --retry-all-errors http://127.0.0.1:8080/page
curl http://127.0.0.1:8090/readyz
curl http://127.0.0.1:8090/metrics | grep -o 'txproxy_requests_total{.*code="2xx".*'
txproxy ctl upstreams --admin 127.0.0.1:8090 | grep -o "healthy"
txproxy top --once --admin 127.0.0.1:8090 | grep -o "serving"
grep -o '"outcome":"ok"' access.log
