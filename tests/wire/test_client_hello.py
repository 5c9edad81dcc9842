"""The ClientHello is read from real clients and hostile ones, in any number of pieces."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from OpenSSL import SSL

from txproxy.wire.client_hello import MAX_HELLO, Hello, read_hello

TLS12, TLS13 = 0x0303, 0x0304


def said_by_openssl(name=None, alpn=None, version=None):
    """What OpenSSL's client says first."""
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    if alpn is not None:
        context.set_alpn_protos(alpn)
    if version is not None:
        context.set_max_proto_version(version)
    connection = SSL.Connection(context, None)
    connection.set_connect_state()
    if name is not None:
        connection.set_tlsext_host_name(name)
    with pytest.raises(SSL.WantReadError):
        connection.do_handshake()
    return connection.bio_read(65536)


def vector(size, data):
    return len(data).to_bytes(size, "big") + data


def extension(kind, data):
    return kind.to_bytes(2, "big") + vector(2, data)


def server_name(name, kind=0):
    return extension(0, vector(2, bytes([kind]) + vector(2, name)))


def alpn(*protocols):
    return extension(16, vector(2, b"".join(vector(1, protocol) for protocol in protocols)))


def versions(*numbers):
    return extension(43, vector(1, b"".join(number.to_bytes(2, "big") for number in numbers)))


def body(*extensions, after=b""):
    start = TLS12.to_bytes(2, "big") + bytes(32) + vector(1, b"session") + vector(2, b"\x13\x01") + vector(1, b"\0")
    return start + vector(2, b"".join(extensions)) + after


def message(data, kind=1):
    return bytes([kind]) + vector(3, data)


def records(data, *lengths):
    """In records of these lengths, and one of the rest."""
    out = b""
    for length in lengths:
        out += b"\x16\x03\x01" + vector(2, data[:length])
        data = data[length:]
    return out + (b"\x16\x03\x01" + vector(2, data) if data else b"")


def hello(*extensions, **more):
    return records(message(body(*extensions, **more)))


REAL = said_by_openssl(b"a.example", [b"h2", b"http/1.1"])


def test_a_real_client_of_tls_1_3():
    assert read_hello(REAL) == Hello("a.example", (b"h2", b"http/1.1"), (TLS13, TLS12))


def test_a_real_client_of_tls_1_2():
    assert read_hello(said_by_openssl(b"A.Example", version=SSL.TLS1_2_VERSION)) == Hello("a.example", (), (TLS12,))


def test_a_client_that_asks_for_no_name():
    assert read_hello(said_by_openssl()).server_name is None


def test_a_client_without_extensions():
    old = TLS12.to_bytes(2, "big") + bytes(32) + vector(1, b"") + vector(2, b"\0\x2f") + vector(1, b"\0")
    assert read_hello(records(message(old))) == Hello(None, (), (TLS12,))


def test_all_extensions_at_once():
    data = hello(
        extension(0x1A1A, b""),
        extension(0xFE0D, b"\0secret"),
        server_name(b"Outer_1.example"),
        alpn(b"\x6a\x6a", b"http/1.1"),
        versions(0x6A6A, TLS13, TLS12),
    )
    assert read_hello(data) == Hello("outer_1.example", (b"\x6a\x6a", b"http/1.1"), (TLS13, TLS12), has_ech=True)


def test_what_comes_after_is_not_looked_at():
    assert read_hello(REAL + b"GET / HTTP/1.1\r\n") == read_hello(REAL)


def test_each_beginning_wants_more():
    for length in range(len(REAL)):
        assert read_hello(REAL[:length]) is None


@given(st.lists(st.integers(1, 400), max_size=60))
def test_a_hello_in_any_number_of_records(lengths):
    payload = REAL[5:]
    while sum(lengths) >= len(payload):
        lengths = lengths[:-1]
    data = records(payload, *lengths)
    assert read_hello(data) == read_hello(REAL)
    assert read_hello(data[:-1]) is None


@pytest.mark.parametrize(
    "data",
    [
        b"G",
        b"GET / HTTP/1.1\r\n",
        b"\x80\x2e\x01\x00\x02",  # SSL 2
        b"\x15\x03\x01\x00\x02\x02\x28",  # an alert
        b"\x16\x02",
        b"\x16\xfe\xff",  # DTLS
        b"\x16\x03\x01\x00\x00",  # a record without content
        b"\x16\x03\x01\x40\x01",  # one that is too long
        records(message(b"", kind=2)),
        b"\x16\x03\x01\x00\x01\x02",
        records(message(body(), kind=1)[:20]) + b"\x17\x03\x03\x00\x01x",
    ],
)
def test_what_is_no_client_hello(data):
    with pytest.raises(ValueError):
        read_hello(data)


@pytest.mark.parametrize(
    "data",
    [
        hello(after=b"x"),
        hello(server_name(b"a.example"), server_name(b"b.example")),
        hello(server_name(b"")),
        hello(server_name(b"a b")),
        hello(server_name(b"a\0.example")),
        hello(server_name("ü.example".encode())),
        hello(server_name(b"a" * 256)),
        hello(server_name(b"a.example", kind=1)),
        hello(extension(0, b"")),
        hello(extension(0, vector(2, b""))),
        hello(extension(0, vector(2, b"\0" + vector(2, b"a") + b"\0" + vector(2, b"b")))),
        hello(extension(0, vector(2, b"\0" + vector(2, b"a")) + b"x")),
        hello(extension(16, vector(2, vector(1, b"")))),
        hello(extension(16, vector(2, b"\x05h2"))),
        hello(versions(TLS13)[:-1] + b"\x04\x03"),
        hello(extension(43, vector(1, b"\x03"))),
        hello(b"\0\0\0"),
        records(message(b"")),
        records(message(body()[:30])),
        records(message(body()[:45])),
    ],
)
def test_what_is_malformed(data):
    with pytest.raises(ValueError):
        read_hello(data)


def test_the_longest_hello():
    fill = MAX_HELLO - len(hello(extension(21, b"")))
    assert read_hello(hello(extension(21, bytes(fill)))) == Hello(None, (), (TLS12,))
    with pytest.raises(ValueError, match="too long"):
        read_hello(hello(extension(21, bytes(fill + 1))))


def test_a_hello_that_would_be_too_long_is_refused_at_its_beginning():
    with pytest.raises(ValueError, match="too long"):
        read_hello(b"\x16\x03\x01\x40\x00\x01\x00\x40\x00")


def test_a_hello_in_crumbs_is_refused():
    payload = message(body(extension(21, bytes(500))))
    with pytest.raises(ValueError, match="pieces"):
        read_hello(records(payload, *([1] * 300)))


def outcome(data):
    """What is said of these bytes; anything but a ValueError is a fault of ours."""
    try:
        return read_hello(data)
    except ValueError:
        return ValueError


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(data):
    assert outcome(data) is None or outcome(data) is ValueError


@given(st.binary(max_size=200))
def test_any_body_is_read_or_refused(data):
    assert outcome(records(message(data))) is not None


@given(st.lists(st.tuples(st.sampled_from([0, 16, 43, 0xFE0D, 21, 51]), st.binary(max_size=40)), max_size=6))
def test_any_extensions_are_read_or_refused(extensions):
    assert outcome(hello(*(extension(kind, data) for kind, data in extensions))) is not None


@given(st.data())
def test_a_real_hello_with_bytes_changed_is_read_or_refused(data):
    changed = bytearray(REAL)
    for _ in range(data.draw(st.integers(1, 4))):
        changed[data.draw(st.integers(0, len(REAL) - 1))] = data.draw(st.integers(0, 255))
    whole = outcome(bytes(changed))
    assert whole is None or whole is ValueError or isinstance(whole, Hello)
    # What was refused or read of a part is not taken back when more comes.
    part = outcome(bytes(changed[: data.draw(st.integers(0, len(REAL)))]))
    assert part is None or part == whole


@given(st.binary(min_size=1, max_size=64))
def test_no_stream_is_waited_for_without_end(seed):
    data = b"\x16\x03\x01\x3f\xff\x01\x00\x3f\xf0" + seed * (MAX_HELLO // len(seed) + 1)
    assert outcome(data) is not None
