"""What a forward proxy is told to do, as one frozen value."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import attrs

from txproxy.errors import ConfigError
from txproxy.forward.access import LOOPBACK_CLIENTS

FORWARDED_FOR_MODES: Final = ("on", "off", "transparent", "delete")


def forwarded_for_mode(text: str) -> str:
    """``text`` if it is a way to treat X-Forwarded-For; else ``ConfigError``."""
    if text not in FORWARDED_FOR_MODES:
        raise ConfigError(f"{text!r} is no way to treat X-Forwarded-For; accepted: {', '.join(FORWARDED_FOR_MODES)}")
    return text


def _strings(values: Iterable[object]) -> tuple[str, ...]:
    return tuple(str(value) for value in values)


@attrs.frozen(kw_only=True)
class ForwardPolicy:
    """What a forward proxy does, and for whom. Safe as it comes.

    ``allow_clients``: CIDRs of who may use it. ``allow_ports``: for requests and CONNECT alike; None stands for 80,
    443 and 1024-65535, and 443 for CONNECT. ``allow_destinations``: CIDRs and host names that may be reached though
    they are loopback, link-local, private or metadata addresses. ``allow_hosts``: patterns (``example.com``,
    ``*.example.com``, ``.example.com``); None for all. ``via``: pseudonym in Via, or None. ``forwarded_for``: ``on``,
    ``off``, ``transparent`` or ``delete``, as Squid's.

    A wrong value is a ``ConfigError``, which is a ``ValueError``.
    """

    allow_clients: tuple[str, ...] = attrs.field(default=LOOPBACK_CLIENTS, converter=_strings)
    allow_ports: tuple[str, ...] | None = attrs.field(default=None, converter=attrs.converters.optional(_strings))
    allow_destinations: tuple[str, ...] = attrs.field(default=(), converter=_strings)
    allow_hosts: tuple[str, ...] | None = attrs.field(default=None, converter=attrs.converters.optional(_strings))
    via: str | None = "txproxy"
    forwarded_for: str = "delete"

    def __attrs_post_init__(self) -> None:
        forwarded_for_mode(self.forwarded_for)
