"""The Forwarded field (RFC 7239)."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.wire.strategies import of_bytes, tokens
from txproxy.wire.forwarded import Element, Node, build, from_the_end, parse, parse_node, quoted


@pytest.mark.parametrize(
    ("text", "node"),
    [
        (b"192.0.2.43", Node("192.0.2.43")),
        (b"192.0.2.43:47011", Node("192.0.2.43", "47011")),
        (b"192.0.2.43:0", Node("192.0.2.43", "0")),
        (b"192.0.2.43:00080", Node("192.0.2.43", "80")),
        (b"[2001:db8:cafe::17]", Node("2001:db8:cafe::17")),
        (b"[2001:DB8:CAFE:0::17]:4711", Node("2001:db8:cafe::17", "4711")),
        (b"unknown", Node("unknown")),
        (b"Unknown:80", Node("unknown", "80")),
        (b"_gazonk", Node("_gazonk")),
        (b"_SEVKISEK", Node("_SEVKISEK")),
        (b"_a.b-c_d:_p0", Node("_a.b-c_d", "_p0")),
        (b"192.0.2.43:_x", Node("192.0.2.43", "_x")),
    ],
)
def test_nodes(text: bytes, node: Node) -> None:
    assert parse_node(text) == node


@pytest.mark.parametrize(
    "text",
    [
        *[b"", b"_", b":80", b"a", b"example.com", b"192.0.2", b"192.0.2.256", b"192.0.2.043", b"192.0.2.1.1", b"1"],
        *[b"2001:db8::1", b"[2001:db8::1", b"2001:db8::1]", b"[]", b"[::g]", b"[192.0.2.1]", b"[fe80::1%eth0]"],
        *[b"192.0.2.1:", b"192.0.2.1:65536", b"192.0.2.1:123456", b"192.0.2.1:-1", b"192.0.2.1:a", b"192.0.2.1:_"],
        *[b"unknowns", b"_a b", b"_a/b", b"_\xe9", b" 192.0.2.1", b"192.0.2.1 ", b"192.0.2.1:80:80", b"_a\n"],
    ],
)
def test_what_is_no_node(text: bytes) -> None:
    with pytest.raises(ValueError):
        parse_node(text)


def test_only_addresses_are_addresses() -> None:
    assert [parse_node(text).address for text in (b"192.0.2.1:1", b"[::1]:_x", b"unknown", b"_192.0.2.1")] == [
        "192.0.2.1",
        "::1",
        None,
        None,
    ]


def test_a_node_of_a_peer() -> None:
    peers = ["192.0.2.1", "2001:db8::1", "fe80::1%eth0", "unix:"]
    assert [str(Node.of(text)) for text in peers] == ["192.0.2.1", "[2001:db8::1]", "[fe80::1]", "unknown"]
    assert str(Node.of("::1", "80")) == "[::1]:80"


@pytest.mark.parametrize(
    ("value", "elements"),
    [
        # RFC 7239 section 4
        (b'for="_gazonk"', [Element(Node("_gazonk"))]),
        (b'For="[2001:db8:cafe::17]:4711"', [Element(Node("2001:db8:cafe::17", "4711"))]),
        (
            b"for=192.0.2.60;proto=http;by=203.0.113.43",
            [Element(Node("192.0.2.60"), Node("203.0.113.43"), b"", b"http")],
        ),
        (b"for=192.0.2.43, for=198.51.100.17", [Element(Node("192.0.2.43")), Element(Node("198.51.100.17"))]),
        # RFC 7239 section 7.1
        (
            b'for=192.0.2.43,for="[2001:db8:cafe::17]",for=unknown',
            [Element(Node("192.0.2.43")), Element(Node("2001:db8:cafe::17")), Element(Node("unknown"))],
        ),
        (b"", []),
        (b" , ,, ", []),
        (b",for=192.0.2.1,", [Element(Node("192.0.2.1"))]),
        (b";", [Element()]),
        (b";;for=_a;", [Element(Node("_a"))]),
        (b'host="a.example:80";PROTO=HTTPS', [Element(host=b"a.example:80", proto=b"https")]),
        (b'host="a, for=192.0.2.1"', [Element(host=b"a, for=192.0.2.1")]),
        (b'host="a, k=";z="b"', [Element(host=b"a, k=", more=((b"z", b"b"),))]),
        (b'host=",";proto=http', [Element(host=b",", proto=b"http")]),
        (b'host="a\\"b\\\\c"', [Element(host=b'a"b\\c')]),
        (b'host="";secret=_s', [Element(more=((b"secret", b"_s"),))]),
        (b'a="x,y" \t,\tb="z"', [Element(more=((b"a", b"x,y"),)), Element(more=((b"b", b"z"),))]),
    ],
)
def test_values(value: bytes, elements: list[Element]) -> None:
    assert parse(value) == elements


@pytest.mark.parametrize(
    "value",
    [
        *[
            b"for",
            b"for=",
            b"=a",
            b"for =_a",
            b"for= _a",
            b"for=_a; proto=http",
            b"for=_a ;proto=http",
            b"for=_a proto",
        ],
        *[b"for=192.0.2.1:80", b"for=[::1]", b'for="::1"', b"for=192.0.2.999", b"for=a.example", b'for=""'],
        *[b'for="_a', b'for=_a"', b'for="_a"x', b'for="_a\\"', b'host="a"b"', b'host="\x01"', b'host="\x7f"', b"h=a/b"],
        *[b"for=_a;for=_a", b"for=_a;FOR=_b", b"x=1;X=2", b"proto=1http", b'proto="ht tp"', b'proto=""', b"by=a"],
        *[b"for=_a,for", b"for,for=_a", b'for="_a, for=_b', b"\xe9=a"],
    ],
)
def test_what_is_malformed(value: bytes) -> None:
    with pytest.raises(ValueError):
        parse(value)


def test_what_the_nearest_proxy_says_can_be_told_whatever_it_has_appended_to() -> None:
    for junk in (b'for="', b'for="a', b"\x00", b"for=", b'"', b'\\"', b'for="a\\', b"for=192.0.2.1:80"):
        value = junk + b', for="[2001:db8::1]";host="a,b", for=192.0.2.1'
        elements = from_the_end(value)
        assert next(elements) == Element(Node("192.0.2.1"))
        assert next(elements) == Element(Node("2001:db8::1"), host=b"a,b")
        with pytest.raises(ValueError):
            next(elements)


def test_building() -> None:
    elements = [
        Element(Node("192.0.2.1", "80"), Node("_me"), b"a.example", b"https"),
        Element(Node("2001:db8::1"), host=b"[::1]:8080", more=((b"x", b'a"b'),)),
        Element(Node("unknown")),
    ]
    assert build(elements) == (
        b'for="192.0.2.1:80";by=_me;host=a.example;proto=https, '
        b'for="[2001:db8::1]";host="[::1]:8080";x="a\\"b", for=unknown'
    )
    with pytest.raises(ValueError):
        quoted(b"a\r\nb")


NODES = st.builds(
    Node,
    st.one_of(
        st.ip_addresses().map(str),
        st.just("unknown"),
        st.from_regex(r"_[A-Za-z0-9._\-]{1,8}", fullmatch=True),
    ),
    st.one_of(st.just(""), st.integers(0, 65535).map(str), st.from_regex(r"_[A-Za-z0-9._\-]{1,8}", fullmatch=True)),
)
TEXTS = of_bytes(bytes([0x09, *range(0x20, 0x7F), *range(0x80, 0x100)]))
ELEMENTS = st.builds(
    Element,
    st.none() | NODES,
    st.none() | NODES,
    TEXTS,
    st.sampled_from([b"", b"http", b"https", b"x+y"]),
    st.lists(
        st.tuples(tokens().map(bytes.lower).filter(lambda name: name not in (b"for", b"by", b"host", b"proto")), TEXTS),
        max_size=3,
        unique_by=lambda pair: pair[0],
    ).map(tuple),
).filter(bool)


@given(st.lists(ELEMENTS.filter(lambda element: bytes(element) != b""), max_size=4))
def test_what_is_built_is_parsed(elements: list[Element]) -> None:
    assert parse(build(elements)) == elements


def split_from_the_beginning(value: bytes) -> list[bytes]:
    """The elements of a list, found by another way: quotes opened and closed from the left."""
    found, begin, inside, skip = [], 0, False, False
    for index, byte in enumerate(value):
        if skip:
            skip = False
        elif byte == 0x5C and inside:
            skip = True
        elif byte == 0x22:
            inside = not inside
        elif byte == 0x2C and not inside:
            found.append(value[begin:index])
            begin = index + 1
    found.append(value[begin:])
    return [stripped for item in found if (stripped := item.strip(b" \t"))]


PIECES = [b'"', b",", b";", b"=", b"\\", b" ", b"a", b"for", b'a="', b'";b="', b",a=", b'a="x,y"', b"for=_a", b"\x00"]


@given(st.lists(st.sampled_from(PIECES), max_size=14).map(b"".join))
def test_from_the_end_and_from_the_beginning_are_one(value: bytes) -> None:
    items = split_from_the_beginning(value)
    try:
        elements = parse(value)
    except ValueError:
        with pytest.raises(ValueError):
            for item in items:
                parse(item)
    else:
        assert elements == [parse(item)[0] for item in items]


@given(st.binary(max_size=60) | st.lists(st.sampled_from(PIECES), max_size=20).map(b"".join))
def test_no_bytes_raise_anything_else(value: bytes) -> None:
    try:
        elements = parse(value)
    except ValueError:
        return
    for element in elements:
        if element.client is not None and element.client.address is not None:
            ipaddress.ip_address(element.client.address)
        assert parse(bytes(element)) == ([element] if bytes(element) else [])


def test_hostile_values_take_no_long_time() -> None:
    # each would take minutes if reading it were quadratic in its length, and none of the test's time if it is not
    for unit in (b',a=";b="', b",", b'a="', b',a="x,', b';a="",', b'"\\",', b",for=192.0.2.1", b'",a=";b='):
        value = unit * (60000 // len(unit)) + b'"'
        with pytest.raises(ValueError):
            parse(value)
