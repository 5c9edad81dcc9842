"""Three examples for each help page, of which tests hold that they are calls of the command."""

from __future__ import annotations

from typing import Final

EXAMPLES: Final[dict[str, tuple[str, str, str]]] = {
    "forward": (
        "txproxy forward --allow-client 10.0.0.0/8 --listen :3128",
        "txproxy forward --allow-host .example.com --filter ads.txt --auth-file users.htpasswd",
        "txproxy forward --parent 'http://proxy.example:3128;host=*.example.com' --cache 64M",
    ),
    "reverse": (
        "txproxy reverse --upstream http://127.0.0.1:8001 --upstream http://127.0.0.1:8002",
        "txproxy reverse --tls-listen :8443 --tls-cert chain.pem --tls-key key.pem --upstream http://127.0.0.1:8001",
        "txproxy reverse --upstream http://127.0.0.1:8001 --health-check / --sticky cookie --admin 127.0.0.1:9090",
    ),
    "tcp": (
        "txproxy tcp --listen 127.0.0.1:5432 --upstream 10.0.0.1:5432 --upstream 10.0.0.2:5432",
        "txproxy tcp --listen :6379 --upstream '10.0.0.1:6379;max=100' --health-check connect",
        "txproxy tcp --listen :25 --upstream '10.0.0.1:25;weight=2' --upstream '10.0.0.2:25;backup' --balance ip-hash",
    ),
    "run": (
        "txproxy run --config proxy.toml",
        "txproxy check proxy.toml && txproxy run --config proxy.toml",
        "txproxy run --config=/etc/txproxy/proxy.toml",
    ),
    "init": (
        "txproxy init reverse proxy.toml --upstream http://127.0.0.1:8001",
        "txproxy init forward --listen :3128 --users users.htpasswd > proxy.toml",
        "txproxy init tcp proxy.toml --upstream 10.0.0.1:5432 --cert chain.pem --key key.pem",
    ),
    "check": (
        "txproxy check --watch proxy.toml",
        "txproxy check /etc/txproxy/proxy.toml && systemctl reload txproxy",
        "txproxy import squid.conf > proxy.toml && txproxy check proxy.toml",
    ),
    "fmt": (
        "txproxy fmt proxy.toml",
        "txproxy fmt --check proxy.toml conf.d/shop.toml",
        "txproxy fmt --diff proxy.toml | less",
    ),
    "import": (
        "txproxy import /etc/squid/squid.conf",
        "txproxy import --from nginx /etc/nginx/nginx.conf > proxy.toml",
        "txproxy import squid.conf > proxy.toml 2> not-taken-over.txt",
    ),
    "explain": (
        "txproxy explain --config proxy.toml GET http://shop.example/api/items",
        "txproxy explain --config proxy.toml --client 10.0.0.7 --user bob CONNECT www.example.com:443",
        "txproxy explain --config proxy.toml -H 'Cookie: beta=1' --listener web GET http://shop.example/",
    ),
    "cache": (
        "txproxy cache stats --config proxy.toml",
        "txproxy cache purge --prefix http://shop.example/images/ --config proxy.toml",
        "txproxy cache warm --from urls.txt --admin 127.0.0.1:9090",
    ),
    "ctl": (
        "txproxy ctl upstreams app --config proxy.toml",
        "txproxy ctl drain app http://10.0.0.1:8000 --for 5m --config proxy.toml",
        "txproxy ctl exchanges --failed --admin 127.0.0.1:9090",
    ),
    "top": (
        "txproxy top --config proxy.toml",
        "txproxy top --admin 127.0.0.1:9090 --interval 5s",
        "txproxy top --once --json --admin unix:/run/txproxy/admin.sock",
    ),
    "demo": (
        "txproxy demo",
        "txproxy demo > demo.txt",
        "timeout 60 txproxy demo",
    ),
    "docs": (
        "txproxy docs",
        "txproxy docs keys",
        "txproxy docs tutorial --print",
    ),
    "completion": (
        "txproxy completion bash > ~/.local/share/bash-completion/completions/txproxy",
        "txproxy completion zsh > ~/.zfunc/_txproxy",
        "txproxy completion fish > ~/.config/fish/completions/txproxy.fish",
    ),
}


def examples_of(command: str) -> str:
    """Those of a mode or command, as its help ends with them."""
    return "Examples:\n" + "".join(f"  {line}\n" for line in EXAMPLES[command])
