"""Exceptions from going through a proxy, as NO_PROXY has them."""

import pytest

from txproxy.errors import ConfigError
from txproxy.forward.parents.no_proxy import NoProxy


@pytest.mark.parametrize(
    ("text", "host", "port", "has"),
    [
        ("example.com", "example.com", 80, True),
        ("example.com", "EXAMPLE.com.", 80, True),
        ("example.com", "www.example.com", 80, True),
        ("example.com", "notexample.com", 80, False),
        (".example.com", "example.com", 80, True),
        (".example.com", "www.example.com", 80, True),
        ("*.example.com", "example.com", 80, False),
        ("*.example.com", "a.b.example.com", 80, True),
        ("example.com:8080", "example.com", 8080, True),
        ("example.com:8080", "example.com", 80, False),
        ("10.0.0.0/8", "10.1.2.3", 80, True),
        ("10.0.0.0/8", "11.1.2.3", 80, False),
        ("10.0.0.0/8", "10.example", 80, False),
        ("10.1.2.3", "10.1.2.3", 80, True),
        ("10.1.2.3:81", "10.1.2.3", 80, False),
        ("127.0.0.1", "0x7f.1", 80, True),
        ("127.0.0.1", "::ffff:127.0.0.1", 80, True),
        ("fd00::/8", "fd00::1", 80, True),
        ("fd00::/8", "fe00::1", 80, False),
        ("[fd00::1]:81", "fd00::1", 81, True),
        ("[fd00::1]", "fd00::1", 81, True),
        ("fd00::1", "fd00::1", 81, True),
        ("localhost", "localhost", 80, True),
        ("bücher.example", "xn--bcher-kva.example", 80, True),
    ],
)
def test_what_is_an_exception(text, host, port, has):
    assert NoProxy([text]).has(host, port) is has


def test_a_text_may_have_several_as_the_variable_does():
    both = NoProxy(["a.example, 10.0.0.0/8", "b.example"])
    assert [both.has(host, 80) for host in ("a.example", "10.0.0.1", "b.example", "c.example")] == [True] * 3 + [False]


def test_nothing_is_no_exception():
    assert not NoProxy() and not NoProxy([" , "]).has("a.example", 80)


@pytest.mark.parametrize(
    "text", ["*", "a.*", "*a.example", "10.0.0.1/8", "10.0.0.0/99", "a.example:0", "a:b:c", "a:x", "."]
)
def test_what_is_none_of_these_is_one_line_that_says_what_is_accepted(text):
    with pytest.raises(ConfigError, match="accepted are") as caught:
        NoProxy([text])
    assert "\n" not in str(caught.value) and repr(text) in str(caught.value)
