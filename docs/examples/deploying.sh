#!/bin/sh

mkdir site
echo "hello" > site/page
python3 -m http.server --bind 127.0.0.1 --directory site 8001 &
cat > proxy.toml <<END
[[listeners]]
listen = "tcp:8080:interface=127.0.0.1"
pool = "app"
[pools.app]
upstreams = "http://127.0.0.1:8001"
END
twistd --nodaemon --pidfile=twistd.pid txproxy run --config proxy.toml &
curl --retry 20 --retry-delay 1 --retry-all-errors http://127.0.0.1:8080/page
cat >> proxy.toml <<END
[[routes]]
name = "new"
path = "=/new"
respond = { status = 200, body = "new\\n" }
END
txproxy check proxy.toml && kill -HUP "$(cat twistd.pid)"
curl --fail --retry 20 --retry-delay 1 --retry-all-errors http://127.0.0.1:8080/new
