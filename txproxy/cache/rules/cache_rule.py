"""A rule of caching: which requests it is for, and what becomes of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import attrs

from txproxy.cache.rules.cache_choice import CacheChoice
from txproxy.errors import ConfigError, Finding
from txproxy.frozen_values import frozen
from txproxy.matching.hosts import HostPattern, HostPatterns
from txproxy.matching.paths import PathPattern
from txproxy.matching.regular_expressions import EXPRESSION_MARK, regular_expression
from txproxy.matching.url_patterns import UrlGlob
from txproxy.matching.urls import Url
from txproxy.plain_values import PlainValue

T = TypeVar("T")


def _texts(value: str | Iterable[str]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


def _choice(value: Any) -> CacheChoice:
    return CacheChoice.read(value) or CacheChoice()


@frozen(kw_only=True)
class CacheRule(PlainValue):
    """What is said of requests that it is for: all that is given must hold, and nothing given holds for all.

    ``hosts``: patterns (see :mod:`txproxy.matching.hosts`). ``paths``: ``/prefix``, ``=/exact`` or ``~regex``, which
    has to match the whole path without the query (:mod:`txproxy.matching.paths`). ``url``: globs over the whole URL, or
    after ``~`` a regular expression that is searched for (:mod:`txproxy.matching.url_patterns`); with ``ignore_case``
    the case of a path does not count. Of each, one has to fit. Hosts and paths are those that are sent on, after
    whatever has rewritten a request. A wrong value is a ``ConfigError``.

    Methods are no condition: what one stored response answers, and what a change of it is to remove, has one rule.
    """

    name: str
    hosts: tuple[str, ...] = attrs.field(default=(), converter=_texts)
    paths: tuple[str, ...] = attrs.field(default=(), converter=_texts)
    url: tuple[str, ...] = attrs.field(default=(), converter=_texts)
    ignore_case: bool = False
    cache: CacheChoice = attrs.field(factory=CacheChoice, converter=_choice)
    _hosts: HostPatterns = attrs.field(init=False, eq=False, repr=False)
    _paths: tuple[PathPattern, ...] = attrs.field(init=False, eq=False, repr=False)
    _urls: tuple[Callable[[Url], bool], ...] = attrs.field(init=False, eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        faults: list[Finding] = []

        def read(key: str, texts: tuple[str, ...], parse: Callable[[str], T]) -> tuple[T, ...]:
            found = []
            for number, text in enumerate(texts):
                try:
                    found.append(parse(text))
                except ConfigError as fault:
                    faults.extend(fault.at(key, number).findings)
            return tuple(found)

        patterns = read("hosts", self.hosts, HostPattern.parse)
        paths = read("paths", self.paths, PathPattern.parse)
        urls = read("url", self.url, self._url_test)
        if faults:
            raise ConfigError(faults)
        object.__setattr__(self, "_hosts", HostPatterns(patterns))
        object.__setattr__(self, "_paths", paths)
        object.__setattr__(self, "_urls", urls)

    def _url_test(self, text: str) -> Callable[[Url], bool]:
        if text[:1] != EXPRESSION_MARK:
            return UrlGlob(text, self.ignore_case).matches
        pattern = regular_expression(text)
        search = (re.compile(pattern.pattern, pattern.flags | re.IGNORECASE) if self.ignore_case else pattern).search
        return lambda url: search(url.text) is not None

    @property
    def is_for_all(self) -> bool:
        """Whether nothing comes to a rule after this one."""
        return not (self.hosts or self.paths or self.url)

    def why_not(self, url: Url) -> str:
        """Why it is not for what is asked for, in a few words; empty if it is."""
        if self.hosts and url.host not in self._hosts:
            return f"host is {url.host or 'missing'}, not {' or '.join(self.hosts)}"
        if self.paths:
            path = url.path.partition("?")[0].encode("latin-1")
            if not any(pattern.holds(path) for pattern in self._paths):
                return f"path is not {' or '.join(self.paths)}"
        if self.url and not any(fits(url) for fits in self._urls):
            return f"URL is not {' or '.join(self.url)}"
        return ""
