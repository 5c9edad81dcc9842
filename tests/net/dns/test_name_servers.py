"""Asking name servers: in which order, what of their answers counts, and that nothing is left when it is over."""

import errno
from random import Random

import pytest
from twisted.internet.defer import CancelledError
from twisted.internet.error import ConnectionDone
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.names import dns as twisted_dns
from twisted.python.failure import Failure

from txproxy.errors import ConnectTimeout, DnsError, OutOfSockets
from txproxy.net.dns.name_servers import NameServers
from txproxy.net.dns.resolv_conf import ResolvConf
from txproxy.wire.dns import AAAA, A, Record

NAME = "a.example"
ONE, TWO = "192.0.2.53", "2001:db8::53"


def answer(data, *texts, ident=None, name=None, asked=None, rcode=0, truncated=False, ttl=60):
    """The answer to the question in ``data``."""
    question = twisted_dns.Message()
    question.fromStr(data)
    query = question.queries[0]
    message = twisted_dns.Message(
        id=question.id if ident is None else ident, answer=1, rCode=rcode, trunc=truncated, maxSize=0
    )
    owner = name.encode() if name is not None else query.name.name
    message.queries = [twisted_dns.Query(owner, asked or query.type)]
    message.answers = [
        twisted_dns.RRHeader(
            owner,
            asked or query.type,
            ttl=ttl,
            payload=(twisted_dns.Record_AAAA if ":" in text else twisted_dns.Record_A)(text),
        )
        for text in texts
    ]
    return message.toStr()


class Wires:
    """Sockets in memory. ``wrong`` are servers that cannot be asked, with what comes of it."""

    def __init__(self):
        self.reactor = MemoryReactorClock()
        self.sockets = []
        self.wrong = {}
        self.results = []
        self.servers = NameServers(self.reactor, 53, self.open)

    def open(self, reactor, server, port, heard, refused):
        if isinstance(self.wrong.get(server), OSError):
            raise self.wrong[server]
        self.sockets.append(Socket(server, heard, refused, self.wrong.get(server)))
        return self.sockets[-1]

    def ask(self, *kinds, name=NAME, **conf):
        conf.setdefault("servers", (ONE,))
        asking = self.servers.ask(ResolvConf(**conf), name, kinds or (A, AAAA))
        asking.addBoth(self.results.append)
        return asking

    @property
    def asked(self):
        """Which servers were asked for what, in this order."""
        return [(socket.server, kind) for socket in self.sockets for kind in socket.kinds]

    def found(self):
        (answers,) = self.results
        return {kind: [str(record.data) for record in records] for kind, records in answers.items()}

    def failure(self):
        (failure,) = self.results
        return failure.value


class Socket:
    def __init__(self, server, heard, refused, refuses):
        self.server, self.heard, self.refused = server, heard, refused
        self._refuses = refuses
        self.sent = []
        self.closed = False

    def send(self, data):
        assert not self.closed
        self.sent.append(data)
        if self._refuses:
            self.refused()

    def close(self):
        self.closed = True

    @property
    def kinds(self):
        messages = [twisted_dns.Message() for _ in self.sent]
        for message, data in zip(messages, self.sent, strict=True):
            message.fromStr(data)
        return [message.queries[0].type for message in messages]

    def say(self, kind, *texts, **words):
        """Answer the latest question for ``kind``."""
        data = [data for data, asked in zip(self.sent, self.kinds, strict=True) if asked == kind][-1]
        self.heard(answer(data, *texts, **words))


@pytest.fixture
def wires():
    wires = Wires()
    yield wires
    assert wires.results, "it is not over"
    assert all(socket.closed for socket in wires.sockets)
    assert not wires.reactor.getDelayedCalls()


def test_both_kinds_of_addresses_are_asked_for_at_once(wires):
    wires.ask()
    assert wires.asked == [(ONE, A), (ONE, AAAA)]
    (socket,) = wires.sockets
    socket.say(AAAA, "2001:db8::1")
    socket.say(A, "10.0.0.1", "10.0.0.2")
    assert wires.found() == {AAAA: ["2001:db8::1"], A: ["10.0.0.1", "10.0.0.2"]}


def test_who_does_not_answer_for_ipv6_holds_up_nobody(wires):
    wires.ask()
    wires.sockets[0].say(A, "10.0.0.1")
    wires.reactor.advance(0.4)
    assert not wires.results
    wires.reactor.advance(0.2)
    assert wires.found() == {A: ["10.0.0.1"]}


def test_that_there_are_none_of_one_kind_ends_nothing(wires):
    wires.ask()
    wires.sockets[0].say(A)
    wires.reactor.advance(0.6)
    assert not wires.results
    wires.sockets[0].say(AAAA, "2001:db8::1")
    assert wires.found() == {A: [], AAAA: ["2001:db8::1"]}


@pytest.mark.parametrize("both", [True, False])
def test_that_there_is_no_such_name_is_an_answer(wires, both):
    wires.ask(servers=(ONE, TWO))
    wires.sockets[0].say(A, rcode=3)
    if both:
        wires.sockets[0].say(AAAA, rcode=3)
    else:
        wires.reactor.advance(0.6)
    assert wires.found() == {A: [], AAAA: []} if both else {A: []}
    assert len(wires.asked) == 2


def test_a_server_that_knows_no_name_without_ipv6_addresses_hides_no_other(wires):
    # RFC 4074 4.2
    wires.ask()
    wires.sockets[0].say(AAAA, rcode=3)
    wires.sockets[0].say(A, "10.0.0.1")
    assert wires.found() == {A: ["10.0.0.1"], AAAA: []}


def test_servers_are_asked_in_turn_and_late_answers_count(wires):
    wires.ask(A, servers=(ONE, TWO), timeout=2, attempts=2)
    wires.reactor.pump([1.9, 0.1, 1.9])
    assert wires.asked == [(ONE, A), (TWO, A)]
    wires.reactor.pump([0.1])
    # the second round takes twice as long, by the sockets of the first
    assert [len(socket.sent) for socket in wires.sockets] == [2, 1]
    wires.reactor.pump([3.9, 0.1])
    assert [len(socket.sent) for socket in wires.sockets] == [2, 2]
    wires.sockets[0].say(A, "10.0.0.1")
    assert wires.found() == {A: ["10.0.0.1"]}


def test_servers_that_are_silent_are_a_timeout(wires):
    wires.ask(servers=(ONE, TWO), timeout=1, attempts=2)
    wires.reactor.pump([1] * 5)
    assert not wires.results
    wires.reactor.advance(1)
    assert isinstance(wires.failure(), ConnectTimeout)
    assert (wires.failure().error, wires.failure().status) == ("dns_timeout", 504)


def test_only_what_is_still_open_is_asked_of_the_next(wires):
    wires.ask(servers=(ONE, TWO))
    wires.sockets[0].say(A)
    wires.reactor.advance(1)
    assert wires.asked[2:] == [(TWO, AAAA)]
    wires.sockets[1].say(AAAA, "2001:db8::1")
    assert wires.found() == {A: [], AAAA: ["2001:db8::1"]}


@pytest.mark.parametrize(("rcode", "reason"), [(2, "failed"), (5, "refused"), (1, "understand"), (9, "answered 9")])
def test_a_server_that_fails_is_left_at_once_and_not_asked_again(wires, rcode, reason):
    wires.ask(A, servers=(ONE, TWO))
    wires.sockets[0].say(A, rcode=rcode)
    assert wires.asked == [(ONE, A), (TWO, A)]
    wires.sockets[1].say(A, rcode=rcode)
    assert isinstance(wires.failure(), DnsError) and reason in wires.failure().detail
    assert len(wires.asked) == 2


def test_a_failure_without_the_question_counts(wires):
    wires.ask(A)
    wires.sockets[0].heard(wires.sockets[0].sent[0][:2] + b"\x81\x82" + b"\0" * 8)
    assert "failed" in wires.failure().detail


@pytest.mark.parametrize("wrong", [OSError(24, "Too many open files"), True])
def test_a_server_that_cannot_be_asked_is_passed_over(wires, wrong):
    wires.wrong[ONE] = wrong
    wires.ask(A, servers=(ONE, TWO))
    assert wires.asked[-1] == (TWO, A)
    wires.sockets[-1].say(A, "10.0.0.1")
    assert wires.found() == {A: ["10.0.0.1"]}


@pytest.mark.parametrize(
    ("wrong", "kind"),
    [
        (OSError(errno.EMFILE, "Too many open files"), OutOfSockets),
        (OSError(errno.ENETUNREACH, "Network is unreachable"), DnsError),
        (ConnectionRefusedError(), DnsError),
        (True, DnsError),
    ],
)
def test_if_nobody_can_be_asked_that_is_a_failure_at_once(wires, wrong, kind):
    wires.wrong[ONE] = wrong
    wires.ask()
    assert type(wires.failure()) is kind


def test_servers_take_turns_if_the_file_says_so(wires):
    for _ in range(2):
        wires.ask(A, servers=(ONE, TWO), rotate=True).cancel()
    assert {server for server, _ in wires.asked} == {ONE, TWO}


# -- forgeries


@pytest.mark.parametrize("forged", [{"ident": -1}, {"name": "b.example"}, {"asked": AAAA}])
def test_an_answer_to_another_question_is_none(wires, forged):
    wires.ask(A)
    (socket,) = wires.sockets
    if "ident" in forged:
        forged = {"ident": int.from_bytes(socket.sent[0][:2], "big") ^ 1}
    for _ in range(1000):
        socket.say(A, "2001:db8::6" if forged.get("asked") == AAAA else "10.6.6.6", **forged)
    socket.heard(b"nonsense")
    socket.heard(socket.sent[0])
    assert not wires.results
    socket.say(A, "10.0.0.1")
    assert wires.found() == {A: ["10.0.0.1"]}


def test_numbers_of_questions_cannot_be_foretold(wires):
    idents = set()
    for _ in range(100):
        wires.ask(A).cancel()
        idents.add(wires.sockets[-1].sent[0][:2])
    assert len(idents) > 90


# -- by TCP


class ByTcp:
    """The connection that is made, or not, for a long answer."""

    def __init__(self, wires, number=0):
        self.host, self.port, self.factory, self.timeout, _ = wires.reactor.tcpClients[number]
        self.transport = StringTransport()
        self.aborted = []
        self.transport.abortConnection = lambda: self.aborted.append(1)

    def connect(self):
        self.protocol = self.factory.buildProtocol(None)
        self.protocol.makeConnection(self.transport)
        return self

    def question(self):
        data = self.transport.value()
        assert int.from_bytes(data[:2], "big") == len(data) - 2
        return data[2:]

    def say(self, data, step=None):
        data = len(data).to_bytes(2, "big") + data
        for at in range(0, len(data), step or len(data)):
            self.protocol.dataReceived(data[at : at + (step or len(data))])


@pytest.mark.parametrize("step", [None, 1])
def test_a_truncated_answer_is_asked_for_by_tcp(wires, step):
    wires.ask(A)
    (socket,) = wires.sockets
    socket.say(A, truncated=True)
    socket.say(A, truncated=True)
    (client,) = wires.reactor.tcpClients
    assert client[:2] == (ONE, 53)
    tcp = ByTcp(wires).connect()
    tcp.say(answer(tcp.question(), *(f"10.0.0.{number}" for number in range(100))), step)
    assert len(wires.found()[A]) == 100
    assert tcp.aborted


def test_a_server_that_drips_is_as_good_as_silent(wires):
    wires.ask(A, attempts=1)
    wires.sockets[0].say(A, truncated=True)
    tcp = ByTcp(wires).connect()
    wires.reactor.advance(1)
    assert not wires.results
    for _ in range(5):
        tcp.protocol.dataReceived(b"\1")
        wires.reactor.advance(1)
    assert tcp.aborted
    assert isinstance(wires.failure(), DnsError) and "by TCP" in wires.failure().detail


@pytest.mark.parametrize("reply", ["closed", "nonsense", "truncated", "failed", "other question"])
def test_what_is_no_answer_by_tcp_sends_to_the_next_server(wires, reply):
    wires.ask(A, servers=(ONE, TWO))
    wires.sockets[0].say(A, truncated=True)
    tcp = ByTcp(wires).connect()
    if reply == "closed":
        tcp.protocol.connectionLost(Failure(ConnectionDone()))
    elif reply == "nonsense":
        tcp.say(b"nonsense")
    elif reply == "other question":
        tcp.say(answer(tcp.question(), "10.6.6.6", name="b.example"))
    else:
        tcp.say(answer(tcp.question(), **({"truncated": True} if reply == "truncated" else {"rcode": 2})))
    assert wires.asked == [(ONE, A), (TWO, A)]
    wires.sockets[1].say(A, "10.0.0.1")
    assert wires.found() == {A: ["10.0.0.1"]}


def test_the_next_server_is_asked_while_tcp_takes_its_time(wires):
    wires.ask(A, servers=(ONE, TWO))
    wires.sockets[0].say(A, truncated=True)
    wires.reactor.advance(1)
    wires.sockets[1].say(A, "10.0.0.1")
    assert wires.found() == {A: ["10.0.0.1"]}


# -- cancelled


@pytest.mark.parametrize("state", ["asked", "soon", "next", "connecting by TCP", "asked by TCP"])
def test_to_cancel_it_ends_it_in_every_state(wires, state):
    asking = wires.ask(servers=(ONE, TWO))
    tcp = None
    if state == "soon":
        wires.sockets[0].say(A, "10.0.0.1")
    elif state == "next":
        wires.reactor.advance(1)
    elif "TCP" in state:
        wires.sockets[0].say(A, truncated=True)
        tcp = ByTcp(wires)
        if state == "asked by TCP":
            tcp.connect()
    asking.cancel()
    assert wires.failure().__class__ is CancelledError
    if tcp is not None and state == "asked by TCP":
        assert tcp.aborted
    # Who answers in spite of it is not heard.
    wires.sockets[0].say(A, "10.0.0.1")
    wires.sockets[0].refused()


def test_records_are_as_they_were_said(wires):
    wires.ask(A)
    wires.sockets[0].say(A, "10.0.0.1", ttl=7)
    assert wires.results == [{A: (Record(NAME, A, 7, "10.0.0.1"),)}]


# -- whatever happens


def _something(wires, random):
    """One thing that may happen to a look-up."""
    sockets = [socket for socket in wires.sockets if not socket.closed]
    what = random.randrange(8)
    if what == 0 or not sockets:
        wires.reactor.advance(random.choice([0.1, 0.5, 1, 2]))
        return
    socket = random.choice(sockets)
    kind = random.choice(socket.kinds)
    if what == 1:
        socket.say(kind, *(["10.0.0.1"] if kind == A else ["2001:db8::1"] * random.randrange(2)))
    elif what == 2:
        socket.say(kind, rcode=random.choice([1, 2, 3, 5]))
    elif what == 3:
        socket.say(kind, truncated=True)
    elif what == 4:
        socket.refused()
    elif what == 5:
        socket.heard(random.randbytes(random.randrange(60)))
    elif wires.reactor.tcpClients:
        _something_by_tcp(wires, random)


def _something_by_tcp(wires, random):
    tcp = wires.tcp.setdefault(number := random.randrange(len(wires.reactor.tcpClients)), ByTcp(wires, number))
    if not hasattr(tcp, "protocol"):
        if tcp.aborted or wires.reactor.connectors[number].stoppedConnecting:
            return
        if random.random() < 0.5:
            tcp.factory.clientConnectionFailed(None, Failure(ConnectionDone()))
            tcp.aborted.append(1)
        else:
            tcp.connect()
    if hasattr(tcp, "protocol") and not tcp.aborted and not tcp.transport.disconnecting:
        what = random.randrange(4)
        if what == 0:
            tcp.protocol.dataReceived(random.randbytes(random.randrange(1, 5)))
        elif what == 1:
            tcp.aborted.append(1)
            tcp.protocol.connectionLost(Failure(ConnectionDone()))
        elif what == 2:
            tcp.say(answer(tcp.question()))
        else:
            tcp.say(answer(tcp.question(), rcode=2))


@pytest.mark.parametrize("seed", range(20))
def test_whatever_happens_there_is_one_end_and_nothing_is_left(seed):
    random = Random(seed)
    for _ in range(30):
        wires = Wires()
        wires.tcp = {}
        if random.random() < 0.2:
            wires.wrong[ONE] = random.choice([OSError(errno.EMFILE, "no"), True])
        asking = wires.ask(
            *random.choice([(A,), (A, AAAA)]),
            servers=random.choice([(ONE,), (ONE, TWO)]),
            attempts=random.randrange(1, 4),
        )
        for _ in range(random.randrange(60)):
            if wires.results:
                break
            _something(wires, random)
        if random.random() < 0.5:
            asking.cancel()
        for _ in range(40):
            wires.reactor.advance(1)
        assert len(wires.results) == 1
        assert all(socket.closed for socket in wires.sockets)
        for tcp in wires.tcp.values():
            if hasattr(tcp, "protocol") and not tcp.aborted:
                raise AssertionError("a connection is left")
        assert not wires.reactor.getDelayedCalls()
