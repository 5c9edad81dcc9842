"""Ports: one grammar, wherever somebody writes some."""

import pytest

from tests.forward.access.conditions.asking import fits, request
from txproxy.config.endpoints import server_endpoint
from txproxy.errors import ConfigError
from txproxy.forward.access.conditions.condition_types import CONDITION_TYPES
from txproxy.forward.parents.no_proxy import NoProxy
from txproxy.forward.policy import ForwardPolicy
from txproxy.matching.ports import Ports, covers, port_number, port_range, read_port
from txproxy.matching.url_patterns import UrlGlob
from txproxy.matching.urls import Url
from txproxy.upstreams.upstream_urls import parse_tcp_upstream
from txproxy.wire.target import split_authority

NO_PORTS = ["65536", "99999", "000080", "a", "-1", "8_0", "+80", "\u0663", "1" * 5000, "8\uff10"]


def test_ports_are_numbers_and_ranges():
    ports = Ports(["80", "8000-8002", 443, (90, 91)])
    asked = (79, 80, 90, 91, 92, 443, 7999, 8000, 8002, 8003)
    assert [port for port in asked if port in ports] == [80, 90, 91, 443, 8000, 8002]


@pytest.mark.parametrize("text", [*NO_PORTS, "", "0", "9-8", "1-", "0-80", "1-65536", " 80", "80 - 90", True, 8.0])
def test_what_is_no_port_is_refused(text):
    with pytest.raises(ConfigError, match="is no port; accepted is 1 to 65535 or a range such as 8000-8999"):
        Ports([text])


def _rule(text):
    return next(kind for kind in CONDITION_TYPES if kind.key == "ports").parse(text)


# Every place where somebody writes a port.
PLACES = {
    "allow_ports": lambda text: ForwardPolicy(allow_ports=[text]),
    "rule's ports": _rule,
    "number": port_number,
    "no_proxy": lambda text: NoProxy([f"a.example:{text}"]),
    "network of no_proxy": lambda text: NoProxy([f"10.0.0.0/8:{text}"]),
    "url": lambda text: UrlGlob(f"http://a.example:{text}/"),
    "upstream": lambda text: parse_tcp_upstream(f"a.example:{text}"),
    "endpoint": lambda text: server_endpoint(None, f"tcp:{text}"),
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("text", NO_PORTS, ids=lambda text: ascii(text)[:20])
def test_every_place_refuses_what_is_none(place, text):
    with pytest.raises(ConfigError, match="accepted"):
        PLACES[place](text)


@pytest.mark.parametrize("text", ["80", "080", "00080"])
def test_a_port_is_the_same_one_everywhere(text):
    assert read_port(text) == port_number(text) == split_authority(b"a:" + text.encode())[1] == 80
    assert port_range(text) == (80, 80)
    glob = UrlGlob(f"http://a.example:{text}/")
    assert glob.matches(Url("http", "a.example", 80, "/")) and glob.literal_port == 80
    assert not glob.matches(Url("http", "a.example", 81, "/"))
    assert fits("ports", text, request(port=80)) and not fits("ports", text, request(port=81))
    assert NoProxy([f"a.example:{text}"]).has("a.example", 80)


def test_port_0_is_for_those_who_listen_alone():
    server_endpoint(None, "tcp:0")
    for place, parse in PLACES.items():
        if place != "endpoint":
            with pytest.raises(ConfigError, match="accepted"):
                parse("0")


def test_ranges_cover_and_meet_others():
    assert covers((1, 9), (2, 9)) and not covers((2, 9), (1, 9))
    ports = Ports(["80", "8000-8002"])
    assert ports.meets((70, 80)) and ports.meets((8001, 8001)) and ports.meets((7000, 9000))
    assert not ports.meets((81, 7999)) and not ports.meets((8003, 9000))
