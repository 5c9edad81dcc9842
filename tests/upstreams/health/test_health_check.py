"""What upstreams are asked: which values are taken, and which are refused by name."""

import re

import pytest

from txproxy.errors import ConfigError
from txproxy.upstreams.health.health_check import HealthCheck, Statuses


def test_defaults_are_those_of_the_command_line():
    check = HealthCheck()
    assert (check.kind, check.method, check.path, check.host, check.body) == ("http", b"GET", b"/health", None, None)
    assert (check.interval, check.timeout, check.rise, check.fall) == (5, 2, 2, 3)
    assert str(check.expect) == "200-399"


def test_text_is_taken_for_bytes():
    check = HealthCheck(path="/up", method="HEAD", host="a.example")
    assert (check.path, check.method, check.host) == (b"/up", b"HEAD", b"a.example")
    assert HealthCheck(body="schön").body == "schön".encode()


@pytest.mark.parametrize(
    ("value", "inside", "outside"),
    [
        (204, [204], [200, 203, 205]),
        ("204", [204], [203, 205]),
        ("200-299", [200, 250, 299], [300, 404]),
        ("200-299, 401,403", [200, 299, 401, 403], [400, 402, 500]),
        ([204, "300-399"], [204, 300, 399], [200, 400]),
        (Statuses(((500, 599),)), [500, 599], [200]),
    ],
)
def test_statuses_are_numbers_ranges_and_lists(value, inside, outside):
    expect = HealthCheck(expect=value).expect
    assert all(status in expect for status in inside)
    assert not any(status in expect for status in outside)
    assert Statuses.of(str(expect)) == expect


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "udp"},
        {"path": b"health"},
        {"path": b"/a b"},
        {"path": b"/a#b"},
        {"path": b"/a\r\nX: y"},
        {"path": "/ü"},
        {"path": 5},
        {"method": 5},
        {"host": 5},
        {"body": 5},
        {"kind": 5},
        {"method": b"CONNECT"},
        {"method": b"GE T"},
        {"method": b""},
        {"interval": 0},
        {"interval": -1},
        {"interval": float("nan")},
        {"interval": float("inf")},
        {"interval": "5"},
        {"interval": True},
        {"timeout": 0},
        {"rise": 0},
        {"rise": 1.5},
        {"fall": 0},
        {"fall": True},
        {"fall": 1001},
        {"expect": ""},
        {"expect": []},
        {"expect": 99},
        {"expect": "100"},
        {"expect": "600"},
        {"expect": "299-200"},
        {"expect": "200-"},
        {"expect": "200-299-300"},
        {"expect": "ok"},
        {"expect": [200, "x"]},
        {"expect": 200.5},
        {"expect": None},
        {"body": b""},
        {"body": re.compile("text")},
        {"body": b"ok", "kind": "connect"},
        {"body": b"ok", "method": b"HEAD"},
        {"host": b""},
        {"host": b"a b"},
        {"host": b"a\r\nX: y"},
        {"host": b"user@a"},
    ],
    ids=repr,
)
def test_wrong_values_are_refused_by_name(wrong):
    with pytest.raises(ConfigError) as refused:
        HealthCheck(**wrong)
    text = str(refused.value)
    assert text.startswith(f"health check: {next(iter(wrong))}: cannot be ")
    assert "; accepted is " in text
    assert "\n" not in text
