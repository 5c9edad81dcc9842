"""From a configuration to what listens, and from that to the next one."""

import pytest
from twisted.application.service import IService
from twisted.logger import capturedLogs, formatEvent

from tests.runtime.listening import GET, ListeningReactor, answer
from txproxy.config import Config, ForwardListener, parse
from txproxy.errors import ConfigError
from txproxy.forward.policy import ForwardPolicy
from txproxy.runtime.proxy_service import make_service

ONE = """
[log]
access = "none"
[[listeners]]
listen = "tcp:8080"
[[routes]]
name = "all"
path = "/"
respond = { status = 200, body = "one" }
"""


@pytest.fixture
def reactor():
    return ListeningReactor()


@pytest.fixture
def start(reactor):
    """Starts what a text, or a configuration, describes. In the end all of them stop, and nothing is left behind."""
    services = []

    def start(config):
        service = make_service(parse(config, "edge.toml") if isinstance(config, str) else config, reactor)
        service.privilegedStartService()
        service.startService()
        services.append(service)
        return service

    yield start
    for service in services:
        service.hurry()
        if service.running:
            service.stopService()
    reactor.advance(31)
    assert not any(port.listens for port in reactor.ports.values())
    assert reactor.getDelayedCalls() == []


def test_it_listens_from_the_start_and_serves(start, reactor):
    service = start(ONE)
    assert IService.providedBy(service)
    assert [port.number for port in service.ports] == [8080]
    assert answer(reactor.connect(8080)) == b"one"


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({}, "--listen or --tls-listen is needed"),
        ({"tls_listen": ("tcp:1",)}, "--tls-listen needs a certificate; accepted is --tls-cert FILE, or --tls-self-"),
        ({"listen": ("tcp:1",), "proxy_protocol": True}, "--proxy-protocol needs --trusted-proxy CIDR"),
        ({"listen": ("x",)}, "--listen 'x' is no endpoint"),
        ({"listen": ("tcp:1", "tcp:1")}, "--listen tcp:1: it is there twice"),
    ],
)
def test_what_cannot_be_is_said_before_anything_listens(reactor, more, said):
    with pytest.raises(ConfigError) as fault:
        make_service(Config(listeners=(ForwardListener(**more),)), reactor)
    assert str(fault.value).startswith(said)
    assert reactor.ports == {}


def test_an_address_that_is_taken_ends_the_start_and_the_others_are_given_back(reactor):
    reactor.taken = (2,)
    service = make_service(Config(listeners=(ForwardListener(listen=("tcp:1", "tcp:2")),)), reactor)
    with pytest.raises(ConfigError, match=r"^--listen tcp:2: cannot listen there: Address already in use$"):
        service.privilegedStartService()
    assert not reactor.ports[1].listens


def test_a_reload_keeps_what_is_in_both_and_its_clients_are_served_anew(start, reactor):
    service = start(ONE)
    client = reactor.connect(8080)
    assert answer(client) == b"one"
    kept = reactor.ports[8080]
    service.reload(parse(ONE.replace('"tcp:8080"', '["tcp:8080", "tcp:8081"]').replace('"one"', '"two"'), "edge.toml"))
    assert reactor.ports[8080] is kept and kept.listens
    assert answer(client) == answer(reactor.connect(8081)) == b"two"
    service.reload(parse(ONE.replace('"tcp:8080"', '"tcp:8081"'), "edge.toml"))
    assert not kept.listens
    assert answer(reactor.connect(8081)) == b"one"


def test_a_reload_that_cannot_listen_changes_nothing(start, reactor):
    service = start(ONE)
    reactor.taken = (8082,)
    config = parse(ONE.replace('"tcp:8080"', '["tcp:8081", "tcp:8082"]').replace('"one"', '"two"'), "edge.toml")
    before = service.config
    with pytest.raises(ConfigError, match="tcp:8082: cannot listen there"):
        service.reload(config)
    assert service.config is before
    assert [number for number, port in reactor.ports.items() if port.listens] == [8080]
    assert answer(reactor.connect(8080)) == b"one"


def test_a_file_is_read_again_and_what_is_wrong_in_it_is_said_and_not_taken(start, reactor, tmp_path):
    file = tmp_path / "edge.toml"
    service = start(parse(ONE, str(file)))
    client = reactor.connect(8080)
    file.write_text(ONE.replace('"one"', '"two"'))
    assert service.read_again()
    assert answer(client) == b"two"
    file.write_text(ONE.replace("200", "9"))
    with capturedLogs() as events:
        assert not service.read_again()
    said = [formatEvent(event) for event in events]
    assert said[0].startswith(f"{file}:9: ") and "accepted" in said[0]
    assert said[-1] == f"{file} is not taken: the configuration that runs is kept"
    assert answer(client) == b"two"


def test_without_a_file_it_is_what_options_name_that_is_read_again(start, reactor, tmp_path):
    names = tmp_path / "ads.txt"
    names.write_text("ads.example\n")
    policy = ForwardPolicy(filters=(str(names),), allow_clients=("0.0.0.0/0",))
    service = start(Config(listeners=(ForwardListener(listen=("tcp:3128",), policy=policy),)))
    names.write_text("other.example\n")
    assert not service.read_again()
    client = reactor.connect(3128)
    client.send(b"GET http://other.example/ HTTP/1.1\r\nHost: other.example\r\n\r\n")
    assert b"other.example is on the list ads" in client.received


def ended(service):
    """Has it stop; gives what has something in it once it has."""
    done = []
    service.stopService().addCallback(done.append)
    return done


def test_it_stops_once_the_last_request_has_ended(start, reactor):
    service = start(ONE)
    client = reactor.connect(8080)
    client.send(GET[:-2])
    stopped = ended(service)
    assert not reactor.ports[8080].listens
    assert not stopped
    client.send(GET[-2:])
    assert client.received.endswith(b"one")
    client.drop()
    reactor.advance(1)
    assert stopped


def test_it_waits_no_longer_than_for_the_drain(start, reactor):
    # Else the client is too slow before that.
    service = start(ONE + "[limits]\nmin_header_rate = 0\n")
    client = reactor.connect(8080)
    client.send(GET[:-2])
    stopped = ended(service)
    for _ in range(29):
        reactor.advance(1)
    assert not stopped
    reactor.advance(1)
    assert stopped
    assert client.closed


def test_what_is_cut_off_is_reset_before_all_has_ended(start, reactor):
    service = start(ONE + "[limits]\nmin_header_rate = 0\n")
    client = reactor.connect(8080)
    client.send(GET[:-2])
    closed = []
    service.stopService().addCallback(lambda _: closed.append((client.closed, client.reset)))
    for _ in range(30):
        reactor.advance(1)
    # What is left then the kernel closes as if it had come to its end.
    assert closed == [(True, True)]


def test_who_asks_again_does_not_wait(start, reactor):
    service = start(ONE)
    client = reactor.connect(8080)
    client.send(GET[:-2])
    stopped = ended(service)
    service.hurry()
    reactor.advance(0)
    assert client.closed
    assert stopped
