"""Which pool a client of TLS is for."""

import pytest

from tests.stream.hello import hello
from txproxy.errors import ConfigError
from txproxy.stream.sni_routing import UNRECOGNIZED_NAME, ByName, Heard

POOLS = {"a.example": "A", "*.b.example": "B", "Exact.B.Example.": "C"}


@pytest.mark.parametrize(
    ("name", "pool"),
    [
        ("a.example", "A"),
        ("A.EXAMPLE", "A"),
        ("x.b.example", "B"),
        ("exact.b.example", "C"),
        ("b.example", None),
        ("x.y.b.example", "B"),
        ("x.a.example", None),
    ],
)
def test_names_and_wildcards(name, pool):
    heard = ByName(POOLS).hear(hello(name))
    assert heard.pool == pool and heard.server_name == name.lower()
    if pool is None:
        assert heard.why == f"no pool is for {name.lower()}" and heard.answer == UNRECOGNIZED_NAME
    assert ByName(POOLS, "D").hear(hello(name)) == Heard(pool or "D", name.lower())


def test_who_asks_for_no_name_is_for_the_default():
    assert ByName(POOLS, "D").hear(hello()) == Heard("D")
    heard = ByName(POOLS).hear(hello())
    assert (heard.pool, heard.why) == (None, "the client asks for no server name")


@pytest.mark.parametrize("data", [b"GET / HTTP/1.1\r\n", b"\x00", b"SSH-2.0-x\r\n", b"\x16\x03\x01\x00\x00"])
def test_who_speaks_no_tls_is_for_the_default_and_gets_no_answer_in_it(data):
    assert ByName(POOLS, "D").hear(data) == Heard("D")
    heard = ByName(POOLS).hear(data)
    assert heard.pool is None and heard.answer == b"" and heard.why


def test_no_more_is_decided_than_has_been_said():
    data = hello("a.example")
    by_name = ByName(POOLS, "D")
    assert all(by_name.hear(data[:size]) is None for size in range(len(data)))
    assert by_name.hear(data + b"early data") == Heard("A", "a.example")


def test_an_address_is_no_name_that_a_client_asks_for():
    with pytest.raises(ConfigError, match="is an address, which no TLS client asks for; accepted is a name"):
        ByName({"192.0.2.1": "A"})


def test_two_spellings_of_a_name_are_one():
    with pytest.raises(ConfigError, match="are for the same hosts; accepted is each once"):
        ByName({"a.example": "A", "A.example.": "B"})


def test_names_come_in_any_spelling():
    assert ByName({"bücher.example": "A"}).hear(hello("xn--bcher-kva.example")).pool == "A"
    assert ByName({".a.example": "A"}).hear(hello("A.Example.")).pool == "A"
