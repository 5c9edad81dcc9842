"""The DNS resolver: what is remembered, who waits for whom, and that nobody takes more than a share."""

import pytest
from twisted.internet.address import IPv4Address
from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.logger import globalLogPublisher

from txproxy.errors import ConnectTimeout, DnsError, TooManyLookUps
from txproxy.net.dns.resolver import Places, Resolver, ResolverLimits
from txproxy.wire.dns import AAAA, CNAME, SRV, A, Record

NAME = "a.example"


class Servers:
    """Name servers in memory. ``known`` are addresses by name; what they do not know waits for ``answer``."""

    def __init__(self):
        self.known = {}
        self.asked = []
        self.waiting = {}
        self.confs = []

    def ask(self, conf, name, kinds):
        self.asked.append(name)
        self.confs.append(conf)
        found = self.known.get(name)
        if isinstance(found, Exception):
            return fail(found)
        if found is not None:
            return succeed(self._answers(name, kinds, found))
        self.waiting[name] = waiting = Deferred(lambda _: self.waiting.pop(name))
        return waiting

    def _answers(self, name, kinds, texts, ttl=60):
        return {
            kind: tuple(Record(name, kind, ttl, text) for text in texts if (":" in text) is (kind == AAAA))
            for kind in kinds
        }

    def answer(self, name, *texts, ttl=60):
        self.waiting.pop(name).callback(self._answers(name, (A, AAAA), texts, ttl))


class Program:
    def __init__(self, tmp_path, limits):
        self.clock = Clock()
        self.servers = Servers()
        self.hosts, self.conf = tmp_path / "hosts", tmp_path / "resolv.conf"
        self.conf.write_text("nameserver 192.0.2.53\nsearch .\n")
        self.resolver = Resolver(
            self.clock,
            Places(str(self.conf), str(self.hosts)),
            limits,
            servers=self.servers,
            usable=lambda address: True,
        )

    def ask(self, name=NAME, client=""):
        found = self.resolver.find(name, client)
        assert isinstance(found, Deferred)
        results = []
        found.addBoth(results.append)
        return found, results

    def fault(self, name=NAME, client=""):
        (failure,) = self.ask(name, client)[1]
        return failure.value


@pytest.fixture
def program(tmp_path):
    made = []

    def make(**limits):
        made.append(Program(tmp_path, ResolverLimits(**limits)))
        return made[-1]

    yield make
    for program in made:
        resolver = program.resolver
        assert not program.clock.getDelayedCalls()
        assert resolver.running == len(program.servers.waiting) == 0
        assert not resolver._waits and not resolver._for_clients


# -- what is remembered


@pytest.mark.parametrize(("ttl", "kept"), [(0, 1), (1, 1), (20, 20), (300, 300), (86400, 300)])
def test_what_was_found_is_known_as_long_as_it_says_within_bounds(program, ttl, kept):
    program = program()
    _, results = program.ask()
    program.servers.answer(NAME, "192.0.2.1", "192.0.2.2", ttl=ttl)
    assert results == [("192.0.2.1", "192.0.2.2")]
    program.clock.advance(kept - 0.1)
    assert program.resolver.find(NAME) == ("192.0.2.1", "192.0.2.2")
    program.clock.advance(0.2)
    program.servers.known[NAME] = ["192.0.2.3"]
    assert program.ask()[1] == [("192.0.2.3",)]


def test_an_alias_is_good_as_long_as_it_says_too(program):
    program = program()
    program.ask()
    way = (Record(NAME, CNAME, 5, "b.example"), Record("b.example", A, 60, "192.0.2.1"))
    program.servers.waiting.pop(NAME).callback({A: way, AAAA: ()})
    assert program.resolver.find(NAME) == ("192.0.2.1",)
    program.clock.advance(6)
    program.servers.known[NAME] = ["192.0.2.3"]
    assert program.ask()[1] == [("192.0.2.3",)]


def test_a_kind_that_nobody_answered_for_is_asked_for_again_soon(program):
    program = program()
    program.ask()
    program.servers.waiting.pop(NAME).callback({A: (Record(NAME, A, 300, "192.0.2.1"),)})
    program.clock.advance(6)
    program.servers.known[NAME] = ["2001:db8::1", "192.0.2.1"]
    assert len(program.ask()[1][0]) == 2


@pytest.mark.parametrize(
    ("failure", "kept", "error"), [([], 5, "dns_error"), (DnsError("no"), 1, "dns_error"),
                                   (ConnectTimeout("no answer", error="dns_timeout"), 1, "dns_timeout")]
)  # fmt: skip
def test_what_was_not_found_is_known_for_a_moment(program, failure, kept, error):
    program = program()
    program.servers.known[NAME] = failure
    first = program.fault()
    program.clock.advance(kept - 0.1)
    again = program.fault()
    assert len(program.servers.asked) == 1
    assert type(first) is type(again) and (again.error, again.status, again.detail) == (
        error, first.status, first.detail,
    )  # fmt: skip
    assert NAME in again.detail
    program.clock.advance(0.2)
    program.servers.known[NAME] = ["192.0.2.1"]
    assert program.ask()[1] == [("192.0.2.1",)]


def test_what_was_found_first_makes_room(program):
    program = program(known=100)
    for number in range(101):
        program.servers.known[f"{number}.example"] = ["192.0.2.1"]
        program.ask(f"{number}.example")
    assert program.resolver.find("1.example") == ("192.0.2.1",)
    program.ask("0.example")
    assert len(program.servers.asked) == 102


def test_no_more_addresses_are_kept_than_are_of_use(program):
    program = program()
    program.servers.known[NAME] = [f"10.0.{number >> 8}.{number & 255}" for number in range(500)]
    program.ask()
    assert len(program.resolver.find(NAME)) == 32


# -- who waits


def test_all_who_ask_at_once_wait_for_one_look_up(program):
    program = program()
    results = [program.ask(client=client)[1] for client in ("", "10.0.0.1", "10.0.0.1", "10.0.0.2")]
    program.servers.answer(NAME, "192.0.2.1")
    assert results == [[("192.0.2.1",)]] * 4
    assert program.servers.asked == [NAME]


def test_who_leaves_takes_nothing_from_the_others(program):
    program = program()
    leaving, gone = program.ask()
    _, staying = program.ask()
    leaving.cancel()
    assert gone[0].check(CancelledError)
    program.servers.answer(NAME, "192.0.2.1")
    assert staying == [("192.0.2.1",)]


def test_when_the_last_has_left_the_look_up_ends(program):
    program = program()
    asking = [program.ask(client=client)[0] for client in ("", "10.0.0.1", "10.0.0.1")]
    for one in asking:
        assert program.resolver.running == 1
        one.cancel()
    assert program.resolver.running == 0 and not program.servers.waiting
    _, results = program.ask()
    program.servers.answer(NAME, "192.0.2.1")
    assert results == [("192.0.2.1",)]


def test_what_one_does_with_its_answer_may_make_another_leave_or_ask_anew(program):
    program = program()
    first, _ = program.ask()
    second, results = program.ask()
    first.addCallback(lambda _: (second.cancel(), program.ask("b.example")[0].cancel()))
    program.servers.answer(NAME, "192.0.2.1")
    assert results[0].check(CancelledError)


def test_a_fault_in_the_resolver_is_said_and_harms_nobody(program):
    program = program()
    program.servers.known[NAME] = ZeroDivisionError()
    events = []
    globalLogPublisher.addObserver(events.append)
    fault = program.fault()
    globalLogPublisher.removeObserver(events.append)
    assert "itself failed" in fault.detail and fault.status == 502
    assert [event["log_level"].name for event in events] == ["critical"]


# -- how many


def test_one_client_gets_a_share_and_others_theirs(program):
    program = program(waiting_per_client=3)
    asking = [program.ask(f"{number}.example", "10.0.0.1")[0] for number in range(3)]
    fault = program.fault("3.example", "10.0.0.1")
    assert (type(fault), fault.status) == (TooManyLookUps, 503)
    # It may wait for what it waits for already, and for what is known.
    asking.append(program.ask("0.example", "10.0.0.1")[0])
    program.servers.known[NAME] = ["192.0.2.1"]
    assert program.ask(NAME, "10.0.0.2")[1] == [("192.0.2.1",)]
    assert program.resolver.find(NAME, "10.0.0.1") == ("192.0.2.1",)
    # Nor for what somebody else has asked for.
    asking.append(program.ask("5.example", "10.0.0.2")[0])
    assert program.fault("5.example", "10.0.0.1").status == 503
    asking.pop(0).cancel()
    assert program.fault("5.example", "10.0.0.1").status == 503
    asking.pop(0).cancel()
    asking.append(program.ask("5.example", "10.0.0.1")[0])
    for one in asking:
        one.cancel()


def test_an_ipv6_host_is_one_client_with_all_its_addresses(program):
    program = program(waiting_per_client=1)
    asking, _ = program.ask("1.example", "2001:db8::1")
    assert program.fault("2.example", "2001:db8::2").status == 503
    other, _ = program.ask("2.example", "2001:db8:0:1::1")
    asking.cancel()
    other.cancel()


def test_all_clients_together_have_bounds_and_an_administrators_names_have_none(program):
    program = program(waiting=3)
    asking = [program.ask(f"{number}.example", f"10.0.0.{number}")[0] for number in range(3)]
    assert program.fault("new.example", "10.0.0.9").status == 503
    asking.append(program.ask("0.example", "10.0.0.9")[0])
    program.servers.known["upstream.example"] = ["192.0.2.1"]
    assert program.ask("upstream.example")[1] == [("192.0.2.1",)]
    asking += [program.ask(f"upstream{number}.example")[0] for number in range(10)]
    # What an administrator has asked for is nobody's share.
    asking.append(program.ask("upstream1.example", "10.0.0.9")[0])
    for one in asking:
        one.cancel()


def test_who_has_most_makes_room_for_others(program):
    program = program(waiting=6)
    of_most = [program.ask(f"{number}.example", "10.0.0.1") for number in range(4)]
    others = [program.ask(name, "10.0.0.2")[0] for name in ("x.example", "y.example")]
    # Somebody else waits for the latest as well: then the one before it goes.
    others.append(program.ask("3.example", "10.0.0.2")[0])
    others.append(program.ask("new.example", "10.0.0.3")[0])
    assert [bool(results) for _, results in of_most] == [False, False, True, False]
    assert of_most[2][1][0].value.status == 503 and program.resolver.running == 6
    # Nobody goes for who has as many.
    assert program.fault("z.example", "10.0.0.2").status == 503
    assert "2.example" not in program.servers.waiting
    for asking in others + [asking for asking, _ in of_most]:
        asking.cancel()


def test_ten_thousand_names_of_one_client_leave_nothing(program):
    program = program()
    asking = [program.ask(f"{number}.example", "10.0.0.1")[0] for number in range(10_000)]
    assert program.resolver.running == 64
    for one in asking:
        one.cancel()


# -- files


def test_names_in_the_hosts_file_are_asked_of_no_server(program):
    program = program()
    program.hosts.write_text("10.0.0.1 both.example Short\n::1 both.example\n")
    assert program.resolver.find("both.example") == ("::1", "10.0.0.1")
    assert program.resolver.find("SHORT") == ("10.0.0.1",)
    program.hosts.write_text("10.0.0.22 short\n")
    program.clock.advance(1)
    assert program.resolver.find("short") == ("10.0.0.22",)
    assert not program.servers.asked


@pytest.mark.parametrize("name", ["localhost", "localhost.", "app.localhost", "LOCALHOST"])
def test_localhost_is_this_host(program, name):
    assert program().resolver.find(name) == ("::1", "127.0.0.1")


def test_localhost_is_what_the_hosts_file_says(program):
    program = program()
    program.hosts.write_text("127.0.0.1 localhost\n")
    assert program.resolver.find("localhost") == ("127.0.0.1",)


@pytest.mark.parametrize(
    ("name", "address"), [("127.1", "127.0.0.1"), ("2130706433", "127.0.0.1"), ("0x7f.1", "127.0.0.1")]
)
def test_what_the_c_library_takes_for_an_address_is_one(program, name, address):
    assert program().resolver.find(name) == (address,)


def test_numbers_that_are_no_address_are_names(program):
    program = program()
    program.servers.known["1.2.3.4.5"] = []
    assert "not found" in program.fault("1.2.3.4.5").detail


def test_domains_are_searched(program):
    program = program()
    program.conf.write_text("search one two\noptions ndots:2\n")
    program.servers.known |= {"web.one": [], "web.two": ["192.0.2.1"]}
    assert program.ask("web")[1] == [("192.0.2.1",)]
    program.servers.known |= {"a.b.c": [], "a.b.c.one": ["192.0.2.2"]}
    assert program.ask("a.b.c")[1] == [("192.0.2.2",)]
    assert program.servers.asked == ["web.one", "web.two", "a.b.c", "a.b.c.one"]
    program.servers.known |= {"web": []}
    assert "not found" in program.fault("web.").detail


def test_a_domain_that_fails_hides_no_other_but_silence_ends_the_search(program):
    program = program()
    program.conf.write_text("search one two\n")
    program.servers.known |= {"web.one": DnsError("failed"), "web.two": ["192.0.2.1"]}
    assert program.ask("web")[1] == [("192.0.2.1",)]
    program.servers.known |= {"b.one": DnsError("failed"), "b.two": [], "b": []}
    assert "failed" in program.fault("b").detail
    program.servers.known |= {"c.one": ConnectTimeout("no answer", error="dns_timeout")}
    assert program.fault("c").error == "dns_timeout"


def test_names_that_become_too_long_are_left_out(program):
    program = program()
    program.conf.write_text(f"search {'.'.join(['x' * 60] * 4)}\n")
    long = ".".join(["y" * 40] * 2)
    program.servers.known |= {long: []}
    assert "not found" in program.fault(long).detail
    assert program.servers.asked == [long]


def test_a_change_of_resolv_conf_counts_at_once_and_nothing_is_remembered(program):
    program = program()
    program.servers.known[NAME] = []
    program.fault()
    program.conf.write_text("nameserver 192.0.2.54\n")
    program.servers.known |= {NAME: ["192.0.2.1"], "b.example": []}
    program.clock.advance(1)
    program.fault("b.example")
    assert program.servers.confs[-1].servers == ("192.0.2.54",)
    assert program.ask()[1] == [("192.0.2.1",)]


def test_a_change_while_look_ups_run_harms_none(program):
    program = program()
    _, results = program.ask()
    program.conf.write_text("nameserver 192.0.2.54\n")
    program.clock.advance(1)
    program.ask("b.example")[0].cancel()
    program.servers.answer(NAME, "192.0.2.1")
    assert results == [("192.0.2.1",)]


@pytest.mark.parametrize("name", ["a..b", ".", "..", ".a", "x" * 64, "a." + "x" * 64 + ".b", "", "ä..b"])
def test_what_dns_cannot_have_is_not_looked_up(program, name):
    program = program()
    assert "no name" in program.fault(name).detail
    assert not program.servers.asked


def test_names_beyond_ascii_are_asked_for_as_in_idna(program):
    program = program()
    program.servers.known["xn--bcher-kva.example"] = ["192.0.2.1"]
    assert program.ask("Bücher.example")[1] == [("192.0.2.1",)]


# -- other records


def test_records_are_what_servers_say_now(program):
    program = program()
    program.servers.known[NAME] = ["192.0.2.1"]
    results = []
    for _ in range(2):
        program.resolver.records(NAME, A).addCallback(results.append)
    assert results == [(Record(NAME, A, 60, "192.0.2.1"),)] * 2
    assert len(program.servers.asked) == 2


def test_records_of_names_in_the_hosts_file_are_what_it_says(program):
    program = program()
    program.hosts.write_text(f"10.0.0.1 {NAME}\n")
    results = []
    for kind in (A, AAAA):
        program.resolver.records(NAME, kind).addCallback(results.append)
    assert results == [(Record(NAME, A, 300, "10.0.0.1"),), ()]
    asking = program.resolver.records(NAME, SRV)
    asking.addErrback(results.append)
    assert program.servers.waiting
    asking.cancel()


# -- a resolver of the program's own


class Installed:
    def __init__(self):
        self.asked = []
        self.cancelled = []

    def resolveHostName(self, receiver, name, port=0, addressTypes=None, transportSemantics="TCP"):
        self.asked.append(name)
        self.receiver = receiver
        receiver.resolutionBegan(self)
        return self

    def answer(self, *texts):
        for text in texts:
            self.receiver.addressResolved(IPv4Address("TCP", text, 0))
        self.receiver.resolutionComplete()

    def cancel(self):
        self.cancelled.append(1)


def test_a_resolver_that_the_program_has_installed_is_asked(program):
    program = program()
    program.hosts.write_text(f"10.0.0.1 {NAME}\n")
    program.clock.nameResolver = names = Installed()
    _, results = program.ask()
    names.answer("192.0.2.2", "192.0.2.1")
    assert results == [("192.0.2.2", "192.0.2.1")]
    program.clock.advance(4.9)
    assert program.resolver.find(NAME) == ("192.0.2.2", "192.0.2.1")
    program.clock.advance(0.2)
    asking, _ = program.ask()
    asking.cancel()
    assert names.cancelled and not program.servers.asked
    names.answer("192.0.2.2")  # and nobody is told
    _, results = program.ask()
    names.answer()
    assert results[0].check(DnsError)
