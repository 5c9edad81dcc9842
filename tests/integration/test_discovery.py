"""Upstreams by name, with a name server on a real socket."""

import pytest
from twisted.internet.defer import succeed
from twisted.names import dns, server
from twisted.names.common import ResolverBase
from twisted.names.error import AuthoritativeDomainError

from txproxy.net.dns.resolver import Places, Resolver
from txproxy.upstreams.discovery.lookups import Discovery, HostName, ServiceName

HOST = "api.example"
SERVICE = "_http._tcp.api.example"


class Zone(ResolverBase):
    """What the name server knows: payloads by name and type."""

    def __init__(self):
        super().__init__()
        self.records = {}

    def _lookup(self, name, cls, type, timeout):
        name = name.lower().decode("ascii")
        if not any(known == name for known, _ in self.records):
            raise AuthoritativeDomainError(name)
        found = self.records.get((name, type), [])
        return succeed(([dns.RRHeader(name, type, cls, each.ttl, each, auth=True) for each in found], [], []))


@pytest.fixture
def zone():
    return Zone()


@pytest.fixture
def name_server(reactor, zone):
    """The UDP port of a name server of ``zone``, which can be closed and opened again."""
    factory = server.DNSServerFactory(authorities=[zone])
    factory.noisy = False
    port = reactor.listenUDP(0, dns.DNSDatagramProtocol(factory, reactor=reactor), interface="127.0.0.1")
    yield port
    port.stopListening()


@pytest.fixture
def discover(reactor, name_server, tmp_path):
    """Starts a discovery by the system's resolver, as it would be with this name server; gives what it applies."""
    (tmp_path / "resolv.conf").write_text("nameserver 127.0.0.1\n")
    (tmp_path / "hosts").write_text("127.0.0.1 localhost\n")
    started = []

    def start(wanted):
        number = name_server.getHost().port
        resolver = Resolver(reactor, Places(str(tmp_path / "resolv.conf"), str(tmp_path / "hosts"), number))
        applied = []
        started.append(Discovery(reactor, resolver, applied.append, wanted))
        started[-1].start()
        return started[-1], applied

    yield start
    for discovery in started:
        discovery.stop()


def hosts(applied):
    return [[found.host for found in members] for members in applied]


def test_a_record_that_changes_changes_the_members_when_its_ttl_is_over(turn, zone, discover):
    zone.records[HOST, dns.A] = [dns.Record_A("192.0.2.1", 1), dns.Record_A("192.0.2.2", 1)]
    zone.records[HOST, dns.AAAA] = [dns.Record_AAAA("2001:db8::1", 1)]
    discovery, applied = discover(HostName(HOST, 8080))
    turn(lambda: applied, "the first addresses")
    zone.records[HOST, dns.A] = [dns.Record_A("192.0.2.3", 300)]
    turn(lambda: len(applied) > 1, "the change")
    assert hosts(applied) == [["192.0.2.1", "192.0.2.2", "2001:db8::1"], ["192.0.2.3", "2001:db8::1"]]
    zone.records.clear()
    turn(lambda: discovery.cause, "the failure")
    assert discovery.cause == f"{HOST} has no address"
    assert len(applied) == 2
    assert len(discovery.members) == 2


def test_a_service_is_found_with_its_targets(turn, zone, discover):
    zone.records[SERVICE, dns.SRV] = [
        dns.Record_SRV(10, 60, 8001, "a.api.example", 60),
        dns.Record_SRV(20, 0, 8002, "b.api.example", 60),
    ]
    zone.records["a.api.example", dns.A] = [dns.Record_A("192.0.2.1", 60)]
    zone.records["b.api.example", dns.AAAA] = [dns.Record_AAAA("2001:db8::2", 60)]
    _, applied = discover(ServiceName(SERVICE))
    turn(lambda: applied, "the members")
    (members,) = applied
    assert [(each.host, each.port, each.weight, each.backup, each.name) for each in members] == [
        ("192.0.2.1", 8001, 60, False, "a.api.example"),
        ("2001:db8::2", 8002, 1, True, "b.api.example"),
    ]
