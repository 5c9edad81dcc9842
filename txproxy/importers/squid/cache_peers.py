"""Squid's peers, and which way requests go, in the words of our own.

Squid decides for each request; a parent of ours is for hosts. So the hosts that its lines name are told apart, and for
each of them, and for all others, it is worked out as Squid would which peers are asked, and whether directly.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final
from urllib.parse import quote

import attrs

from txproxy.importers.notes import Note, Untranslatable
from txproxy.importers.squid.access_lists import Acls
from txproxy.importers.squid.formulas import TRUE, positive
from txproxy.importers.squid.reader import Directive
from txproxy.importers.squid.squid_settings import Line, Peer, Setting, Settings, word_of
from txproxy.interfaces.allowances import MOST_WEIGHT
from txproxy.matching.hosts import HostPattern, is_literal

_HEX: Final = frozenset(b"0123456789abcdefABCDEF")


def _cache_peer(directive: Directive, settings: Settings, acls: Acls) -> None:
    if len(directive.words) < 4:
        raise Untranslatable("a host, its type and two ports are wanted")
    host, kind, port, icp, *words = directive.words
    options = {word.partition("=")[0]: word.partition("=")[2] for word in words}
    if kind != "parent":
        raise Untranslatable(f"a {kind} is asked for nothing here; parents are")
    if "originserver" in options:
        raise Untranslatable("originserver makes a reverse proxy: mode = 'reverse' with a pool")
    name = options.pop("name", host)
    secure = "tls" in options or "ssl" in options
    login, lost = _login(options.pop("login", ""))
    ca = options.pop("tls-cafile", None) or options.pop("sslcafile", None)
    bracketed = f"[{host}]" if ":" in host else host
    url = f"{'https' if secure else 'http'}://{login}{bracketed}:{port}" + (f";ca={ca}" if ca and secure else "")
    if "'" in url or not url.isprintable():
        raise Untranslatable("it is no place")
    weight = options.pop("weight", "1")
    peer = Peer(directive, url, int(weight) if weight.isdigit() and 0 < int(weight) <= MOST_WEIGHT else 1)
    peer.last = "default" in options
    peer.turns = any("round-robin" in option or option in _BY_HASH for option in options)
    settings.peers[name] = peer
    lost += [option for option in options if option in _BY_HASH]
    if icp not in ("0", "7") and "no-query" not in options:
        lost.append("ICP")
    lost += [option for option in options if option not in (*_BY_HASH, *_HARMLESS)]
    if lost:
        raise Untranslatable(f"taken over without {', '.join(lost)}")


_BY_HASH: Final = ("carp", "userhash", "sourcehash")
_HARMLESS: Final = (
    "no-query", "default", "round-robin", "weighted-round-robin", "proxy-only", "no-digest", "no-netdb-exchange",
    "no-delay", "tls", "ssl", "connect-timeout", "connect-fail-limit", "allow-miss", "standby",
)  # fmt: skip
# What of the client's own credentials the parent is told.
_PASSED_ON: Final = ("PASS", "PASSTHRU", "NEGOTIATE")


def _login(text: str) -> tuple[str, list[str]]:
    """The part of a URL, and what was lost of it, which is told without what may be secret."""
    if not text:
        return "", []
    login = _unescaped(text.encode())
    name, colon, password = login.partition(b":")
    word = text.partition(":")[0]
    if word in _PASSED_ON or word.startswith("*"):
        # What the client said is the parent's to know.
        return "", [f"login={word}"]
    if not colon or not name or any(byte < 0x20 or byte == 0x7F for byte in login):
        return "", ["login, which is no USER:PASSWORD"]
    return f"{quote(name, safe='')}:{quote(password, safe='')}@", []


def _unescaped(text: bytes) -> bytes:
    """As Squid's rfc1738_unescape() does it: ``%%`` is a percent sign, and what is no escape stands for itself, ``%00``
    too.
    """
    found = bytearray()
    at = 0
    while at < len(text):
        digits = text[at + 1 : at + 3]
        if text[at] != 0x25:
            found.append(text[at])
        elif digits[:1] == b"%":
            found.append(0x25)
            at += 1
        elif len(digits) == 2 and _HEX.issuperset(digits) and digits != b"00":
            found.append(int(digits, 16))
            at += 2
        else:
            found.append(0x25)
        at += 1
    return bytes(found)


# -- which way


def _add_line(lines: list[Line], words: Sequence[str], acls: Acls, unknown: bool = False) -> None:
    """An ``allow`` or ``deny`` of hosts, or of all. One that is of neither is for nobody, but counts where the last of
    them does; with ``unknown``, what it allows is for all.
    """
    action, *references = words or ("",)
    if action not in ("allow", "deny") or not references:
        raise Untranslatable("allow or deny, and lists, are wanted")
    allows = action == "allow"
    try:
        if acls.all_of(references) == TRUE:
            lines.append(Line(allows))
        else:
            lines.append(Line(allows, tuple(map(HostPattern.parse, _hosts_alone(references, acls)))))
    except Untranslatable as fault:
        taken = "taken to be for all" if unknown and allows else "left out"
        lines.append(Line(allows, None if unknown and allows else ()))
        raise Untranslatable(f"{taken}: {fault}") from None


def _hosts_alone(references: Sequence[str], acls: Acls) -> list[str]:
    """The hosts, if these lists are about nothing else."""
    formula = acls.all_of(references)
    hosts = positive(formula, "hosts")
    if not hosts or len(formula) != 1 or len(formula[0]) != 1 or any(host[:1] == "~" for host in hosts):
        raise Untranslatable("it is not about names of hosts alone")
    return hosts


def _cache_peer_access(directive: Directive, settings: Settings, acls: Acls) -> None:
    peer = settings.peers.get(word_of(directive))
    if peer is None:
        raise Untranslatable(f"there is no cache_peer {word_of(directive)} before it")
    _add_line(peer.access, directive.words[1:], acls)


def _never_direct(directive: Directive, settings: Settings, acls: Acls) -> None:
    # What Squid would never do is not done here.
    _add_line(settings.never_direct, directive.words, acls, unknown=True)


def _always_direct(directive: Directive, settings: Settings, acls: Acls) -> None:
    action, *references = directive.words or ("",)
    if action == "allow" and all(acls.kind(reference) == "dst" for reference in references):
        settings.listener.setdefault("no_proxy", []).extend(positive(acls.all_of(references), "addresses"))
        raise Untranslatable("names are not looked up for no_proxy: it has those that are addresses")
    _add_line(settings.always_direct, directive.words, acls)


def _prefer_direct(directive: Directive, settings: Settings, acls: Acls) -> None:
    if word_of(directive) != "off":
        raise Untranslatable("parents come first, and direct is the last resort")


def _nonhierarchical_direct(directive: Directive, settings: Settings, acls: Acls) -> None:
    settings.all_to_parents = word_of(directive) == "off"


def _outgoing(directive: Directive, settings: Settings, acls: Acls) -> None:
    address, *references = directive.words or ("",)
    if not is_literal(address):
        raise Untranslatable(f"{address} is no address")
    if references and acls.all_of(references) != TRUE:
        settings.binds.append({"address": address, "hosts": _hosts_alone(references, acls)})
    elif "bind" in settings.listener:
        raise Untranslatable("there is one before it already")
    else:
        settings.listener["bind"] = address


PEERS: Final[dict[str, Setting]] = {
    "cache_peer": _cache_peer,
    "cache_peer_access": _cache_peer_access,
    "never_direct": _never_direct,
    "always_direct": _always_direct,
    "prefer_direct": _prefer_direct,
    "nonhierarchical_direct": _nonhierarchical_direct,
    "tcp_outgoing_address": _outgoing,
}


@attrs.frozen
class _Way:
    """Which peers are asked, by their names, and whether the origin itself may be."""

    peers: tuple[str, ...]
    direct: bool


def _decided(lines: Iterable[Line], host: HostPattern | None, default: bool) -> bool:
    """What lines say of a host (None: of all that none of them names): the first that is for it, else the opposite of
    the last.
    """
    for line in lines:
        if line.hosts is None or (host is not None and any(one.covers(host) for one in line.hosts)):
            return line.allows
        default = not line.allows
    return default


def _way(settings: Settings, host: HostPattern | None) -> _Way:
    if _decided(settings.always_direct, host, False):
        return _Way((), True)
    asked = tuple(name for name, peer in settings.peers.items() if _decided(peer.access, host, True))
    return _Way(asked, not _decided(settings.never_direct, host, False))


def _entries(settings: Settings, way: _Way, hosts: Sequence[HostPattern]) -> list[str]:
    """The parents of some hosts, or without any of all others."""
    peers = [settings.peers[name] for name in way.peers]
    # Those that take turns do, and of the others Squid asks the first one that is up.
    main = [peer for peer in peers if peer.turns] or [peer for peer in peers if not peer.last][:1] or peers[:1]
    only = [f"host={host}" for host in hosts]
    found = []
    for peer in peers:
        words = [f"weight={peer.weight}"] if peer.weight > 1 and peer.turns else []
        words += [] if peer in main else ["backup"]
        found.append(";".join([peer.url, *only, *words]))
    # Hosts that are no parent's are reached directly without saying so.
    if way.direct and (hosts or peers):
        found.append(";".join(["direct", *only]))
    return found


@attrs.frozen
class Ways:
    """``parents`` in the words of our own; ``denied`` are rules for what must not be reached directly, and is no
    peer's; and ``notes``.
    """

    parents: list[str]
    denied: list[dict[str, Any]]
    notes: list[Note]


def ways(settings: Settings) -> Ways:
    """Which way requests go."""
    if not settings.peers:
        return Ways([], [], [])
    lines = [*settings.always_direct, *settings.never_direct]
    lines += [line for peer in settings.peers.values() for line in peer.access]
    named = list(dict.fromkeys(host for line in lines for host in line.hosts or ()))
    by_host = {host: _way(settings, host) for host in named}
    others = _way(settings, None)
    # A host goes where the next wider pattern does, unless it is told otherwise.
    said = {host: way for host, way in by_host.items() if way != _inherited(host, by_host, others)}
    parents = _entries(settings, others, ())
    for way in dict.fromkeys(said.values()):
        parents += _entries(settings, way, [host for host in said if said[host] == way])
    first = next(iter(settings.peers.values())).place
    notes = []
    denied = _without_way(by_host, others)
    if denied:
        notes.append(first.note("what never_direct leaves no peer for is denied by a rule (403), and not tried (503)"))
    if not parents:
        notes.append(first.note("always_direct leaves nothing to any peer: there are no parents"))
    elif not settings.all_to_parents:
        notes.append(first.note("CONNECT, and what Squid would not cache, goes to the parents as well"))
    return Ways(parents, denied, notes)


def _inherited(host: HostPattern, by_host: dict[HostPattern, _Way], others: _Way) -> _Way:
    wider = [one for one in by_host if one != host and one.covers(host)]
    return by_host[max(wider, key=lambda one: len(one.name))] if wider else others


def _without_way(by_host: dict[HostPattern, _Way], others: _Way) -> list[dict[str, Any]]:
    """Rules that deny what is reached neither by a peer nor directly."""
    nowhere = _Way((), False)
    reached = [host for host, way in by_host.items() if way != nowhere]
    found: list[dict[str, Any]] = []
    if others == nowhere:
        found.append({"not_hosts": list(map(str, reached))} if reached else {})
    for host, way in by_host.items():
        if way == nowhere:
            inner = [str(one) for one in reached if host.covers(one)]
            found.append({"hosts": [str(host)], **({"not_hosts": inner} if inner else {})})
    return [
        {"name": f"never_direct ({number})", "action": "deny", "reason": "no peer is for it", **table}
        for number, table in enumerate(found, 1)
    ]
