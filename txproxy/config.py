"""The configuration of one running proxy, as frozen values. Every error says where it is and what is accepted."""

from __future__ import annotations

import re
from typing import Final, TypeAlias

import attrs

from txproxy.errors import ConfigError
from txproxy.forward.mode import ForwardPolicy
from txproxy.proxy.limits import Limits
from txproxy.reverse.upstream import Upstream

_SIZE: Final = re.compile(r"([0-9]{1,15})([kKmMgG]?)")
_DURATION: Final = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,6})?)(ms|s|m|h)?")
_SIZE_UNITS: Final = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
_DURATION_UNITS: Final = {None: 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def parse_size(text: str) -> int:
    """Bytes from ``64k``, ``10M``, ``1G`` (binary) or a bare number."""
    match = _SIZE.fullmatch(text)
    if match is None:
        raise ConfigError(f"{text!r} is no size; accepted is a number of bytes, or one with k, M or G")
    return int(match[1]) * _SIZE_UNITS[match[2].lower()]


def parse_duration(text: str) -> float:
    """Seconds from ``500ms``, ``30s``, ``5m``, ``1h`` or a bare number of seconds; more than none."""
    match = _DURATION.fullmatch(text)
    seconds = float(match[1]) * _DURATION_UNITS[match[2]] if match is not None else 0.0
    if not seconds:
        raise ConfigError(f"{text!r} is no time; accepted is a number of seconds, or one with ms, s, m or h, above 0")
    return seconds


@attrs.frozen(kw_only=True)
class TlsConfig:
    """What a TLS listener serves; see :func:`txproxy.tls.listener.server_context`."""

    cert: str
    key: str | None = None
    min_version: str = "1.2"
    ciphers: str | None = None


@attrs.frozen(kw_only=True)
class ListenConfig:
    """What all modes share: endpoint strings to listen on, TLS, limits, and where the access log goes (None:
    nowhere). With ``proxy_protocol`` all listeners expect its header, from the peers in ``trusted_proxies`` (CIDRs).
    """

    listen: tuple[str, ...] = ()
    tls_listen: tuple[str, ...] = ()
    tls: TlsConfig | None = None
    limits: Limits = attrs.field(factory=Limits)
    access_log: str | None = None
    proxy_protocol: bool = False
    trusted_proxies: tuple[str, ...] = ()


@attrs.frozen(kw_only=True)
class ForwardConfig(ListenConfig):
    """A forward proxy."""

    policy: ForwardPolicy = attrs.field(factory=ForwardPolicy)


@attrs.frozen(kw_only=True)
class ReverseConfig(ListenConfig):
    """A reverse proxy; ``host`` and ``via`` as in :class:`txproxy.reverse.mode.ReverseMode`."""

    upstreams: tuple[Upstream, ...]
    host: str | None = None
    via: str | None = "txproxy"


@attrs.frozen(kw_only=True)
class TcpConfig(ListenConfig):
    """Raw TCP streams."""

    upstreams: tuple[Upstream, ...]


Config: TypeAlias = "ForwardConfig | ReverseConfig | TcpConfig"
