"""What is said of a listener, and of all of them: limits, times, whom to believe, logs, processes."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any, Final

from txproxy.importers.nginx.directive_reasons import REASONS
from txproxy.importers.nginx.listening import Listening
from txproxy.importers.nginx.locations.route_conditions import Table
from txproxy.importers.nginx.nginx_sites import Whole, body_size
from txproxy.importers.nginx.syntax.blocks import Directive
from txproxy.importers.nginx.syntax.nginx_measures import duration, octets, size_of
from txproxy.importers.nginx.syntax.nginx_scopes import Scope
from txproxy.importers.notes import Untranslatable

# nginx's own, where nothing is said.
_BUFFERS: Final = ("4", "8k")
_IDLE_TUNNEL: Final = "60s"
_TIMES: Final = {"client_header_timeout": "header_timeout", "keepalive_timeout": "idle_timeout"}
_OWN_STATUSES: Final = ("400", "403", "404", "405", "408", "413", "414", "429", "431", "502", "503", "504")
_RECURSIVE: Final = (
    "of the addresses in X-Forwarded-For the last that is in none of these networks counts, as with real_ip_recursive "
    "on: who is in them may name another"
)
_BELIEVED_BY: Final = ("x-forwarded-for", "proxy_protocol")


def listener_settings(listening: Listening, whole: Whole) -> Table:
    """The keys of a listener beside where it listens."""
    scope = listening.first.chosen.scope
    found: Table = {"via": "none"}
    found |= _trust(listening, whole)
    if pages := _error_pages(scope, whole):
        found["error_pages"] = pages
    found["limits"] = limits_of(scope, listening, whole)
    return found


def limits_of(scope: Scope, listening: Listening, whole: Whole) -> Table:
    """``limits`` of a listener, which are those of the server for hosts that no other has."""
    notes = whole.notes
    found: Table = {}
    size = largest_body(listening)
    if size:
        found["max_body_size"] = size_of(size)
    buffers = scope.last("large_client_header_buffers")
    words = buffers.words if buffers is not None and len(buffers.words) == 2 else _BUFFERS
    try:
        number, each = int(words[0]), octets(words[1])
        # A line of a request fits into one of them.
        found["max_header_size"], found["max_target_size"] = size_of(number * each), size_of(each)
    except (ValueError, Untranslatable):
        if buffers is not None:
            notes.say(buffers, f"{' '.join(words)} is no number and size")
    for name, key in _TIMES.items():
        _time(scope.last(name), key, found, whole)
    connect = [one for prefix in ("proxy", "grpc") for one in _anywhere(scope, f"{prefix}_connect_timeout")]
    for one in connect:
        _time(one, "connect_timeout", found, whole)
    if len({one.first for one in connect}) > 1:
        notes.say(connect[-1], "there is one for a listener: the last is taken over")
    found["tunnel_timeout"] = _IDLE_TUNNEL
    return found


def _anywhere(scope: Scope, name: str) -> list[Directive]:
    """Where nginx says it, at the server, around it, or in one of its locations."""
    found = scope.all(name)
    waiting = [*scope.directives]
    while waiting:
        one = waiting.pop(0)
        if one.name == "location":
            waiting += one.block or ()
            found += [inner for inner in one.block or () if inner.name == name]
    for one in found:
        one.taken = True
    return found


def _error_pages(scope: Scope, whole: Whole) -> Table:
    """The pages of what the proxy says itself, where they are files."""
    found: Table = {}
    for one in scope.all("error_page"):
        file = _page(scope, one)
        if not file:
            whole.notes.say(one, REASONS["error_page"])
            continue
        found |= {status: file for status in one.words[:-1] if status in _OWN_STATUSES}
    return found


def _page(scope: Scope, directive: Directive) -> str:
    """The file of an ``error_page``: below the root of the location that is for it, or of the server."""
    place = directive.words[-1] if len(directive.words) > 1 else ""
    if not place.startswith("/") or any(word.startswith("=") for word in directive.words):
        return ""
    block = next((one for one in scope.own("location") if one.words in (("=", place), (place,), ("=" + place,))), None)
    own = Scope(block, scope, scope.notes) if block is not None else scope
    root = own.word("root")
    file = os.path.join(root, place.lstrip("/")) if root.startswith("/") else ""
    return file if os.path.isfile(file) else ""


def largest_body(listening: Listening) -> int:
    """The largest body that one of the servers takes anywhere; 0 for any. Routes are bounded within that."""
    sizes: set[int] = set()
    for server in listening.first.servers:
        scope = server.scope
        sizes.add(body_size(scope))
        sizes |= {body_size(Scope(one, scope, scope.notes)) for one in _blocks(scope.directives)}
    return 0 if 0 in sizes else max(sizes)


def _blocks(directives: Iterable[Directive]) -> Iterable[Directive]:
    for one in directives:
        if one.name in ("location", "if"):
            if any(inner.name == "client_max_body_size" for inner in one.block or ()):
                yield one
            yield from _blocks(one.block or ())


def _time(directive: Directive | None, key: str, found: Table, whole: Whole) -> None:
    if directive is None:
        return
    try:
        found[key] = duration(directive.first)
    except Untranslatable as fault:
        whole.notes.say(directive, fault)


def _trust(listening: Listening, whole: Whole) -> dict[str, Any]:
    """Whose word about clients is believed."""
    notes, scope = whole.notes, listening.first.chosen.scope
    networks = scope.all("set_real_ip_from")
    header = scope.last("real_ip_header")
    word = header.first.lower() if header is not None else "x-real-ip"
    recursive = scope.word("real_ip_recursive", "off") == "on"
    trusted = [one.first for one in networks]
    found: dict[str, Any] = {}
    if networks and word not in _BELIEVED_BY:
        for one in [header] if header is not None else networks[:1]:
            notes.say(
                one, f"{word} is not believed, as it does not say who wrote it: clients are whom X-Forwarded-For names"
            )
        trusted = []
    if listening.first.proxy_protocol:
        if not trusted:
            notes.of_file(
                "listen", "proxy_protocol wants trusted_proxies, those whose headers are believed: there are none yet"
            )
            trusted = ["127.0.0.1"]
        found["proxy_protocol"] = True
    if trusted:
        found["trusted_proxies"] = list(dict.fromkeys(trusted))
        if word == "x-forwarded-for":
            notes.say(networks[0], "they are believed about scheme and host too (X-Forwarded-Proto, X-Forwarded-Host)")
            if not recursive:
                notes.say(networks[0], _RECURSIVE)
    return found


# -- for all


def top_settings(root: Scope, http: Scope, whole: Whole) -> Table:
    """What stands at the top of the file."""
    found: Table = {}
    workers = root.last("worker_processes")
    if workers is not None and workers.first != "1":
        if workers.first == "auto" or (workers.first.isdigit() and 1 <= int(workers.first) <= 256):
            found["workers"] = int(workers.first) if workers.first.isdigit() else "auto"
        else:
            whole.notes.say(workers, f"{workers.first} is no number of processes here")
    log = _log(http, whole)
    if log:
        found["log"] = log
    return found


def _log(scope: Scope, whole: Whole) -> Table:
    lines = scope.own("access_log")
    for server in scope.directives:
        if not lines and server.name == "server":
            lines = [one for one in server.block or () if one.name == "access_log"]
    if not lines:
        return {}
    one = lines[0]
    one.taken = True
    if one.first == "off":
        return {"access": "none"}
    for other in lines[1:]:
        whole.notes.say(other, "there is one access log for all; [[access_logs]] are further ones")
    if one.first.startswith("syslog:") or "$" in one.first:
        whole.notes.say(one, "log.access takes a file, or syslog:udp:HOST:PORT")
        return {}
    found: Table = {"access": one.first}
    name = one.words[1] if len(one.words) > 1 else "combined"
    formats = {words.first: words for words in scope.own("log_format")}
    if name != "combined" and name in formats:
        found["access_format"] = "".join(word for word in formats[name].words[1:] if not word.startswith("escape="))
    return found
