"""Asking name servers: which answers count, and how the system's own are found."""

import pytest
from twisted.internet.defer import TimeoutError as LookupTimeout
from twisted.internet.defer import fail, succeed
from twisted.internet.error import CannotListenError, ConnectionRefusedError
from twisted.internet.testing import MemoryReactorClock
from twisted.names import dns
from twisted.names.error import (
    AuthoritativeDomainError,
    DNSFormatError,
    DNSNameError,
    DNSQueryRefusedError,
    DNSQueryTimeoutError,
    DNSServerError,
    DomainError,
)

from txproxy.reverse.lookups import LONGEST, LookUpFailed, look_up, system_resolver

A = dns.Record_A("10.0.0.1", 60)


def asked(answer):
    """What comes of a look-up that is answered so."""
    clock = MemoryReactorClock()
    seen = []

    def ask(name, timeout):
        seen.append((name, tuple(timeout)))
        return fail(answer) if isinstance(answer, Exception) else succeed((answer, [], []))

    result = run(look_up(clock, ask, "a.example", "addresses"))
    assert seen == [(b"a.example", (1, 2, 4))]
    assert not clock.getDelayedCalls()
    return result


def run(coroutine):
    """The value of a coroutine that waits for nothing, or the error that it raises."""
    with pytest.raises(StopIteration) as stopped:
        coroutine.send(None)
    return stopped.value.value


def test_records_are_good_as_long_as_the_shortest_of_them():
    records = [dns.RRHeader("a.example", dns.A, dns.IN, ttl, A) for ttl in (30, 20, 40)]
    assert asked(records) == (records, 20)


@pytest.mark.parametrize("answer", [[], (), DNSNameError(), AuthoritativeDomainError(), DomainError()])
def test_nothing_is_an_answer(answer):
    assert asked(answer) == ([], LONGEST)


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (LookupTimeout(), "no answer"),
        (DNSQueryTimeoutError(1), "no answer"),
        (DNSServerError(), "the name server failed"),
        (DNSQueryRefusedError(), "the name server refused to answer"),
        (DNSFormatError(), "the name server did not understand"),
        (OSError("No domain name servers available"), "No domain name servers available"),
        (NotImplementedError(), "NotImplementedError"),
        (CannotListenError("", 53, OSError(24, "Too many open files")), "Couldn't listen"),
        (ConnectionRefusedError(), "Connection was refused"),
    ],
)
def test_a_failure_has_a_reason(fault, reason):
    with pytest.raises(LookUpFailed) as failed:
        asked(fault)
    assert str(failed.value).startswith(f"addresses of a.example: {reason}")


def test_a_bug_is_none_of_them():
    with pytest.raises(ZeroDivisionError):
        asked(ZeroDivisionError())


# -- the system's resolver


@pytest.fixture
def files(tmp_path):
    (tmp_path / "hosts").write_text("127.0.0.1 localhost\n10.0.0.1 both.example short\n::1 both.example # six\n")
    (tmp_path / "resolv.conf").write_text(
        "# made by hand\nsearch example\nnameserver 192.0.2.1\nnameserver\noptions ndots:1\nnameserver 192.0.2.2\n"
    )
    return tmp_path


def resolver(files, reactor):
    return system_resolver(reactor, str(files / "resolv.conf"), str(files / "hosts"))


def addresses(looking):
    found = []
    looking.addCallback(lambda answer: found.extend(answer[0]))
    return [(record.payload.dottedQuad() if record.type == dns.A else record.payload._address) for record in found]


def test_names_in_the_hosts_file_are_asked_of_no_server(files):
    reactor = UdpReactor()
    names = resolver(files, reactor)
    assert addresses(names.lookupAddress(b"Both.Example")) == ["10.0.0.1"]
    assert addresses(names.lookupIPV6Address(b"both.example")) == ["::1"]
    # As for the C library: it has an address, hence no others elsewhere.
    assert addresses(names.lookupIPV6Address(b"short")) == []
    assert addresses(names.lookupAddress("localhost")) == ["127.0.0.1"]
    assert reactor.sent_to == []
    assert not reactor.getDelayedCalls()


@pytest.mark.parametrize(
    ("content", "servers"), [(None, ["192.0.2.1", "192.0.2.2"]), ("", ["127.0.0.1"]), ("gone", ["127.0.0.1"])]
)
def test_other_names_are_asked_of_the_systems_servers_in_turn(files, content, servers):
    if content == "gone":
        (files / "resolv.conf").unlink()
    elif content is not None:
        (files / "resolv.conf").write_text(content)
    reactor = UdpReactor()
    looking = resolver(files, reactor).lookupAddress(b"api.example", (1, 2))
    looking.addErrback(lambda failure: failure.trap(LookupTimeout))
    reactor.advance(1)
    reactor.pump([1, 2, 2, 2])
    assert reactor.sent_to == [(server, dns.PORT) for server in servers * 2]
    assert not reactor.getDelayedCalls()


def test_services_are_no_business_of_the_hosts_file(files):
    reactor = UdpReactor()
    resolver(files, reactor).lookupService(b"both.example", (1,)).addErrback(lambda failure: None)
    reactor.pump([1, 1])
    assert reactor.sent_to


class UdpReactor(MemoryReactorClock):
    """Remembers to whom datagrams are sent."""

    def __init__(self):
        super().__init__()
        self.sent_to = []

    def listenUDP(self, port, protocol, interface="", maxPacketSize=8192):
        protocol.makeConnection(self)
        return self

    def write(self, data, address):
        self.sent_to.append(address)

    def stopListening(self):
        return None
