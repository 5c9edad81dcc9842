"""Upstreams by name: which members a name gives, and when it is looked up again."""

import pytest
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.logger import globalLogPublisher

from txproxy.errors import ConfigError, DnsError
from txproxy.upstreams.discovery.lookups import Discovery, Found, HostName, ServiceName
from txproxy.wire import dns
from txproxy.wire.dns import Record, Service

HOST = "api.example"
SERVICE = "_http._tcp.api.example"
HANG = "hang"
FAILED = DnsError("the name server failed")


def four(text, ttl):
    return Record(HOST, dns.A, ttl, text)


def six(text, ttl):
    return Record(HOST, dns.AAAA, ttl, text)


def srv(*target, ttl=60):
    return Record(SERVICE, dns.SRV, ttl, Service(*target))


class Names:
    """A resolver in memory. ``known`` are the records under (name, type): none of them is the answer that there is
    nothing; an error is failed with, and HANG hangs.
    """

    def __init__(self, clock):
        self.known = {}
        self.asked = []
        self.hanging = []
        self._clock = clock

    def records(self, name, kind):
        self.asked.append((self._clock.seconds(), name, kind))
        found = self.known.get((name, kind), ())
        if found is HANG:
            self.hanging.append((Deferred(), name, kind))
            return self.hanging[-1][0]
        return fail(found) if isinstance(found, Exception) else succeed(tuple(found))

    def answer(self, *records):
        """Answer the look-up that hangs longest."""
        self.hanging.pop(0)[0].callback(records)

    def give(self, name, *addresses, ttl=60):
        """Let a host have these addresses."""
        self.known[name, dns.A] = [four(text, ttl) for text in addresses if ":" not in text]
        self.known[name, dns.AAAA] = [six(text, ttl) for text in addresses if ":" in text]

    def serve(self, *targets, ttl=60):
        """Let the service have these targets: priority, weight, port, name."""
        self.known[SERVICE, dns.SRV] = [srv(*target, ttl=ttl) for target in targets]

    def fail(self, name, error):
        for kind in (dns.A, dns.AAAA):
            self.known[name, kind] = error

    def rounds(self, kind=dns.A):
        """When it was asked for records of this kind."""
        return [when for when, _, asked in self.asked if asked == kind]


class Known:
    """A discovery, and all that it has applied."""

    def __init__(self, wanted):
        self.clock = Clock()
        self.names = Names(self.clock)
        self.applied = []
        self.discovery = Discovery(self.clock, self.names, self.applied.append, wanted)

    def start(self):
        self.discovery.start()
        return self

    def hosts(self):
        """The addresses that were applied last."""
        return [found.host for found in self.applied[-1]]

    def advance(self, seconds, step=0.25):
        for _ in range(round(seconds / step)):
            self.clock.advance(step)


@pytest.fixture
def known():
    made = []

    def make(wanted=None):
        made.append(Known(wanted or HostName(HOST, 80)))
        return made[-1]

    yield make
    for each in made:
        each.discovery.stop()
        assert not each.clock.getDelayedCalls()


@pytest.fixture
def log():
    """The lines that discovery has logged."""
    events = []
    globalLogPublisher.addObserver(events.append)
    lines = []
    yield (
        lambda: (
            lines
            + [
                event["log_format"].format(**event)
                for event in events
                if event.get("log_namespace") == "txproxy.upstreams.discovery.lookups"
            ]
        )
    )
    globalLogPublisher.removeObserver(events.append)


# -- host names


def test_every_address_of_a_host_becomes_a_member(known):
    web = known(HostName(HOST, 8080, weight=3, backup=True))
    web.names.give(HOST, "10.0.0.10", "10.0.0.9", "2001:db8::2", "2001:db8::10")
    web.start()
    assert web.applied == [
        [Found(host, 8080, 3, True, HOST) for host in ("10.0.0.9", "10.0.0.10", "2001:db8::2", "2001:db8::10")]
    ]
    assert web.discovery.members == tuple(web.applied[0])
    assert web.discovery.cause == ""
    assert len(web.clock.getDelayedCalls()) == 1


@pytest.mark.parametrize("addresses", [["10.0.0.1"], ["2001:db8::1"]])
def test_one_family_of_addresses_is_enough(known, addresses, log):
    web = known()
    web.names.give(HOST, *addresses)
    web.start()
    assert web.hosts() == addresses
    assert web.discovery.cause == ""
    assert log() == []


@pytest.mark.parametrize("error", [(), []])
def test_a_server_that_denies_the_name_for_one_family_is_believed_for_that_one(known, error):
    web = known()
    web.names.give(HOST, "10.0.0.1", "2001:db8::1")
    web.start()
    web.names.known[HOST, dns.AAAA] = error
    web.advance(60)
    assert web.hosts() == ["10.0.0.1"]
    assert web.discovery.cause == ""


def test_aliases_are_followed_by_the_name_server_and_their_ttl_counts(known):
    web = known()
    web.names.known[HOST, dns.A] = [Record(HOST, dns.CNAME, 10, "b.example"), four("10.0.0.1", 60)]
    web.start()
    assert web.hosts() == ["10.0.0.1"]
    web.advance(11)
    assert web.names.rounds() == [0, 10]


def test_a_name_is_looked_up_again_when_its_ttl_is_over(known):
    web = known()
    web.names.known[HOST, dns.A] = [four("10.0.0.1", 30), four("10.0.0.2", 20)]
    web.names.known[HOST, dns.AAAA] = [six("2001:db8::1", 40)]
    web.start()
    web.advance(61)
    assert web.names.rounds() == [0, 20, 40, 60]
    assert web.names.rounds(dns.AAAA) == [0, 20, 40, 60]


@pytest.mark.parametrize(("ttl", "pause"), [(0, 1), (1, 1), (299, 299), (300, 300), (86400, 300)])
def test_the_ttl_has_bounds(known, ttl, pause):
    web = known()
    web.names.give(HOST, "10.0.0.1", ttl=ttl)
    web.start()
    web.clock.advance(pause - 0.01)
    assert web.names.rounds() == [0]
    web.clock.advance(0.01)
    assert web.names.rounds() == [0, pause]


def test_only_a_change_is_applied(known):
    web = known()
    web.names.give(HOST, "10.0.0.1", "10.0.0.2", ttl=10)
    web.start()
    # The same in another order is what round-robin name servers give all day.
    web.names.give(HOST, "10.0.0.2", "10.0.0.1", ttl=10)
    web.advance(100)
    assert len(web.names.rounds()) == 11
    assert len(web.applied) == 1
    web.names.give(HOST, "10.0.0.3", "10.0.0.2", "2001:db8::1", ttl=10)
    web.advance(10)
    assert web.hosts() == ["10.0.0.2", "10.0.0.3", "2001:db8::1"]
    assert len(web.applied) == 2


def test_an_address_that_is_given_twice_is_one_member(known):
    web = known()
    web.names.give(HOST, "10.0.0.1", "10.0.0.1")
    web.start()
    assert web.hosts() == ["10.0.0.1"]


# -- failures


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (FAILED, f"IPv4 addresses of {HOST}: the name server failed"),
        ((), f"{HOST} has no address"),
        (DnsError("127.0.0.1 cannot be asked"), f"IPv4 addresses of {HOST}: 127.0.0.1 cannot be asked"),
        ([], f"{HOST} has no address"),
    ],
)
def test_on_failure_what_is_known_stays_and_it_is_tried_again_in_5_s(known, log, error, cause):
    web = known()
    web.names.give(HOST, "10.0.0.1", "2001:db8::1")
    web.start()
    web.names.fail(HOST, error)
    web.advance(80)
    assert web.names.rounds() == [0, 60, 65, 70, 75, 80]
    assert len(web.applied) == 1
    assert web.discovery.members == tuple(web.applied[0])
    assert web.discovery.cause == cause
    assert log() == [f"looking up {HOST} fails: {cause}; its 2 known members stay"]
    web.names.give(HOST, "10.0.0.2")
    web.advance(5)
    assert web.hosts() == ["10.0.0.2"]
    assert web.discovery.cause == ""
    assert log()[1:] == [f"looking up {HOST} works again"]
    web.advance(59)
    assert web.names.rounds()[-1] == 85


def test_a_name_that_never_was_known_applies_nothing(known, log):
    web = known()
    web.names.fail(HOST, ())
    web.start()
    web.advance(20)
    assert web.applied == []
    assert web.discovery.members == ()
    assert log() == [f"looking up {HOST} fails: {HOST} has no address; its 0 known members stay"]


def test_one_family_that_fails_keeps_its_addresses_while_the_other_changes(known):
    web = known()
    web.names.give(HOST, "10.0.0.1", "2001:db8::1")
    web.start()
    web.names.give(HOST, "10.0.0.2")
    web.names.known[HOST, dns.AAAA] = FAILED
    web.advance(60)
    assert web.hosts() == ["10.0.0.2", "2001:db8::1"]
    assert web.discovery.cause == f"IPv6 addresses of {HOST}: the name server failed"
    web.advance(5)
    assert web.names.rounds() == [0, 60, 65]


def test_a_family_that_has_gone_is_let_go_while_the_other_fails(known):
    web = known()
    web.names.give(HOST, "10.0.0.1", "2001:db8::1")
    web.start()
    web.names.known[HOST, dns.A] = []
    web.names.known[HOST, dns.AAAA] = FAILED
    web.advance(60)
    assert web.hosts() == ["2001:db8::1"]


def test_a_retry_is_no_later_than_the_ttl(known):
    web = known()
    web.names.give(HOST, "10.0.0.1", ttl=2)
    web.names.known[HOST, dns.AAAA] = FAILED
    web.start()
    web.advance(4)
    assert web.names.rounds() == [0, 2, 4]


def test_a_resolver_that_never_answers_is_a_failure_after_10_s(known):
    web = known()
    web.names.fail(HOST, HANG)
    web.start()
    web.advance(9.75)
    assert web.discovery.cause == ""
    web.advance(0.25)
    assert web.discovery.cause == f"IPv4 addresses of {HOST}: no answer"
    web.advance(5)
    assert web.names.rounds() == [0, 15]


def test_a_silent_family_holds_up_nobody(known):
    web = known()
    web.names.give(HOST, "10.0.0.1")
    web.names.known[HOST, dns.AAAA] = HANG
    web.start()
    assert web.applied == []
    web.advance(0.5)
    assert web.hosts() == ["10.0.0.1"]
    web.names.answer(six("2001:db8::1", 60))
    assert web.hosts() == ["10.0.0.1", "2001:db8::1"]
    assert len(web.applied) == 2


def test_answers_that_come_soon_are_applied_together(known):
    web = known()
    web.names.fail(HOST, HANG)
    web.start()
    web.advance(0.25)
    web.names.answer(four("10.0.0.1", 60))
    assert web.applied == []
    web.names.answer(six("2001:db8::1", 60))
    assert [[found.host for found in applied] for applied in web.applied] == [["10.0.0.1", "2001:db8::1"]]


def test_a_resolver_with_a_bug_is_a_failure_with_a_traceback_in_the_log(known, log):
    web = known()
    web.names.give(HOST, "10.0.0.1")
    web.start()
    web.names.fail(HOST, ZeroDivisionError())
    web.advance(66)
    assert web.discovery.cause == "the look-up itself failed, see the log"
    assert f"while looking up {HOST}" in log()
    assert web.hosts() == ["10.0.0.1"]
    assert web.names.rounds()[-1] == 65


def test_a_change_that_cannot_be_applied_stops_nothing(known, log):
    web = known()

    def refuse(members):
        web.applied.append(members)
        raise ZeroDivisionError

    web.discovery._apply = refuse
    web.names.give(HOST, "10.0.0.1")
    web.start()
    web.names.give(HOST, "10.0.0.2")
    web.advance(60)
    assert web.hosts() == ["10.0.0.2"]
    assert log() == [f"while the members of {HOST} were changed"] * 2


# -- services


def test_a_service_gives_port_priority_and_weight(known):
    service = known(ServiceName(SERVICE))
    service.names.serve((20, 1, 8003, "c.example"), (10, 30, 8001, "a.example"), (10, 10, 8002, "b.example"))
    service.names.give("a.example", "10.0.0.1", "2001:db8::1")
    service.names.give("b.example", "10.0.0.2")
    service.names.give("c.example", "10.0.0.3")
    service.start()
    assert service.applied == [
        [
            Found("10.0.0.1", 8001, 30, False, "a.example"),
            Found("10.0.0.2", 8002, 10, False, "b.example"),
            Found("2001:db8::1", 8001, 30, False, "a.example"),
            Found("10.0.0.3", 8003, 1, True, "c.example"),
        ]
    ]


@pytest.mark.parametrize(
    ("weights", "expected"),
    [
        ((0, 0), [1, 1]),
        ((0, 5), [1, 5]),
        ((1000, 1), [1000, 1]),
        ((65535, 0), [65535, 1]),
        ((60000, 30000), [60000, 30000]),
    ],
)
def test_weights_are_those_of_the_records(known, weights, expected):
    service = known(ServiceName(SERVICE))
    service.names.serve(*((1, weight, 80 + index, "a.example") for index, weight in enumerate(weights)))
    service.names.give("a.example", "10.0.0.1")
    service.start()
    assert [found.weight for found in service.applied[-1]] == expected


def test_a_target_on_two_ports_is_looked_up_once(known):
    service = known(ServiceName(SERVICE))
    service.names.serve((1, 1, 8001, "a.example"), (1, 1, 8002, "a.example"))
    service.names.give("a.example", "10.0.0.1")
    service.start()
    assert [(found.host, found.port) for found in service.applied[-1]] == [("10.0.0.1", 8001), ("10.0.0.1", 8002)]
    assert service.names.rounds() == [0]


def test_two_targets_at_one_address_are_one_member_and_a_primary_where_one_of_them_is(known):
    service = known(ServiceName(SERVICE))
    service.names.serve((2, 9, 80, "a.example"), (1, 1, 80, "b.example"), (1, 5, 80, "c.example"))
    for name in ("a.example", "b.example", "c.example"):
        service.names.give(name, "10.0.0.1")
    service.start()
    assert service.applied == [[Found("10.0.0.1", 80, 5, False, "c.example")]]


def test_a_service_is_looked_up_again_at_the_shortest_ttl_of_all(known):
    service = known(ServiceName(SERVICE))
    service.names.serve((1, 1, 80, "a.example"), (1, 1, 80, "b.example"), ttl=50)
    service.names.give("a.example", "10.0.0.1", ttl=40)
    service.names.give("b.example", "10.0.0.2", ttl=20)
    service.start()
    service.names.serve((1, 1, 80, "b.example"), ttl=10)
    service.advance(31)
    assert service.names.rounds(dns.SRV) == [0, 20, 30]
    assert service.hosts() == ["10.0.0.2"]


@pytest.mark.parametrize(
    ("records", "cause"),
    [
        ([], f"{SERVICE} has no SRV record"),
        ((), f"{SERVICE} has no SRV record"),
        (FAILED, f"SRV records of {SERVICE}: the name server failed"),
        ([srv(0, 0, 0, "")], f"{SERVICE} is not offered"),
        ([four("10.0.0.9", 60)], f"{SERVICE} is not offered"),
    ],
)
def test_a_service_that_is_not_found_keeps_its_members_and_follows_their_addresses(known, records, cause):
    service = known(ServiceName(SERVICE))
    service.names.serve((1, 1, 80, "a.example"))
    service.names.give("a.example", "10.0.0.1")
    service.start()
    service.names.known[SERVICE, dns.SRV] = records
    service.names.give("a.example", "10.0.0.2")
    service.advance(60)
    assert service.discovery.cause == cause
    assert service.hosts() == ["10.0.0.2"]
    service.advance(5)
    assert service.names.rounds(dns.SRV) == [0, 60, 65]


def test_a_target_that_is_not_found_keeps_its_addresses_as_long_as_it_is_one(known):
    service = known(ServiceName(SERVICE))
    service.names.serve((1, 1, 80, "a.example"), (1, 1, 80, "b.example"))
    service.names.give("a.example", "10.0.0.1")
    service.names.give("b.example", "10.0.0.2")
    service.start()
    service.names.fail("b.example", ())
    service.names.give("a.example", "10.0.0.3")
    service.advance(60)
    assert service.hosts() == ["10.0.0.2", "10.0.0.3"]
    assert service.discovery.cause == "b.example has no address"
    service.names.serve((1, 1, 80, "a.example"))
    service.advance(5)
    assert service.hosts() == ["10.0.0.3"]
    assert service.discovery.cause == ""


def test_what_was_known_of_a_target_that_has_left_is_forgotten(known):
    service = known(ServiceName(SERVICE))
    service.names.serve((1, 1, 80, "a.example"), (1, 1, 80, "b.example"))
    service.names.give("a.example", "10.0.0.1")
    service.names.give("b.example", "10.0.0.2")
    service.start()
    service.names.serve((1, 1, 80, "a.example"))
    service.advance(60)
    service.names.serve((1, 1, 80, "a.example"), (1, 1, 80, "b.example"))
    service.names.fail("b.example", FAILED)
    service.advance(60)
    assert service.hosts() == ["10.0.0.1"]


def test_a_service_whose_new_targets_have_no_address_keeps_the_old_members(known):
    service = known(ServiceName(SERVICE))
    service.names.serve((1, 1, 80, "a.example"))
    service.names.give("a.example", "10.0.0.1")
    service.start()
    service.names.serve((1, 1, 80, "new.example"))
    service.advance(60)
    assert service.discovery.cause == "new.example has no address"
    assert [found.host for found in service.discovery.members] == ["10.0.0.1"]
    assert len(service.applied) == 1


def test_of_many_targets_few_are_looked_up_at_once(known):
    service = known(ServiceName(SERVICE))
    service.names.serve(*((1, 1, 80, f"host{number}.example") for number in range(100)))
    for number in range(100):
        service.names.fail(f"host{number}.example", HANG)
    service.start()
    most = 0
    for _ in range(200):
        most = max(most, len(service.names.hanging))
        _, name, kind = service.names.hanging[0]
        number = name.removeprefix("host").removesuffix(".example")
        service.names.answer(*([four(f"10.0.0.{number}", 60)] if kind == dns.A else []))
    assert most == 16
    assert len(service.applied[-1]) == 100
    assert len(service.applied) == 1


# -- start and stop


def test_nothing_is_asked_before_start_or_after_stop(known):
    web = known()
    web.names.give(HOST, "10.0.0.1", ttl=1)
    web.advance(10)
    assert web.names.asked == []
    web.start()
    web.start()
    assert web.names.rounds() == [10]
    web.discovery.stop()
    web.discovery.stop()
    assert not web.clock.getDelayedCalls()
    web.advance(10)
    assert len(web.names.rounds()) == 1
    web.names.give(HOST, "10.0.0.2")
    web.start()
    assert web.hosts() == ["10.0.0.2"]


@pytest.mark.parametrize("wanted", [HostName(HOST, 80), ServiceName(SERVICE)])
def test_stop_drops_a_look_up_under_way(known, log, wanted):
    web = known(wanted)
    web.names.fail(HOST, HANG)
    web.names.known[SERVICE, dns.SRV] = HANG
    web.start()
    assert web.names.hanging
    web.discovery.stop()
    assert not web.clock.getDelayedCalls()
    # An answer that comes all the same is nobody's.
    web.names.answer(four("10.0.0.1", 60))
    assert web.applied == []
    assert log() == []
    web.start()
    assert len(web.names.asked) >= 2


def test_stop_drops_look_ups_that_wait_for_their_turn(known):
    service = known(ServiceName(SERVICE))
    service.names.serve(*((1, 1, 80, f"host{number}.example") for number in range(50)))
    for number in range(50):
        service.names.fail(f"host{number}.example", HANG)
    service.start()
    service.discovery.stop()
    assert not service.clock.getDelayedCalls()
    assert all(deferred.called for deferred, _, _ in service.names.hanging)


def test_stop_may_come_from_whoever_is_told(known):
    web = known()
    web.discovery._apply = lambda members: web.discovery.stop()
    web.names.give(HOST, "10.0.0.1")
    web.start()
    assert not web.clock.getDelayedCalls()


# -- what may be configured


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("api.example", "api.example"),
        ("API.Example.", "api.example"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("_http._tcp.example.com", "_http._tcp.example.com"),
        ("localhost", "localhost"),
    ],
)
def test_names_are_taken_as_they_are_asked_for(text, name):
    assert HostName(text, 80).host == name
    assert ServiceName(text).name == name


@pytest.mark.parametrize(
    "text",
    ["", ".", "a..b", "a b", "a:80", "10.0.0.1", "::1", "-", "a" * 64 + ".example", "a." * 127 + "aa", "a/b", None],
)
def test_what_is_no_name_is_refused(text):
    with pytest.raises(ConfigError, match="accepted is"):
        HostName(text, 80)
    with pytest.raises(ConfigError, match="accepted is"):
        ServiceName(text)


@pytest.mark.parametrize("port", [0, 65536, -1, "80", True, None])
def test_what_is_no_port_is_refused(port):
    with pytest.raises(ConfigError, match="accepted is 1 to 65535"):
        HostName(HOST, port)


@pytest.mark.parametrize("weight", [-1, 1_000_001, "1", True, 1.5])
def test_what_is_no_weight_is_refused(weight):
    with pytest.raises(ConfigError, match="accepted is 0 to 1000000"):
        HostName(HOST, 80, weight)
