"""What a listener is, in one line, for who has started it: ``http://127.0.0.1:8080 -> app (2 upstreams)``."""

from __future__ import annotations

from typing import Any

from txproxy.config.model import AnyListener, Config, ForwardListener, TcpListener


def start_line(config: Config, listener: AnyListener, tls: bool, host: Any) -> str:
    """``host`` is the address that is listened on, as Twisted has it."""
    return f"{_where(listener, tls, host)} -> {_what(config, listener)}{trial_words(listener) if tls else ''}"


def trial_words(listener: AnyListener) -> str:
    """What there is to say of a listener's certificate, as the end of a sentence; empty if it is one of a file."""
    made = listener.tls.self_signed if listener.tls is not None else None
    return f", by a self-signed certificate for trials ({', '.join(made.names)})" if made is not None else ""


def _where(listener: AnyListener, tls: bool, host: Any) -> str:
    if isinstance(listener, TcpListener):
        scheme = "tls" if tls else "tcp"
    else:
        scheme = "https" if tls else "http"
    path = getattr(host, "name", None)
    if path is not None:
        return f"{scheme}+unix:{path.decode('utf-8', 'backslashreplace') if isinstance(path, bytes) else path}"
    address = getattr(host, "host", None)
    if address is None:
        return f"{scheme}: {host}"
    return f"{scheme}://[{address}]:{host.port}" if ":" in address else f"{scheme}://{address}:{host.port}"


def _what(config: Config, listener: AnyListener) -> str:
    if isinstance(listener, ForwardListener):
        through = " through parents" if listener.policy.parents is not None else ""
        return f"{' and '.join(name.upper() for name in listener.protocols)} to anywhere allowed{through}"
    pools = {pool.name: pool for pool in config.pools}
    names = [listener.pool] if listener.pool is not None else []
    if isinstance(listener, TcpListener):
        names += [name for _, name in listener.sni if name not in names]
        routes = 0
    else:
        routes = len(config.routes_of(listener))
    said = [f"{name} ({_count(len(pools[name].upstreams), 'upstream')})" for name in dict.fromkeys(names)]
    if routes:
        said.insert(0, _count(routes, "route"))
    return ", ".join(said)


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
