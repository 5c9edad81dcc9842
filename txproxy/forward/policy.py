"""What a forward proxy is told to do, as one frozen value."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import attrs

from txproxy.errors import ConfigError
from txproxy.forward.access import LOOPBACK_CLIENTS
from txproxy.forward.facts import is_literal
from txproxy.forward.no_proxy import NoProxy
from txproxy.forward.parent import Parent
from txproxy.forward.parents import Parents
from txproxy.forward.to_parents import ChooseParent

FORWARDED_FOR_MODES: Final = ("on", "off", "transparent", "delete")


def forwarded_for_mode(text: str) -> str:
    """``text`` if it is a way to treat X-Forwarded-For; else ``ConfigError``."""
    if text not in FORWARDED_FOR_MODES:
        raise ConfigError(f"{text!r} is no way to treat X-Forwarded-For; accepted: {', '.join(FORWARDED_FOR_MODES)}")
    return text


def _strings(values: Iterable[object]) -> tuple[str, ...]:
    return tuple(str(value) for value in values)


def bind_address(text: str) -> str:
    """``text`` if it is an address to connect from; else ``ConfigError``."""
    if not is_literal(text):
        raise ConfigError(f"{text!r} is no address to connect from; accepted is one of this host, such as 192.0.2.1")
    return text


def _parents(value: Parents | Iterable[str | Parent] | None) -> Parents | None:
    if value is None or isinstance(value, Parents):
        return value
    texts = tuple(value)
    return Parents(texts) if texts else None


@attrs.frozen(kw_only=True)
class ForwardPolicy:
    """What a forward proxy does, and for whom. Safe as it comes.

    ``allow_clients``: CIDRs of who may use it. ``allow_ports``: for requests and CONNECT alike; None stands for 80,
    443 and 1024-65535, and 443 for CONNECT. ``allow_destinations``: CIDRs and host names that may be reached though
    they are loopback, link-local, private or metadata addresses. ``allow_hosts``: patterns (``example.com``,
    ``*.example.com``, ``.example.com``); None for all. ``via``: pseudonym in Via, or None. ``forwarded_for``: ``on``,
    ``off``, ``transparent`` or ``delete``, as Squid's.

    ``parents``: URLs of proxies to go through (see :class:`txproxy.forward.parent.Parent`), or a
    :class:`txproxy.forward.parents.Parents`. ``choose_parent(head, client, parents)``: asked for each request first; a
    ``Parent``, None (as configured), or a Deferred of these. ``no_proxy``: names and networks that are reached without
    a parent, by the proxy and by clients that have its PAC file, in the words of the environment variable. ``bind``:
    the local address to connect from. ``pac``: whether ``/proxy.pac`` is served.

    A wrong value is a ``ConfigError``, which is a ``ValueError``.
    """

    allow_clients: tuple[str, ...] = attrs.field(default=LOOPBACK_CLIENTS, converter=_strings)
    allow_ports: tuple[str, ...] | None = attrs.field(default=None, converter=attrs.converters.optional(_strings))
    allow_destinations: tuple[str, ...] = attrs.field(default=(), converter=_strings)
    allow_hosts: tuple[str, ...] | None = attrs.field(default=None, converter=attrs.converters.optional(_strings))
    via: str | None = "txproxy"
    forwarded_for: str = "delete"
    parents: Parents | None = attrs.field(default=None, converter=_parents)
    choose_parent: ChooseParent | None = None
    no_proxy: tuple[str, ...] = attrs.field(default=(), converter=_strings)
    bind: str = ""
    pac: bool = True

    def __attrs_post_init__(self) -> None:
        forwarded_for_mode(self.forwarded_for)
        NoProxy(self.no_proxy)
        if self.bind:
            bind_address(self.bind)
