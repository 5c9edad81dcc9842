"""Texts with variables."""

import pytest

from txproxy.errors import ConfigError
from txproxy.reverse.rewriting.templates import ANSWER_VARIABLES, REQUEST_VARIABLES, Template, parse
from txproxy.testing import context_of
from txproxy.wire.headers import Headers
from txproxy.wire.message import RequestHead


def render(text, target=b"/x?a=b?c", authority=b"A.Example:8080", ip="192.0.2.7", method=b"PUT", scheme="https"):
    client = context_of("127.0.0.1", scheme)
    client.client_ip = ip
    template = Template(text, ANSWER_VARIABLES)
    return template.render(RequestHead(method, target, Headers(), authority=authority), client, b"up:8001")


@pytest.mark.parametrize(
    ("text", "rendered"),
    [
        ("", b""),
        ("plain é", "plain é".encode()),
        ("$client_ip", b"192.0.2.7"),
        ("$host", b"a.example"),
        ("$scheme", b"https"),
        ("$method", b"PUT"),
        ("$path", b"/x"),
        ("$query", b"a=b?c"),
        ("$path?$query", b"/x?a=b?c"),
        ("$upstream", b"up:8001"),
        ("a${host}b$$c", b"aa.exampleb$c"),
        ("$host$path", b"a.example/x"),
        ("$$host", b"$host"),
        ("$$$host", b"$a.example"),
        ("($method) $scheme://", b"(PUT) https://"),
    ],
)
def test_variables_are_filled_in(text, rendered):
    assert render(text) == rendered


def test_what_a_request_lacks_is_empty():
    assert render("[$host|$path|$query|$path?$query]", target=b"*", authority=b"") == b"[|/||/]"
    assert render("?$query", target=b"/?") == b""


def test_an_address_literal_keeps_its_brackets():
    assert render("$host", authority=b"[::1]:80") == b"[::1]"


def test_a_text_without_variables_is_constant():
    assert Template("a$$b").constant == b"a$b"
    assert Template("").constant == b""
    assert Template("a$host").constant is None


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("$nonesuch", r"\$nonesuch is no variable"),
        ("$hostname", r"\$hostname is no variable"),
        ("${host", "a dollar stands alone"),
        ("${}", "a dollar stands alone"),
        ("$", "a dollar stands alone"),
        ("5 $ or so", "a dollar stands alone"),
        ("$$$", "a dollar stands alone"),
        ("$HOST", r"\$HOST is no variable"),
        ("$1", r"\$1 is no variable"),
        ("${?query}", "a dollar stands alone"),
        ("$é", "a dollar stands alone"),
        ("$upstream", r"\$upstream is no variable"),
    ],
)
def test_an_unknown_variable_is_refused(text, what):
    with pytest.raises(ConfigError, match=what + r"; accepted are \$client_ip, \$host, .*, and \$\$ for a dollar$"):
        Template(text, REQUEST_VARIABLES)


def test_parsing_gives_literals_and_names():
    assert parse("/a/$1?$query$$", ["1", "query"]) == [(b"/a/", "1"), (b"", "?query"), (b"$", "")]
