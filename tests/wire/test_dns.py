"""Messages of DNS: what is asked, and what is taken of an answer."""

import random
import struct

import pytest
from twisted.names import dns as twisted_dns

from txproxy.wire.dns import (
    AAAA,
    NO_SUCH_NAME,
    SRV,
    A,
    Record,
    Service,
    encode_name,
    question,
    read_response,
)

NAME = "a.example"


def answer(*records, name=NAME, kind=A, ident=7, rcode=0, truncated=False):
    """As Twisted writes it: (name, payload, ttl) each."""
    message = twisted_dns.Message(id=ident, answer=1, rCode=rcode, trunc=truncated, maxSize=0)
    message.queries = [twisted_dns.Query(name.encode(), kind)]
    message.answers = [
        twisted_dns.RRHeader(owner.encode(), payload.TYPE, ttl=ttl, payload=payload) for owner, payload, ttl in records
    ]
    return message.toStr()


def alias(target):
    return twisted_dns.Record_CNAME(target.encode())


FOUR = twisted_dns.Record_A("192.0.2.1")


# -- questions


def test_a_question_is_what_twisted_reads():
    message = twisted_dns.Message()
    message.fromStr(question(513, "My_host.example", AAAA))
    assert (message.id, message.recDes, message.answer, message.queries) == (
        513, 1, 0, [twisted_dns.Query(b"My_host.example", AAAA)],
    )  # fmt: skip


@pytest.mark.parametrize("name", ["", ".", "a..b", ".a", "a.", "x" * 64, ".".join(["x" * 63] * 4), "ä..b"])
def test_what_dns_cannot_have_is_no_name(name):
    with pytest.raises(ValueError):
        encode_name(name)


def test_names_beyond_ascii_are_as_in_idna():
    assert encode_name("bücher.example") == b"\x0dxn--bcher-kva\x07example\0"
    assert encode_name(".".join(["x" * 63] * 3 + ["y" * 61]))[-1:] == b"\0"


# -- answers


def test_addresses_are_read():
    data = answer((NAME, FOUR, 60), (NAME, twisted_dns.Record_A("192.0.2.2"), 50))
    response = read_response(data)
    assert (response.ident, response.name, response.kind, response.rcode) == (7, NAME, A, 0)
    assert response.records == (Record(NAME, A, 60, "192.0.2.1"), Record(NAME, A, 50, "192.0.2.2"))
    six = read_response(answer((NAME, twisted_dns.Record_AAAA("2001:db8::1"), 60), kind=AAAA))
    assert six.records == (Record(NAME, AAAA, 60, "2001:db8::1"),)


def test_services_are_read():
    payload = twisted_dns.Record_SRV(10, 20, 8080, b"Web.Example")
    records = read_response(answer((NAME, payload, 60), kind=SRV)).records
    assert records == (Record(NAME, SRV, 60, Service(10, 20, 8080, "web.example")),)


def test_names_are_compared_in_lower_case():
    response = read_response(answer(("A.exAmple", FOUR, 60), name="A.Example"))
    assert response.name == NAME and len(response.records) == 1


def test_aliases_are_followed():
    records = read_response(
        answer((NAME, alias("b.example"), 9), ("c.example", FOUR, 60), ("b.example", alias("c.example"), 8))
    ).records
    assert [(record.name, record.ttl) for record in records] == [(NAME, 9), ("b.example", 8), ("c.example", 60)]


@pytest.mark.parametrize(
    "records",
    [
        [(NAME, alias(NAME), 60), (NAME, FOUR, 60)],
        [(NAME, alias("b.example"), 60), ("b.example", alias(NAME), 60), ("b.example", FOUR, 60)],
        [(f"{number}.example", alias(f"{number + 1}.example"), 60) for number in range(40)] + [("40.example", FOUR, 1)],
        [(NAME, alias("b.example"), 60)],
        [("other.example", FOUR, 60)],
        [(NAME, twisted_dns.Record_AAAA("2001:db8::1"), 60)],
        [(NAME, twisted_dns.Record_TXT(b"hello"), 60)],
        [],
    ],
)
def test_what_does_not_lead_from_the_name_to_an_address_is_left_out(records):
    name = NAME if not records or records[0][0] != "0.example" else "0.example"
    assert read_response(answer(*records, name=name)).records == ()


def test_of_very_many_records_some_are_read():
    data = answer(*[(NAME, twisted_dns.Record_A(f"10.0.{number >> 8}.{number & 255}"), 60) for number in range(4000)])
    assert len(read_response(data).records) == 512


def test_a_ttl_that_seems_negative_is_zero():
    data = bytearray(answer((NAME, FOUR, 60)))
    data[-10:-6] = struct.pack(">I", 0xFFFFFFFF)
    assert read_response(bytes(data)).records[0].ttl == 0


def test_failures_are_told():
    assert read_response(answer(rcode=NO_SUCH_NAME)).rcode == NO_SUCH_NAME
    bare = read_response(struct.pack(">HHHHHH", 7, 0x8182, 0, 0, 0, 0))
    assert (bare.rcode, bare.name, bare.kind) == (2, None, None)


def test_a_truncated_answer_has_nothing_to_be_believed():
    response = read_response(answer((NAME, FOUR, 60), truncated=True))
    assert response.truncated and response.records == ()


HEADER = struct.pack(">HHHHHH", 7, 0x8180, 1, 1, 0, 0)
ASKED = b"\x01a\0" + struct.pack(">HH", A, 1)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0" * 11,
        question(7, NAME, A),
        struct.pack(">HHHHHH", 7, 0x8180, 2, 0, 0, 0) + ASKED * 2,
        struct.pack(">HHHHHH", 7, 0x9180, 1, 0, 0, 0) + ASKED,
        struct.pack(">HHHHHH", 7, 0x8180, 1, 0, 0, 0) + b"\x01a\0" + struct.pack(">HH", A, 3),
        HEADER + b"\xc0\x0c" + struct.pack(">HH", A, 1),
        HEADER + b"\x01a\xc0\x0c" + struct.pack(">HH", A, 1),
        HEADER + b"\xc0\x20" + struct.pack(">HH", A, 1),
        HEADER + b"\x80a\0" + struct.pack(">HH", A, 1),
        HEADER + b"\x3fa",
        HEADER + (b"\x3f" + b"x" * 63) * 4 + b"\0" + struct.pack(">HH", A, 1),
        HEADER + ASKED + b"\xc0\x0c" + struct.pack(">HHIH", A, 1, 60, 5) + b"12345",
        HEADER + ASKED + b"\xc0\x0c" + struct.pack(">HHIH", AAAA, 1, 60, 4) + b"1234",
        HEADER + ASKED + b"\xc0\x0c" + struct.pack(">HHIH", A, 1, 60, 4) + b"123",
        HEADER + ASKED + b"\xc0\x0c" + struct.pack(">HHIH", SRV, 1, 60, 2) + b"12",
    ],
)
def test_what_cannot_be_read_is_an_error(data):
    with pytest.raises(ValueError):
        read_response(data)


def test_any_bytes_are_read_or_refused():
    random_bytes = random.Random(8)
    whole = answer((NAME, alias("b.example"), 9), ("b.example", FOUR, 60))
    for _ in range(3000):
        data = bytearray(whole)
        for _ in range(random_bytes.randrange(1, 6)):
            data[random_bytes.randrange(len(data))] = random_bytes.randrange(256)
        try:
            read_response(bytes(data[: random_bytes.randrange(len(data) + 1)]))
        except ValueError:
            pass
    for end in range(len(whole)):
        with pytest.raises(ValueError):
            read_response(whole[:end])
