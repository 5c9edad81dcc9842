"""Regular expressions: what is none is an error that says so, wherever it is written."""

import pytest

from txproxy.config.toml.policy_tables import url_pattern as configured_url
from txproxy.errors import ConfigError
from txproxy.forward.access.conditions.condition_types import CONDITION_TYPES
from txproxy.forward.request.url_rewrites import Rewrite
from txproxy.matching.globs import text_pattern
from txproxy.matching.paths import PathPattern
from txproxy.matching.regular_expressions import bytes_expression, regular_expression
from txproxy.reverse.routing.conditions import Wanted


def _rule(key):
    return next(kind for kind in CONDITION_TYPES if kind.key == key).parse


PLACES = {
    "text": regular_expression,
    "bytes": bytes_expression,
    "rule's hosts": _rule("hosts"),
    "rule's url": _rule("url"),
    "rule's headers": lambda text: _rule("headers")(("x", text)),
    "rewrite": lambda text: Rewrite(name="x", to="http://a/", url=text),
    "field": text_pattern,
    "url": configured_url,
    "route's path": PathPattern.parse,
    "route's headers": Wanted.parse,
}


@pytest.mark.parametrize("place", PLACES)
# The latter two are no re.error: of numbers, and of nesting beyond all measure.
@pytest.mark.parametrize("text", ["~(", "~[", "~a{99999999999999999999}", "~" + "(" * 5000 + ")" * 5000], ids=len)
def test_what_is_no_expression_is_refused_everywhere(place, text):
    with pytest.raises(ConfigError, match=r"'~.* is no regular expression: .*; accepted is Python's syntax"):
        PLACES[place](text)


def test_an_expression_over_bytes_is_of_utf_8():
    assert bytes_expression("~/ü").fullmatch("/ü".encode())
    assert bytes_expression("~/x", mark="").fullmatch(b"~/x")
