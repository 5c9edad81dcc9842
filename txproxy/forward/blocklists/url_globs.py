"""URL patterns, one or thousands of them.

In a glob ``*`` is any run of characters and ``?`` any one; it is for the whole URL. Where it has a scheme and a host
(``http://host/private/*``, ``*://*.example.com/ads/*``), each of its parts is for that part of the URL: else
``*://ads.example/*`` would match any URL that has an address of ads.example in its query. A host of ``*`` alone is any
host with any path before what follows, so that ``*://*/banner/*`` finds a banner folder at any depth. A glob that names
no port is for all ports.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Final

from txproxy.errors import ConfigError
from txproxy.forward.request.facts import Url, normal_pattern
from txproxy.matching.hosts import host_name

_SHAPE: Final = re.compile(r"([A-Za-z*?][A-Za-z0-9*?+.\-]*)://(\[[0-9A-Fa-f:.]+\]|[^/:\[\]\s]+)(?::([0-9*?]+))?(/\S*)?")
_WILD: Final = re.compile(r"[*?]")

_GRAM: Final = 4
_STRIDES: Final = (4, 2, 1)
# So few globs without a host are tried one after the other.
_FEW: Final = 8


@lru_cache(maxsize=4096)
def _any_character(piece: str) -> re.Pattern[str]:
    return re.compile(".".join(map(re.escape, piece.split("?"))), re.S)


class TextGlob:
    """A glob over one text. It never goes back over what it has passed, so no text makes it slow."""

    __slots__ = ("_first", "_middle", "_last", "_single")

    def __init__(self, pattern: str) -> None:
        pieces = pattern.split("*")
        self._single = len(pieces) == 1
        self._first = pieces[0]
        self._last = pieces[-1]
        self._middle = tuple(piece for piece in pieces[1:-1] if piece)

    def matches(self, text: str) -> bool:
        """Whether the whole ``text`` is matched."""
        first, last = self._first, self._last
        if self._single:
            return _at(first, text, 0) and len(first) == len(text)
        at, end = len(first), len(text) - len(last)
        if at > end or not _at(first, text, 0) or not _at(last, text, end):
            return False
        for piece in self._middle:
            if "?" in piece:
                match = _any_character(piece).search(text, at, end)
                if match is None:
                    return False
                at = match.end()
            else:
                at = text.find(piece, at, end)
                if at < 0:
                    return False
                at += len(piece)
        return True


def _at(piece: str, text: str, at: int) -> bool:
    if "?" in piece:
        return _any_character(piece).match(text, at) is not None
    return text.startswith(piece, at)


class UrlGlob:
    """A glob over a whole URL; ``ConfigError`` if no URL can have its form. ``ignore_case`` is for the path: hosts and
    schemes have no case.

    ``scheme``, ``host``, ``port`` and ``path`` are its parts, as written (the host in normal form); None where it has
    no such parts (``*/banner/*``). A host of ``*`` alone is None too.
    """

    __slots__ = ("text", "scheme", "host", "port", "path", "_ignore_case", "_scheme", "_host", "_port", "_path")

    def __init__(self, text: str, ignore_case: bool = False) -> None:
        self.text = text
        self._ignore_case = ignore_case
        self.scheme: str | None = None
        self.host: str | None = None
        self.port: str | None = None
        self.path: str | None = None
        self._scheme = self._host = self._port = None
        spelled = normal_pattern(text)
        if ignore_case:
            spelled = spelled.lower()
        shape = _SHAPE.fullmatch(spelled)
        if shape is None:
            if spelled[:1] != "*" or any(character.isspace() for character in spelled):
                raise ConfigError(
                    f"{text!r} is no URL pattern; accepted are globs such as http://host/private/* and *://*/banner/*"
                )
            self._path = TextGlob(spelled)
            return
        scheme, host, port, path = shape.groups()
        if path is None:
            path = "*" if host[-1] == "*" and port is None else "/"
        self.scheme = scheme.lower()
        self.path = path
        self._scheme = None if scheme == "*" else TextGlob(self.scheme)
        if host == "*" and port is None:
            self._path = TextGlob("*" + path)
            return
        self.host = host.lower() if _WILD.search(host) else host_name(host)
        self.port = port
        # In an index that knows the host already, comparing it again costs little.
        self._host = TextGlob(self.host)
        self._port = None if port is None or port == "*" else TextGlob(port)
        self._path = TextGlob(path)

    @property
    def literal_host(self) -> str | None:
        """The one host that it is for, if there is one."""
        return self.host if self.host is not None and not _WILD.search(self.host) else None

    def matches(self, url: Url) -> bool:
        """Whether ``url`` is of this form."""
        if self._scheme is not None and not self._scheme.matches(url.scheme):
            return False
        if self._host is None:
            text = url.text if self.scheme is None else url.text.partition("://")[2]
            return self._path.matches(text.lower() if self._ignore_case else text)
        return (
            self._host.matches(url.host)
            and (self._port is None or self._port.matches(str(url.port)))
            and self._path.matches(url.path.lower() if self._ignore_case else url.path)
        )

    def runs(self) -> list[str]:
        """The runs of characters, in lower case, that a URL must have to match."""
        parts = (self.host, self.path) if self.host is not None else (normal_pattern(self.text),)
        return [run for part in parts for run in _WILD.split((part or "").lower())]


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
            elif host[:2] == "*." and host[2:] and not _WILD.search(host[2:]):
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


def text_pattern(text: str) -> Callable[[str], bool]:
    """A test of a text: a glob over the whole of it, or after ``~`` a regular expression that is searched for."""
    if text[:1] == "~":
        search = regular_expression(text).search
        return lambda value: search(value) is not None
    return TextGlob(text).matches


def url_pattern(text: str) -> str:
    """``text`` if it is a glob over URLs, or after ``~`` a regular expression; else ``ConfigError``."""
    if text[:1] == "~":
        regular_expression(text)
    else:
        UrlGlob(text)
    return text


def regular_expression(text: str) -> re.Pattern[str]:
    """The expression that follows the ``~``; ``ConfigError`` if it is none."""
    try:
        return re.compile(text[1:])
    except re.error as fault:
        raise ConfigError(f"{text!r} is no regular expression: {fault}; accepted is Python's syntax") from None
