"""Squid's peers, and which way requests go, in the words of our own."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import Final
from urllib.parse import quote

from txproxy.forward.squid_acls import Acls
from txproxy.forward.squid_formulas import TRUE, Untranslatable, positive
from txproxy.forward.squid_found import Peer, Setting, Settings, word_of
from txproxy.forward.squid_reader import Directive


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
    peer = Peer(directive, url, int(weight) if weight.isdigit() and 0 < int(weight) <= 1000 else 1)
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


def _login(text: str) -> tuple[str, list[str]]:
    """The part of a URL, and what was lost of it."""
    name, colon, password = text.partition(":")
    if not text:
        return "", []
    if not colon or name == "*":
        # What the client said is the parent's to know.
        return "", [f"login={text}"]
    return f"{quote(name, safe='')}:{quote(password, safe='')}@", []


def _cache_peer_access(directive: Directive, settings: Settings, acls: Acls) -> None:
    peer = settings.peers.get(word_of(directive))
    if peer is None:
        raise Untranslatable(f"there is no cache_peer {word_of(directive)} before it")
    action, *references = directive.words[1:] or ("",)
    if action == "deny" and references == ["all"]:
        return
    if action == "allow" and references == ["all"]:
        return
    if action != "allow":
        raise Untranslatable("a parent is there for hosts, and not against them")
    peer.hosts += tuple(_hosts_alone(references, acls))


def _hosts_alone(references: Sequence[str], acls: Acls) -> list[str]:
    """The hosts, if these lists are about nothing else."""
    formula = acls.all_of(references)
    hosts = positive(formula, "hosts")
    if not hosts or len(formula) != 1 or len(formula[0]) != 1 or any(host[:1] == "~" for host in hosts):
        raise Untranslatable("it is not about names of hosts alone")
    return hosts


def _never_direct(directive: Directive, settings: Settings, acls: Acls) -> None:
    action, *references = directive.words or ("",)
    if action == "allow" and references == ["all"]:
        settings.never_direct = True
    elif action != "deny" or references != ["all"]:
        raise Untranslatable("what may not be reached directly is told by parents with ;host=PATTERN")


def _always_direct(directive: Directive, settings: Settings, acls: Acls) -> None:
    action, *references = directive.words or ("",)
    if action == "deny" and references == ["all"]:
        return
    if action != "allow" or references == ["all"]:
        raise Untranslatable("no_proxy has the hosts that are reached without a parent")
    formula = acls.all_of(references)
    if len(formula) == 1 and len(formula[0]) == 1 and formula[0][0].key == "addresses":
        found = positive(formula, "addresses")
    else:
        found = [host.removeprefix(".") for host in _hosts_alone(references, acls)]
    settings.listener.setdefault("no_proxy", []).extend(found)
    if formula[0][0].key == "addresses":
        raise Untranslatable("names are not looked up for no_proxy: it has those that are addresses")


def _outgoing(directive: Directive, settings: Settings, acls: Acls) -> None:
    address, *references = directive.words or ("",)
    try:
        ipaddress.ip_address(address)
    except ValueError:
        raise Untranslatable(f"{address} is no address") from None
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
    "tcp_outgoing_address": _outgoing,
}


def parents(settings: Settings) -> tuple[list[str], list[str]]:
    """The parents, in the words of our own, with what is to be done without them; and notes."""
    peers = list(settings.peers.values())
    # Those that take turns do, and of the others Squid asks the first one that is up.
    main = [peer for peer in peers if peer.turns] or [peer for peer in peers if not peer.last][:1] or peers[:1]
    found = []
    for peer in peers:
        words = [f"host={host}" for host in peer.hosts]
        words += [f"weight={peer.weight}"] if peer.weight > 1 and peer.turns else []
        words += [] if peer in main else ["backup"]
        found.append(";".join([peer.url, *words]))
    groups = dict.fromkeys(peer.hosts for peer in peers)
    if not settings.never_direct:
        found += [";".join(["direct", *(f"host={host}" for host in hosts)]) for hosts in groups]
    notes = []
    if settings.never_direct and peers and () not in groups:
        notes.append(peers[0].place.note("hosts that are no parent's are reached directly, in spite of never_direct"))
    if peers:
        notes.append(peers[0].place.note("CONNECT, and what Squid would not cache, goes to the parents as well"))
    return found, notes
