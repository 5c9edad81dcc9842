"""URL patterns, one or thousands of them.

In a glob ``*`` is any run of characters and ``?`` any one; it is for the whole URL. Where it has a scheme and a host
(``http://host/private/*``, ``*://*.example.com/ads/*``), each of its parts is for that part of the URL: else
``*://ads.example/*`` would match any URL that has an address of ads.example in its query. A host of ``*`` alone is any
host with any path before what follows, so that ``*://*/banner/*`` finds a banner folder at any depth. A glob that names
no port is for all ports.

Hosts, ports and paths are written as elsewhere (:mod:`~txproxy.matching.hosts`, :mod:`~txproxy.matching.ports`,
:mod:`~txproxy.matching.paths`), with wildcards in them. But an asterisk is any characters, dots and slashes too, so
that ``*.example.com`` is for all names below, and ``*example.com`` for ``badexample.com`` as well. What is not ASCII is
what comes over the wire for it: IDNA in hosts, escapes of UTF-8 in paths.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from txproxy.errors import ConfigError
from txproxy.matching.globs import WILD, TextGlob
from txproxy.matching.hosts import glob_host, host_name
from txproxy.matching.paths import escaped
from txproxy.matching.ports import port_number
from txproxy.matching.regular_expressions import EXPRESSION_MARK, regular_expression
from txproxy.matching.urls import Url, normal_pattern

_SHAPE: Final = re.compile(r"([A-Za-z*?][A-Za-z0-9*?+.\-]*)://(\[[0-9A-Fa-f:.]+\]|[^/:\[\]\s]+)(?::([0-9*?]+))?(/\S*)?")

_GRAM: Final = 4
_STRIDES: Final = (4, 2, 1)
# So few globs without a host are tried one after the other.
_FEW: Final = 8


class UrlGlob:
    """A glob over a whole URL; ``ConfigError`` if no URL can have its form. ``ignore_case`` is for the path: hosts and
    schemes have no case.

    ``scheme``, ``host``, ``port`` and ``path`` are its parts, as written (the host in normal form); None where it has
    no such parts (``*/banner/*``). A host of ``*`` alone is None too.
    """

    __slots__ = ("text", "scheme", "host", "port", "path", "_parts", "_scheme", "_host", "_port", "_path", "_no_case")

    def __init__(self, text: str, ignore_case: bool = False) -> None:
        self.text = text
        self._no_case = ignore_case
        self.scheme: str | None = None
        self.host: str | None = None
        self.port: str | None = None
        self.path: str | None = None
        self._scheme = self._host = self._port = None
        self._parts: tuple[str, ...]
        spelled = normal_pattern(text)
        shape = _SHAPE.fullmatch(spelled)
        if shape is None:
            if spelled[:1] != "*" or any(character.isspace() for character in spelled):
                raise _no_pattern(text, "")
            self._parts = (self._cased(spelled),)
            self._path = TextGlob(self._parts[0])
            return
        scheme, host, port, path = shape.groups()
        if path is None:
            path = "*" if host[-1] == "*" and port is None else "/"
        self.scheme = scheme.lower()
        self.path = self._cased(path)
        self._scheme = None if scheme == "*" else TextGlob(self.scheme)
        if host == "*" and port is None:
            self._parts = (self._cased(spelled),)
            self._path = TextGlob("*" + self.path)
            return
        try:
            self.host = glob_host(host) if WILD.search(host) else host_name(host)
            self.port = port if port is None or WILD.search(port) else str(port_number(port))
        except ConfigError as fault:
            raise _no_pattern(text, f": {fault.said}") from None
        # In an index that knows the host already, comparing it again costs little.
        self._host = TextGlob(self.host)
        self._port = None if port is None or port == "*" else TextGlob(self.port or "")
        self._path = TextGlob(self.path)
        self._parts = (self.host, self.path)

    def _cased(self, path: str) -> str:
        path = escaped(path)
        return path.lower() if self._no_case else path

    @property
    def literal_host(self) -> str | None:
        """The one host that it is for, if there is one."""
        return self.host if self.host is not None and not WILD.search(self.host) else None

    @property
    def literal_port(self) -> int | None:
        """The one port that it is for, if there is one."""
        return int(self.port) if self.port is not None and not WILD.search(self.port) else None

    def matches(self, url: Url) -> bool:
        """Whether ``url`` is of this form."""
        if self._scheme is not None and not self._scheme.matches(url.scheme):
            return False
        if self._host is None:
            text = url.text if self.scheme is None else url.text.partition("://")[2]
            return self._path.matches(text.lower() if self._no_case else text)
        return (
            self._host.matches(url.host)
            and (self._port is None or self._port.matches(str(url.port)))
            and self._path.matches(url.path.lower() if self._no_case else url.path)
        )

    def runs(self) -> list[str]:
        """The runs of characters, in lower case, that a URL must have to match."""
        return [run for part in self._parts for run in WILD.split(part.lower())]


def _no_pattern(text: str, why: str) -> ConfigError:
    accepted = "accepted are globs such as http://host/private/* and *://*/banner/*"
    return ConfigError(f"{text!r} is no URL pattern{why}", accepted)


class GlobIndex:
    """Many globs. Those of a host, or of all names under one, are looked up by it, and the others by four characters
    that they have to have; what is left is tried one after the other.

    A glob with a run of seven characters is known by four of its places, one after the other: of these, one is at a
    place of the URL that divides by four, wherever the run is. So only each fourth place of the URL is looked at; and
    each second, or each, only where there are globs with no longer run.
    """

    __slots__ = ("_by_host", "_under", "_by_gram", "_others", "_count")

    def __init__(self, globs: Iterable[UrlGlob] = ()) -> None:
        self._by_host: dict[str, list[UrlGlob]] = {}
        self._under: dict[str, list[UrlGlob]] = {}
        self._by_gram: dict[int, dict[str, list[UrlGlob]]] = {}
        self._others: list[UrlGlob] = []
        self._count = 0
        free = []
        for glob in globs:
            self._count += 1
            host = glob.host or ""
            if glob.literal_host is not None:
                self._by_host.setdefault(host, []).append(glob)
            elif host[:2] == "*." and host[2:] and not WILD.search(host[2:]):
                self._under.setdefault(host[2:], []).append(glob)
            else:
                free.append(glob)
        if len(free) <= _FEW:
            self._others = free
        else:
            for glob in free:
                self._index(glob)

    def _index(self, glob: UrlGlob) -> None:
        runs = glob.runs()
        longest = max(map(len, runs))
        for stride in _STRIDES:
            if longest >= stride + _GRAM - 1:
                index = self._by_gram.setdefault(stride, {})
                places = [_grams(run, at, stride) for run in runs for at in range(len(run) - stride - _GRAM + 2)]
                # The rarest, for a bucket that all globs share would be none.
                for gram in set(min(places, key=lambda grams: max(len(index.get(gram, ())) for gram in grams))):
                    index.setdefault(gram, []).append(glob)
                return
        self._others.append(glob)

    def __len__(self) -> int:
        return self._count

    def find(self, urls: tuple[Url, ...]) -> UrlGlob | None:
        """The first glob found that matches one of the spellings of a URL."""
        if self._count:
            for url in urls:
                for glob in self._candidates(url):
                    if glob.matches(url):
                        return glob
        return None

    def _candidates(self, url: Url) -> list[UrlGlob]:
        found = self._others[:]
        name = url.host
        if name in self._by_host:
            found += self._by_host[name]
        if self._under:
            _, dot, name = name.partition(".")
            while dot:
                if name in self._under:
                    found += self._under[name]
                _, dot, name = name.partition(".")
        if self._by_gram:
            text = url.text.lower()
            last = len(text) - _GRAM + 1
            for stride, index in self._by_gram.items():
                for gram in index.keys() & {text[at : at + _GRAM] for at in range(0, last, stride)}:
                    found += index[gram]
        return found


def _grams(run: str, start: int, count: int) -> list[str]:
    return [run[at : at + _GRAM] for at in range(start, start + count)]


def url_pattern(text: str) -> str:
    """``text`` if it is a glob over URLs, or after ``~`` a regular expression; else ``ConfigError``."""
    if text[:1] == EXPRESSION_MARK:
        regular_expression(text)
    else:
        UrlGlob(text)
    return text
