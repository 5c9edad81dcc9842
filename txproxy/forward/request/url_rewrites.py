"""Requests that are sent to another URL than their own, or redirected to it; and the safe modes of search engines."""

from __future__ import annotations

import re
import string
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

import attrs

from txproxy.errors import ConfigError, Finding
from txproxy.forward.request.facts import TUNNEL, Facts
from txproxy.matching.hosts import HostPatterns
from txproxy.matching.paths import check_within
from txproxy.matching.regular_expressions import EXPRESSION_MARK, regular_expression
from txproxy.matching.url_patterns import UrlGlob
from txproxy.matching.urls import Url, query_text
from txproxy.plain_values import PlainValue
from txproxy.wire.grammar import ABSOLUTE
from txproxy.wire.target import written_authority

REDIRECTS: Final = (301, 302, 303, 307, 308)

_FIELDS: Final = frozenset({"scheme", "host", "path"})
_KEYS: Final = ("name", "hosts", "url", "to", "redirect")
_UNWISE: Final = re.compile(r"[\x00-\x20\x7f-\U0010ffff]")


@attrs.frozen(kw_only=True)
class Change:
    """What becomes of a request. ``url``: where it goes in place of its own, empty for no change. ``redirect``: the
    status by which the client is sent there, None to go there for it. ``dial``: the host whose address is connected to
    in place of the target's, while Host and the name in TLS stay; empty for no change. ``lines``: field lines to add.
    """

    name: str
    url: str = ""
    redirect: int | None = None
    dial: str = ""
    lines: tuple[bytes, ...] = ()


def _texts(values: Iterable[str] | str | None) -> tuple[str, ...] | None:
    return values if values is None else (values,) if isinstance(values, str) else tuple(values)


@attrs.frozen(kw_only=True)
class Rewrite(PlainValue):
    """Requests for ``hosts`` (patterns as of rules) whose URL is like ``url`` (a glob, or after ``~`` a regular
    expression that is searched for) go to the URL ``to``; with ``redirect`` (301, 302, 303, 307 or 308) the client is
    told to go there. None for all hosts, and for all URLs; one of the two has to be given.

    In ``to``, ``{scheme}``, ``{host}`` (with a port that is not the scheme's) and ``{path}`` (with the query) are the
    request's, and ``{1}`` or ``{name}`` a group of the expression. ``{{`` is a brace. Tunnels have no URL to change. A
    request that some server might take out of the path with which ``to`` begins is refused.
    """

    name: str
    to: str
    hosts: tuple[str, ...] | None = attrs.field(default=None, converter=_texts)
    url: str | None = None
    redirect: int | None = None
    _where: HostPatterns | None = attrs.field(init=False, eq=False, repr=False)
    _match: Callable[[Url], Mapping[str, str] | None] | None = attrs.field(init=False, eq=False, repr=False)
    # the path below which all requests end up
    _base: bytes = attrs.field(init=False, default=b"", eq=False, repr=False)

    @_where.default
    def _make_where(self) -> HostPatterns | None:
        return None if self.hosts is None else HostPatterns(self.hosts)

    @_match.default
    def _make_match(self) -> Callable[[Url], Mapping[str, str] | None] | None:
        if self.url is None:
            return None
        if self.url[:1] != "~":
            glob = UrlGlob(self.url)
            return lambda url: {} if glob.matches(url) else None
        return _groups(regular_expression(self.url))

    def __attrs_post_init__(self) -> None:
        if self.hosts is None and self.url is None:
            raise ConfigError("neither hosts nor url is given", "accepted are hosts = [...], url = '...', or both")
        if self.redirect is not None and (isinstance(self.redirect, bool) or self.redirect not in REDIRECTS):
            raise ConfigError(
                f"{self.redirect!r} is none", f"accepted: {', '.join(map(str, REDIRECTS))}", ("redirect",)
            )
        _check_template(self.to, regular_expression(self.url) if self.url and self.url[0] == EXPRESSION_MARK else None)
        object.__setattr__(self, "_base", _base_of(self.to))

    def apply(self, facts: Facts) -> Change | None:
        """What becomes of a request; None if this is not for it, or would send it where it goes anyway."""
        if facts.head.scheme is None or (self._where is not None and facts.host not in self._where):
            return None
        groups = self._groups_of(facts)
        if groups is None:
            return None
        # Whatever it was found by, what becomes of it is made from what was sent.
        url = facts.url
        host = url.text.partition("://")[2].partition("/")[0]
        target = _filled(self.to, {**groups, "scheme": url.scheme, "host": host, "path": url.path})
        if target == url.text or not is_url(target):
            return None
        if self._base:
            check_within(_path_of(target), self._base)
        return Change(name=self.name, url=target, redirect=self.redirect)

    def _groups_of(self, facts: Facts) -> Mapping[str, str] | None:
        if self._match is None:
            return {}
        for url in (facts.url, *facts.urls):
            groups = self._match(url)
            if groups is not None:
                return groups
        return None


def _groups(pattern: re.Pattern[str]) -> Callable[[Url], Mapping[str, str] | None]:
    def match(url: Url) -> Mapping[str, str] | None:
        found = pattern.search(url.text)
        if found is None:
            return None
        numbered = {str(number): text or "" for number, text in enumerate(found.groups(), 1)}
        return {**numbered, **{name: text or "" for name, text in found.groupdict().items()}}

    return match


def _filled(template: str, values: Mapping[str, str]) -> str:
    # Formatter would look at attributes and specs too, which are refused at the start; {1} is a name here.
    return "".join(
        text + (values[field] if field is not None else "") for text, field, _, _ in string.Formatter().parse(template)
    )


def _check_template(template: str, pattern: re.Pattern[str] | None) -> None:
    known = set(_FIELDS)
    if pattern is not None:
        known |= {str(number) for number in range(1, pattern.groups + 1)} | set(pattern.groupindex)
    try:
        parts = list(string.Formatter().parse(template))
    except ValueError as fault:
        raise ConfigError(f"{template!r}: {fault}", "accepted is {{ for a brace", ("to",)) from None
    for _, field, spec, conversion in parts:
        if field is not None and (field not in known or spec or conversion):
            raise ConfigError(
                f"{template!r}: there is no {{{field}}}", f"accepted: {', '.join(sorted(known))}", ("to",)
            )
    if not is_url(_filled(template, {**dict.fromkeys(known, "x"), "scheme": "http", "path": "/x"})):
        raise ConfigError(
            f"{template!r} is no URL", "accepted is one such as http://host/path or https://{host}{path}", ("to",)
        )


def _path_of(url: str) -> bytes:
    found = ABSOLUTE.fullmatch(url.encode("ascii"))
    return found[3].partition(b"?")[0] if found is not None else b""


def _base_of(template: str) -> bytes:
    """The path of a template as far as it has whole segments that are the same for all requests."""
    fields = {field for _, field, _, _ in string.Formatter().parse(template) if field is not None}
    sample = _filled(template, {**dict.fromkeys(fields, "\0"), "scheme": "http", "host": "x", "path": "/\0"})
    path = _path_of(sample)
    return path.partition(b"\0")[0].rpartition(b"/")[0] if b"\0" in path else b""


def is_url(text: str) -> bool:
    """Whether ``text`` is an http or https URL that can be sent."""
    if _UNWISE.search(text) is not None or "#" in text:
        return False
    match = ABSOLUTE.fullmatch(text.encode("ascii"))
    if match is None or match[1].lower() not in (b"http", b"https"):
        return False
    try:
        written_authority(match[2])
    except ValueError:
        return False
    return True


@attrs.frozen
class _SafeMode:
    """How a site is put into its safe mode. In requests by a ``parameter`` of the query, or a field; in tunnels, whose
    requests nobody sees, by the addresses that the site keeps for this: Host and the name in TLS stay as they were.
    """

    hosts: re.Pattern[str]
    dial: str
    parameter: tuple[str, str] | None = None
    line: bytes | None = None


_YOUTUBE: Final = re.compile(
    r"(?:(?:www|m)\.youtube\.com|www\.youtube-nocookie\.com|youtube\.googleapis\.com|youtubei\.googleapis\.com)"
)

# Each as the vendor documents it for the administrators of networks.
SAFE_SEARCH: Final[Mapping[str, _SafeMode]] = {
    "google": _SafeMode(
        re.compile(r"www\.google\.(?:(?:com?\.)?[a-z]{2}|com|cat)"), "forcesafesearch.google.com", ("safe", "active")
    ),
    "bing": _SafeMode(re.compile(r"www\.bing\.com"), "strict.bing.com", ("adlt", "strict")),
    "duckduckgo": _SafeMode(
        re.compile(r"(?:(?:www|start|html)\.)?duckduckgo\.com"), "safe.duckduckgo.com", ("kp", "1")
    ),
    "youtube": _SafeMode(_YOUTUBE, "restrict.youtube.com", line=b"YouTube-Restrict: Strict"),
    "youtube-moderate": _SafeMode(_YOUTUBE, "restrictmoderate.youtube.com", line=b"YouTube-Restrict: Moderate"),
}


class Rewrites:
    """Rewriting rules in order, of which the first that is for a request is applied, and after them the safe modes of
    ``safe_search`` (``google``, ``bing``, ``duckduckgo``, ``youtube``, ``youtube-moderate``).
    """

    def __init__(self, rules: Iterable[Rewrite] = (), safe_search: Iterable[str] = ()) -> None:
        self._rules = tuple(rules)
        self._modes: list[tuple[str, _SafeMode]] = []
        for name in safe_search:
            if name not in SAFE_SEARCH:
                raise ConfigError(f"{name!r} is unknown", f"accepted: {', '.join(SAFE_SEARCH)}", ("safe_search",))
            self._modes.append((name, SAFE_SEARCH[name]))

    def find(self, facts: Facts) -> Change | None:
        """What becomes of a request; None to leave it as it is."""
        for rule in self._rules:
            change = rule.apply(facts)
            if change is not None:
                return change
        for name, mode in self._modes:
            if mode.hosts.fullmatch(facts.host) is not None:
                return _made_safe(f"safe-search-{name}", mode, facts)
        return None


def _made_safe(name: str, mode: _SafeMode, facts: Facts) -> Change | None:
    if facts.scheme is TUNNEL:
        return Change(name=name, dial=mode.dial)
    if mode.line is not None:
        return Change(name=name, lines=(mode.line,))
    url = facts.url
    page, mark, query = url.text.partition("?")
    if mode.parameter is None or not mark:
        return None
    key, value = mode.parameter
    wanted = f"{key}={value}"
    parts = query.split("&")
    others = [part for part in parts if query_text(part.partition("=")[0].encode("latin-1")) != key.encode("ascii")]
    if [*others, wanted] == parts:
        return None
    return Change(name=name, url=f"{page}?{'&'.join([*others, wanted])}")


def read_rewrites(tables: Sequence[Mapping[str, Any]], where: str = "rewrites") -> tuple[Rewrite, ...]:
    """Rules from mappings as TOML gives them, with the keys ``name``, ``hosts``, ``url``, ``to`` and ``redirect``;
    ``ConfigError`` with one line for each that is wrong.
    """
    rules: list[Rewrite] = []
    faults: list[Finding] = []
    for number, table in enumerate(tables, 1):
        name = table.get("name", f"{where}-{number}")
        place = f"{where}[{number}] {name!r}"
        wrong = [Finding((key,), "unknown", f"accepted: {', '.join(_KEYS)}") for key in table if key not in _KEYS]
        for key in ("name", "url", "to"):
            if not isinstance(table.get(key, ""), str):
                wrong.append(Finding((key,), f"{table[key]!r} is no text", "accepted is a string"))
        hosts = table.get("hosts", ())
        if not isinstance(hosts, str) and not (
            isinstance(hosts, list | tuple) and all(isinstance(host, str) for host in hosts)
        ):
            wrong.append(Finding(("hosts",), f"{hosts!r} is no list of hosts", "accepted is ['www.example.com']"))
        if "to" not in table:
            wrong.append(Finding((), "to is missing", "accepted is a URL"))
        if not wrong:
            try:
                rules.append(Rewrite(**{"name": name, **table}))
            except ConfigError as fault:
                wrong += fault.findings
        faults += [one.within(place, number - 1) for one in wrong]
    if faults:
        raise ConfigError(faults)
    return tuple(rules)
