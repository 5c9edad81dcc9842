"""Block lists: files of hosts, hosts-file lines, Adblock-style domain rules and URL globs, also mixed.

One entry a line; ``#`` begins a comment, and so does ``!`` at the beginning of a line:

- ``ads.example``, ``.ads.example``, ``*.ads.example``: the host and all names under it (published lists mean the same
  by these three)
- ``0.0.0.0 ads.example tracker.example``: an address and the names that a hosts file gives it; as there, each is for
  that name alone. Names of the machine itself (``localhost``) are passed over
- ``||ads.example^``: the host and all names under it; ``@@||good.example^`` takes these out of all lists. Of the
  options, ``$all`` and ``$important`` (which no exception takes out) are honoured. A rule with another one
  (``third-party``, ``domain=``), or for a part of a site, is left out and counted: applied without it, it would block
  too much
- ``http://host/private/*``, ``*://*/banner/*``: see :mod:`txproxy.matching.url_patterns`; in lists they ignore
  case

A line that is none of these is left out and counted: one bad line must not make a million good ones fail.
"""

from __future__ import annotations

import io
import os
import re
from array import array
from collections.abc import Iterable
from pathlib import PurePath
from typing import Final, NamedTuple

import attrs

from txproxy.errors import ConfigError
from txproxy.file_stamps import Stamp
from txproxy.forward.blocklists.host_table import HostNames, key_alone, key_of, keys
from txproxy.forward.request.facts import Facts
from txproxy.matching.hosts import is_literal, listed_host
from txproxy.matching.url_patterns import GlobIndex, UrlGlob

_HOST: Final = re.compile(r"(?:\*?\.)?(?!-)([a-z0-9_-]+(?:\.[a-z0-9_-]+)*)\.?")
_COMMENT: Final = re.compile(r"\s*#.*")
_HEADER: Final = re.compile(r"\[(?:adblock|ublock|adguard)[^\]]*\]", re.I)
_DOMAIN_RULE: Final = re.compile(r"(@@)?\|\|([^/^$|*]+)(?:\^\*?\|?|/\*?|\|)?(?:\$(.*))?")
# Parts of pages to hide, which begin with the domains that this is for.
_HIDING_RULE: Final = re.compile(r"[^\s#]+#[@?$%]*#")
# Signs of Adblock rules for parts of sites: anchors, separators, options, expressions.
_OTHER_RULE: Final = re.compile(
    r"@@|\||.*\^|/.*/$|.*\$~?(?:third-party|first-party|[13]p|domain|from|to|denyallow|badfilter|important|all|doc|"
    r"document|subdocument|frame|script|image|stylesheet|css|xhr|xmlhttprequest|object|media|font|websocket|ping|other|"
    r"popup|popunder|match-case|redirect|redirect-rule|csp|removeparam|generichide|elemhide|dnstype|client|ctag|app)"
    r"(?:[=,]|$)",
    re.I,
)
_HONOURED: Final = frozenset({"all", "important"})

# What hosts files say of the machine itself.
_OWN_NAMES: Final = frozenset(
    {"localhost", "localhost.localdomain", "local", "broadcasthost", "ip6-localhost", "ip6-loopback", "ip6-localnet"}
    | {"ip6-mcastprefix", "ip6-allnodes", "ip6-allrouters", "ip6-allhosts"}
)

_LONGEST_LINE: Final = 4096
_SHOWN: Final = 60


class Hit(NamedTuple):
    """What was found on a list: its name, and the entry (the host or glob)."""

    list_name: str
    entry: str


@attrs.frozen(kw_only=True)
class BlockList:
    """A list as read. ``lines`` is how many the file has, ``left_out`` how many of them are no entries that can be
    honoured, and ``warnings`` tell of those, with the first.
    """

    name: str
    hosts: HostNames
    important: HostNames
    exceptions: HostNames
    globs: GlobIndex
    lines: int = 0
    left_out: int = 0
    warnings: tuple[str, ...] = ()

    def __len__(self) -> int:
        """How many entries it has, exceptions included."""
        return len(self.hosts) + len(self.important) + len(self.exceptions) + len(self.globs)

    def find_url(self, facts: Facts) -> Hit | None:
        """The glob that a request's URL is blocked by, exceptions aside."""
        glob = self.globs.find(facts.urls) if len(self.globs) else None
        return Hit(self.name, glob.text) if glob is not None else None


@attrs.define
class _LeftOut:
    """Lines of one kind that are no entries."""

    count: int = 0
    first: str = ""

    def add(self, number: int, line: str) -> None:
        if not self.count:
            text = line if len(line) <= _SHOWN else line[: _SHOWN - 3] + "..."
            # What is no UTF-8 came as surrogates, which no log could write.
            self.first = f"line {number}: {text.encode('utf-8', 'backslashreplace').decode()!r}"
        self.count += 1


class _Reader:
    """Gathers the entries of one list."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.hosts = keys()
        self.important = keys()
        self.exceptions = keys()
        self.globs: list[UrlGlob] = []
        self.alone = False
        self.undotted = False
        self.lines = 0
        self.unknown = _LeftOut()
        self.not_honoured = _LeftOut()

    def read(self, lines: Iterable[str]) -> None:
        """Take all ``lines`` in."""
        plain, add, key = _HOST.fullmatch, self.hosts.append, key_of
        number = 0
        for number, line in enumerate(lines, 1):
            text = line.strip()
            # Nearly all lines of long lists are bare names that end in letters.
            if text[-1:].isalpha() and (match := plain(text)) is not None:
                add(key(host := match[1]))
                if "." not in host:
                    self.undotted = True
            elif text:
                self._line(number, text)
        self.lines = number

    def _line(self, number: int, line: str) -> None:
        if line[0] in "#!" or _HEADER.fullmatch(line) is not None:
            return
        if len(line) > _LONGEST_LINE:
            self.unknown.add(number, line)
            return
        if _HIDING_RULE.match(line) is not None:
            self.not_honoured.add(number, line)
            return
        text = _COMMENT.sub("", line)
        words = text.split()
        if text.startswith(("||", "@@||")):
            if not self._domain_rule(text):
                self.not_honoured.add(number, line)
        elif len(words) > 1:
            if not self._hosts_file(words):
                self.unknown.add(number, line)
        elif not self._host(text, self.hosts):
            self._glob(number, text, line)

    def _host(self, text: str, where: array[int]) -> bool:
        host = _host_of(text)
        if host is not None:
            where.append(key_of(host))
            self.undotted |= "." not in host
        return host is not None

    def _hosts_file(self, words: list[str]) -> bool:
        if not is_literal(words[0]):
            return False
        hosts = [_host_of(word) for word in words[1:]]
        names = [host for host in hosts if host is not None]
        for name in names:
            # Some files begin with "0.0.0.0 0.0.0.0".
            if name not in _OWN_NAMES and name != words[0]:
                self.hosts.append(key_alone(name))
                self.alone = True
        return len(names) == len(hosts)

    def _domain_rule(self, text: str) -> bool:
        match = _DOMAIN_RULE.fullmatch(text)
        if match is None:
            return False
        exception, host, options = match.groups()
        asked = set(options.lower().split(",")) if options is not None else set()
        if not asked <= _HONOURED or (exception and asked):
            return False
        if exception:
            return self._host(host, self.exceptions)
        return self._host(host, self.important if "important" in asked else self.hosts)

    def _glob(self, number: int, text: str, line: str) -> None:
        if _OTHER_RULE.match(text) is not None:
            self.not_honoured.add(number, line)
            return
        try:
            self.globs.append(UrlGlob(text, ignore_case=True))
        except ConfigError:
            self.unknown.add(number, line)

    def made(self) -> BlockList:
        """The list."""
        warnings = []
        if not self.lines:
            warnings.append(f"{self.name} is empty")
        if self.unknown.count:
            warnings.append(
                f"{self.name}: {self.unknown.count} of {self.lines} lines are neither hosts nor URL patterns and were "
                f"left out; the first is {self.unknown.first}"
            )
        if self.not_honoured.count:
            warnings.append(
                f"{self.name}: {self.not_honoured.count} Adblock rules need more than a domain and were left out; "
                f"the first is {self.not_honoured.first}"
            )
        return BlockList(
            name=self.name,
            hosts=HostNames(self.hosts, alone=self.alone, undotted=self.undotted),
            important=HostNames(self.important),
            exceptions=HostNames(self.exceptions),
            globs=GlobIndex(self.globs),
            lines=self.lines,
            left_out=self.unknown.count + self.not_honoured.count,
            warnings=tuple(warnings),
        )


def _host_of(text: str) -> str | None:
    """The host that an entry names, in normal form; None if it names none."""
    text = text.lower()
    match = _HOST.fullmatch(text)
    if match is not None and text[-1].isalpha():
        return match[1]
    return listed_host(text)


def parse_list(name: str, lines: Iterable[str]) -> BlockList:
    """The list that ``lines`` make."""
    reader = _Reader(name)
    reader.read(lines)
    return reader.made()


def list_name(path: str) -> str:
    """What a list is called where nobody says: the file's name without what follows the last dot."""
    return PurePath(path).stem or path


def read_list(path: str, name: str = "") -> tuple[BlockList, Stamp]:
    """The list in a file, and what the file was known by before it was read; ``ConfigError`` where it cannot be read,
    is binary, or has lines but not one entry.

    Touches nothing else, so that a thread can do it.
    """
    accepted = "accepted is a text file of hosts, hosts-file lines, Adblock-style domain rules or URL patterns"
    name = name or list_name(path)
    try:
        with open(path, "rb") as file:
            stamp = Stamp.of(os.fstat(file.fileno()))
            if b"\0" in file.peek(8192):
                raise ConfigError(f"{path} is binary", accepted)
            made = parse_list(name, io.TextIOWrapper(file, encoding="utf-8-sig", errors="surrogateescape"))
    except OSError as fault:
        raise ConfigError(f"{path}: {fault.strerror}", accepted) from None
    if made.left_out and not made:
        raise ConfigError(f"{path} has no entry: {made.warnings[0]}", accepted)
    return made, stamp
