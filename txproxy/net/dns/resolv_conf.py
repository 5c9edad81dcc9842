"""The files by which a system says how names are resolved: resolv.conf(5) and hosts(5), read again when they change."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from typing import Final, Generic, TypeVar

from txproxy.file_stamps import Stamp
from txproxy.frozen_values import frozen
from txproxy.matching.hosts import is_literal

T = TypeVar("T")

# As many as the C library takes, and what it takes as an option at the most.
_MOST_SERVERS: Final = 3
_MOST_SEARCHED: Final = 6
_MOST_DOTS: Final = 15
_LONGEST_TIMEOUT: Final = 30
_MOST_ATTEMPTS: Final = 5
# A file is looked at once in so many seconds, if somebody asks.
_EVERY: Final = 1.0


@frozen
class ResolvConf:
    """Whom to ask, and for what: ``servers`` (addresses), ``search`` (domains), and the options of that file.
    ``timeout`` is what the first time of asking takes, and is doubled with each further one. The C library takes 5
    seconds where the file does not say, which is all that a request has to connect.
    """

    servers: tuple[str, ...] = ("127.0.0.1",)
    search: tuple[str, ...] = ()
    ndots: int = 1
    timeout: float = 1.0
    attempts: int = 3
    rotate: bool = False

    def names(self, name: str) -> list[str]:
        """What to ask for, in this order, if ``name`` is wanted: complete names, without a dot at the end."""
        if name.endswith("."):
            return [name[:-1]]
        others = [f"{name}.{domain}" for domain in self.search]
        return [name, *others] if name.count(".") >= self.ndots else [*others, name]


def read_resolv_conf(lines: Iterator[str], host_name: str = "") -> ResolvConf:
    """What a file says; without a list of domains, the one of ``host_name`` is searched. What is not understood is left
    out, as the C library does.
    """
    servers: list[str] = []
    search = [host_name.partition(".")[2]]
    options: dict[str, str] = {}
    for line in lines:
        words = line.split()
        if not words or words[0][0] in "#;":
            continue
        if words[0] == "nameserver" and len(words) > 1 and is_literal(words[1]):
            servers.append(words[1])
        elif words[0] in ("search", "domain"):
            search = words[1:] if words[0] == "search" else words[1:2]
        elif words[0] == "options":
            options |= {key: value for key, _, value in (word.partition(":") for word in words[1:])}
    default = ResolvConf()
    return ResolvConf(
        # resolv.conf(5): without one, the name server is on this machine.
        servers=tuple(dict.fromkeys(servers))[:_MOST_SERVERS] or default.servers,
        search=tuple(domain.strip(".").lower() for domain in search if domain.strip("."))[:_MOST_SEARCHED],
        ndots=_number(options.get("ndots"), default.ndots, 0, _MOST_DOTS),
        timeout=_number(options.get("timeout"), default.timeout, 1, _LONGEST_TIMEOUT),
        attempts=_number(options.get("attempts"), default.attempts, 1, _MOST_ATTEMPTS),
        rotate="rotate" in options,
    )


def _number(text: str | None, default: T, least: int, most: int) -> T | int:
    return max(least, min(most, int(text))) if text is not None and text.isdecimal() else default


def read_hosts(lines: Iterator[str]) -> dict[str, tuple[str, ...]]:
    """The addresses of each name in a hosts file."""
    known: dict[str, dict[str, None]] = {}
    for line in lines:
        words = line.partition("#")[0].split()
        if len(words) > 1 and is_literal(words[0]):
            for name in words[1:]:
                known.setdefault(name.lower().rstrip("."), {})[words[0]] = None
    return {name: tuple(addresses) for name, addresses in known.items()}


class WatchedFile(Generic[T]):
    """What ``read`` makes of the lines of the file at ``path``, as it is now; a file that is not there has none. It is
    looked at when somebody asks. ``changed`` is called when it says something else than before.
    """

    def __init__(
        self,
        path: str,
        read: Callable[[Iterator[str]], T],
        seconds: Callable[[], float],
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        self._path = path
        self._read = read
        self._seconds = seconds
        self._changed = changed
        self._seen: Stamp | None = None
        self._read_before = False
        self._look_at = float("-inf")
        self._content: T

    def __call__(self) -> T:
        """What it says."""
        now = self._seconds()
        if now >= self._look_at:
            self._look_at = now + _EVERY
            seen = Stamp.now(self._path)
            if not self._read_before or seen != self._seen:
                self._take(seen)
        return self._content

    def _take(self, seen: Stamp | None) -> None:
        first, self._read_before = not self._read_before, True
        self._seen = seen
        try:
            with open(self._path, encoding="utf-8", errors="replace") as file:
                content = self._read(iter(file))
        except OSError:
            content = self._read(iter(()))
        if first or content != self._content:
            self._content = content
            if not first:
                self._changed()


def resolv_conf(path: str, seconds: Callable[[], float], changed: Callable[[], None]) -> WatchedFile[ResolvConf]:
    """The file at ``path``, on this host."""
    return WatchedFile(path, lambda lines: read_resolv_conf(lines, socket.gethostname()), seconds, changed)
