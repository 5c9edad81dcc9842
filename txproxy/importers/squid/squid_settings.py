"""What is found in Squid's file beside its access lists."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs

from txproxy.importers.notes import Untranslatable
from txproxy.importers.squid.access_lists import Acls
from txproxy.importers.squid.reader import Directive
from txproxy.matching.hosts import HostPattern


@attrs.frozen
class Line:
    """One of several that allow or deny: it is for ``hosts``, or with None for all."""

    allows: bool
    hosts: tuple[HostPattern, ...] | None = None


@attrs.define
class Peer:
    """A parent: ``url`` with its credentials, what follows it, whether it takes turns, and who is sent to it."""

    place: Directive
    url: str
    weight: int = 1
    last: bool = False
    turns: bool = False
    access: list[Line] = attrs.field(factory=list)


@attrs.define
class Settings:
    """What was found, as the keys of a listener or of the tables around it."""

    listener: dict[str, Any] = attrs.field(factory=dict)
    limits: dict[str, Any] = attrs.field(factory=dict)
    auth: dict[str, Any] = attrs.field(factory=dict)
    log: dict[str, Any] = attrs.field(factory=dict)
    # whether there is a word of a cache; its table, what says where and how large, by the name of each list what is
    # cached, and for how long
    caches: bool = False
    cache: dict[str, Any] = attrs.field(factory=dict)
    cache_dirs: list[Directive] = attrs.field(factory=list)
    largest: int | None = None
    largest_in_memory: int | None = None
    cache_access: dict[str, list[Directive]] = attrs.field(factory=dict)
    refresh_patterns: list[Directive] = attrs.field(factory=list)
    binds: list[dict[str, Any]] = attrs.field(factory=list)
    peers: dict[str, Peer] = attrs.field(factory=dict)
    always_direct: list[Line] = attrs.field(factory=list)
    never_direct: list[Line] = attrs.field(factory=list)
    all_to_parents: bool = False
    removed: list[str] = attrs.field(factory=list)
    allowed: list[str] = attrs.field(factory=list)
    removes_all: bool = False
    replaced: dict[str, str] = attrs.field(factory=dict)
    from_responses: list[str] = attrs.field(factory=list)
    pseudonym: str = ""
    via: bool = True


Setting = Callable[[Directive, Settings, Acls], None]


def word_of(directive: Directive, at: int = 0) -> str:
    """A word of a directive, which has to be there."""
    if len(directive.words) <= at:
        raise Untranslatable("it says too little")
    return directive.words[at]
