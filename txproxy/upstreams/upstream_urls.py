"""Upstreams as they are given to a pool: URLs as on the command line, and resources of this process."""

from __future__ import annotations

from typing import Any, Final

from twisted.web.resource import IResource

from txproxy.errors import ConfigError
from txproxy.interfaces.address import Address
from txproxy.interfaces.allowances import MOST_WEIGHT
from txproxy.matching.hosts import is_literal
from txproxy.upstreams.upstream import State, Upstream
from txproxy.upstreams.upstream_tls import UpstreamTls
from txproxy.wire.target import written_authority

_ACCEPTED: Final = (
    "accepted are http://HOST:PORT, https://HOST:PORT, h2c://HOST:PORT, unix:/path and h2c+unix:/path, "
    "each with ;weight=N, ;backup, ;max=N, ;resolve, ;drain, ;disabled"
)
# how an order is said of an upstream
ORDER_WORDS: Final = {"draining": "drain", "disabled": "disabled"}

# What is spoken on UNIX sockets.
SOCKETS: Final[dict[str, tuple[str, ...]]] = {"unix": (), "h2c+unix": ("h2",)}


def upstream_from(item: Any, tls: UpstreamTls) -> Upstream:
    """What ``item`` stands for: a URL, an upstream itself, or a twisted.web resource; else ``ConfigError``."""
    if isinstance(item, Upstream):
        return item
    if isinstance(item, str):
        return parse_upstream(item, tls)
    if IResource.providedBy(item):
        return local_upstream(item)
    raise ConfigError(f"{item!r} is no upstream", "accepted are URLs, Upstream objects, and twisted.web resources")


def parse_upstream(text: str, tls: UpstreamTls | None = None) -> Upstream:
    """An upstream from ``http://HOST:PORT``, ``https://HOST:PORT``, ``h2c://HOST:PORT`` (HTTP/2 without TLS, by prior
    knowledge), ``unix:/path`` or ``h2c+unix:/path``, then any of ``;weight=N``, ``;backup``, ``;max=N``, ``;resolve``,
    ``;drain`` and ``;disabled``; else ``ConfigError``.
    """
    url, *words = text.split(";")
    options = _parameters(text, words)
    order = options.pop("disabled", State.HEALTHY)
    kind, colon, path = url.partition(":")
    if colon and kind in SOCKETS:
        if not path.startswith("/"):
            raise ConfigError(f"{text!r} is no upstream: the path must begin with /", _ACCEPTED)
        if options.get("resolve"):
            raise ConfigError(f"{text!r}: a path has no name to resolve", _ACCEPTED)
        address = Address(path=path, protocols=SOCKETS[kind])
        return _given(Upstream(address, b"localhost", name=url, **options), order)
    scheme, _, place = url.partition("://")
    scheme, place = scheme.lower(), place.removesuffix("/")
    authority = place.encode("ascii", "replace")
    if scheme not in ("http", "https", "h2c"):
        raise ConfigError(f"{text!r} is no upstream", _ACCEPTED)
    try:
        host, port = written_authority(authority)
    except ValueError as fault:
        raise ConfigError(f"{text!r} is no upstream: {fault}", _ACCEPTED) from None
    if options.get("resolve") and is_literal(host):
        raise ConfigError(f"{text!r}: an address is no name to resolve", _ACCEPTED)
    name = f"{scheme}://{place}"
    if scheme != "https":
        protocols = ("h2",) if scheme == "h2c" else ()
        address = Address(host, port or 80, protocols=protocols)
        return _given(Upstream(address, authority, name=name, **options), order)
    tls = tls or UpstreamTls()
    address = Address(
        host, port or 443, tls=tls.connections(host), server_name=tls.server_name or host, protocols=tls.protocols
    )
    return _given(Upstream(address, authority, name=name, **options), order)


def _given(upstream: Upstream, order: State) -> Upstream:
    if order is State.DISABLED:
        upstream.give(order)
    return upstream


class _LocalSite:
    """A ``Site`` within this process, made when it is first connected to: it asks for the running program's reactor."""

    def __init__(self, resource: Any) -> None:
        self._resource = resource
        self._site: Any = None

    def buildProtocol(self, addr: Any) -> Any:
        """A protocol for a new connection."""
        if self._site is None:
            from twisted.web.server import Site  # only where it is used: reverse mode needs no web server

            # Time limits are the proxy's to hold. An access log is only opened by who starts the factory.
            self._site = Site(self._resource, timeout=None)
        return self._site.buildProtocol(addr)


def local_upstream(resource: Any, name: str = "") -> Upstream:
    """An upstream within this process: a twisted.web resource (``IResource``), served by a ``Site`` of its own.

    It sees plain HTTP from 127.0.0.1, and who the client is in X-Forwarded-For, -Proto and -Host. Bodies of requests
    are gathered before it is asked, which is twisted.web's way; responses stream.
    """
    name = name or f"{type(resource).__name__}-{id(resource):x}"
    return Upstream(Address(name, local=_LocalSite(resource)), b"localhost", name=name)


def _parameters(text: str, words: list[str]) -> dict[str, Any]:
    options: dict[str, Any] = {}
    for word in words:
        name, equals, value = word.partition("=")
        known = False
        if name in ("backup", "resolve", "drain", "disabled") and not equals:
            options[name] = known = True
        elif name in ("weight", "max") and value.isascii() and value.isdigit():
            number = int(value)
            known = 0 <= number <= MOST_WEIGHT if name == "weight" else 0 < number <= 10**6
            options[name] = number
        if not known:
            raise ConfigError(
                f"{text!r}: {word!r} is no parameter of an upstream; accepted are "
                f"weight=0 to weight={MOST_WEIGHT}, backup, max=1 to max=1000000, resolve, drain, and disabled"
            )
    if options.get("drain") and options.get("disabled"):
        raise ConfigError(f"{text!r}: it drains, and is disabled; accepted is one of them")
    if options.get("disabled"):
        options["disabled"] = State.DISABLED
    return options


def with_parameters(text: str, weight: int | None = None, order: str | None = None) -> str:
    """The text of an upstream with another ``weight`` (None: its own) and ``order``: ``enabled``, ``draining`` or
    ``disabled``.
    """
    url, *words = text.split(";")
    if weight is not None:
        words = _put(words, "weight=", f"weight={weight}")
    if order is not None:
        words = [word for word in words if word not in ORDER_WORDS.values()]
        words += [ORDER_WORDS[order]] if order in ORDER_WORDS else []
    return ";".join((url, *words))


def _put(words: list[str], begin: str, word: str) -> list[str]:
    """``word`` in the place of those that ``begin`` so, or at the end."""
    there = [number for number, one in enumerate(words) if one.startswith(begin)]
    if not there:
        return [*words, word]
    return [word if number == there[0] else one for number, one in enumerate(words) if number not in there[1:]]


def parse_tcp_upstream(text: str) -> Upstream:
    """An upstream of the tcp mode, from ``HOST:PORT`` and the same parameters; else ``ConfigError``."""
    place = text.partition(";")[0]
    try:
        _, port = written_authority(place.encode("ascii", "replace"))
        if port is None:
            raise ValueError("the port is missing")
    except ValueError as fault:
        raise ConfigError(
            f"{text!r} is no upstream: {fault}",
            "accepted is HOST:PORT, with ;weight=N, ;backup, ;max=N, ;resolve, ;drain, ;disabled",
        ) from None
    upstream = parse_upstream("http://" + text)
    upstream.name = upstream.stands_for = upstream.name.removeprefix("http://")
    return upstream
