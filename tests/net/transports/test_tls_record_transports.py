"""Where the records of TLS end, and what is read of them."""

import contextlib

import pytest
from OpenSSL import SSL
from twisted.internet.error import ConnectionDone
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.failure import Failure

from tests.tls.authority import new_ca
from txproxy.net.transports.tls_record_transports import after_handshake, read_records
from txproxy.tls.listener_contexts import server_context
from txproxy.tls.verification import client_connections


class Client(Protocol):
    def __init__(self):
        self.received, self.lost = b"", None

    def dataReceived(self, data):
        self.received += data

    def connectionLost(self, reason):
        self.lost = reason.type


class Pair:
    """A client in memory that has shaken hands, and the server's side of its TLS."""

    def __init__(self, context):
        self.tls = tls = SSL.Connection(context, None)
        tls.set_accept_state()
        factory = Factory.forProtocol(Client)
        wrapped = TLSMemoryBIOFactory(client_connections("a.test", insecure=True), True, factory, Clock())
        self.client = wrapped.buildProtocol(None)
        self.below = StringTransport()
        self.client.makeConnection(self.below)
        for _ in range(3):
            if self.below.value():
                tls.bio_write(self.below.value())
                self.below.clear()
            with contextlib.suppress(SSL.WantReadError):
                tls.do_handshake()
            with contextlib.suppress(SSL.WantReadError):
                self.client.dataReceived(tls.bio_read(65536))
        self.guest = self.client.wrappedProtocol
        self.reader = read_records(self.client)

    def says(self, *pieces):
        """Each of these as a record."""
        records = []
        for piece in pieces:
            self.tls.send(piece)
            records.append(self.tls.bio_read(65536))
        return records


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return new_ca().issue("a.test").write(tmp_path_factory.mktemp("tls"), "a")


@pytest.fixture
def pair(files):
    return Pair(server_context(*files))


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 6, 7, 50, 1000, 100_000])
def test_it_is_known_whether_a_record_is_complete(pair, size):
    records = pair.says(b"a", b"b" * 300, b"c" * 16384, b"d")
    ends, at = set(), 0
    for record in records:
        at += len(record)
        ends.add(at)
    sent = b"".join(records)
    for begin in range(0, len(sent), size):
        pair.client.dataReceived(sent[begin : begin + size])
        assert pair.reader.within_record is (min(begin + size, len(sent)) not in ends)
    assert pair.guest.received == b"a" + b"b" * 300 + b"c" * 16384 + b"d"


def test_who_waits_for_a_whole_record_is_called_behind_what_was_in_it_in_order(pair):
    (record,) = pair.says(b"hello")
    seen = []
    pair.client.dataReceived(record[:3])
    for number in range(2):
        pair.reader.when_whole(lambda number=number: seen.append((number, pair.guest.received)))
    pair.client.dataReceived(record[3:9])
    assert not seen
    pair.client.dataReceived(record[9:])
    assert seen == [(0, b"hello"), (1, b"hello")]
    pair.reader.when_whole(lambda: seen.append(2))
    assert seen[2:] == [2]


def test_the_ends_of_tls_and_of_the_connection_are_as_they_were(pair):
    pair.tls.shutdown()
    pair.client.dataReceived(pair.tls.bio_read(65536))
    assert pair.below.disconnecting
    # An alert, encrypted: the answer to the server's.
    assert pair.below.value()[:1] == b"\x17"


def test_a_record_that_nobody_can_read_ends_the_connection(pair):
    (record,) = pair.says(b"hello")
    pair.client.dataReceived(record[:-1] + bytes([record[-1] ^ 1]))
    assert pair.below.disconnecting and pair.guest.received == b""
    pair.client.connectionLost(Failure(ConnectionDone()))
    assert pair.guest.lost is SSL.Error


def test_nothing_is_said_behind_an_abort(pair):
    (record,) = pair.says(b"hello")
    pair.client.abortConnection()
    pair.client.dataReceived(record)
    assert pair.guest.received == b""


def test_what_speaks_no_tls_has_nothing_to_wait_for():
    seen = []
    assert read_records(StringTransport()) is None
    after_handshake(StringTransport(), lambda: seen.append(1))
    assert seen == [1]
