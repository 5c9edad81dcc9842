"""Conditions on what a request says: its method, its URL, and its fields."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

from txproxy.errors import ConfigError
from txproxy.forward.access.conditions.condition_type import ConditionType, Surroundings, Test
from txproxy.forward.request.facts import Facts
from txproxy.matching.globs import text_pattern
from txproxy.matching.methods import usual_name, with_head
from txproxy.matching.regular_expressions import EXPRESSION_MARK, regular_expression
from txproxy.matching.url_patterns import UrlGlob
from txproxy.wire.grammar import TOKEN

SCHEMES: Final = ("http", "https", "connect")
_FITS: Final = ("fits", "does not fit")


def by_readings(test: Test, every: bool) -> Test:
    """``test`` for each way in which a request's URL may be read: with ``every`` all have to fulfil it, as for a rule
    that allows; else one is enough, as for a rule that refuses.
    """

    def each(facts: Facts) -> bool:
        urls = facts.urls
        if len(urls) == 1:
            return test(facts)
        fits = (test(facts.by(url)) for url in urls)
        return all(fits) if every else any(fits)

    return each


def _method(text: str) -> bytes:
    # A rule that refuses is not to miss what it means.
    method = usual_name(text).encode("utf-8")
    if TOKEN.fullmatch(method) is None:
        raise ConfigError(f"{text!r} is no method", "accepted is one such as GET or CONNECT")
    return method


def _methods_test(values: Sequence[bytes], _: Surroundings) -> Test:
    known = with_head(values)
    return lambda facts: facts.head.method in known


def _scheme(text: str) -> str:
    if text.lower() not in SCHEMES:
        raise ConfigError(f"{text!r} is no scheme", f"accepted: {', '.join(SCHEMES)} (a tunnel)")
    return text.lower()


def _schemes_test(values: Sequence[str], _: Surroundings) -> Test:
    return lambda facts: facts.scheme in values


def _url(text: str) -> UrlGlob | re.Pattern[str]:
    return regular_expression(text) if text[:1] == EXPRESSION_MARK else UrlGlob(text)


def _url_covers(one: Any, other: Any) -> bool:
    return _text_of(one) == _text_of(other)


def _text_of(pattern: UrlGlob | re.Pattern[str]) -> str:
    return pattern.text if isinstance(pattern, UrlGlob) else EXPRESSION_MARK + pattern.pattern


def _url_test(values: Sequence[UrlGlob | re.Pattern[str]], _: Surroundings) -> Test:
    globs = [value for value in values if isinstance(value, UrlGlob)]
    searches = [value.search for value in values if isinstance(value, re.Pattern)]

    def test(facts: Facts) -> bool:
        for url in facts.urls:
            for glob in globs:
                if glob.matches(url):
                    return True
            for search in searches:
                if search(url.text) is not None:
                    return True
        return False

    return test


def _field(pair: tuple[str, str | bool]) -> tuple[bytes, str | bool]:
    name, value = pair
    if not isinstance(name, str) or TOKEN.fullmatch(name.encode("utf-8")) is None:
        raise ConfigError(f"{name!r} is no field name", "accepted is one such as User-Agent")
    if not isinstance(value, str | bool):
        raise ConfigError(
            f"{name}: {value!r} is no pattern", "accepted are a glob, ~ with an expression, true and false"
        )
    if isinstance(value, str):
        text_pattern(value)
    return name.lower().encode("ascii"), value


def _headers_test(values: Sequence[tuple[bytes, str | bool]], _: Surroundings) -> Test:
    presence = [(name, value) for name, value in values if isinstance(value, bool)]
    patterns = [(name, text_pattern(value)) for name, value in values if isinstance(value, str)]

    def test(facts: Facts) -> bool:
        index = facts.head.headers.index
        for name, wanted in presence:
            if (name in index) is not wanted:
                return False
        for name, fits in patterns:
            value = index.get(name)
            if value is None or not fits(value.decode("latin-1")):
                return False
        return True

    return test


METHOD: Final = ConditionType(
    "methods",
    _method,
    _methods_test,
    "head.method",
    lambda facts, _: f"method {facts.head.method.decode('latin-1')}",
)
SCHEME: Final = ConditionType("schemes", _scheme, _schemes_test, "scheme", lambda facts, _: f"scheme {facts.scheme}")
URL: Final = ConditionType("url", _url, _url_test, "", lambda facts, _: f"URL {facts.url.text}", _url_covers, _FITS)
FIELD: Final = ConditionType("headers", _field, _headers_test, "", lambda _, __: "the head", verbs=_FITS)
