"""Endpoint strings."""

import errno
import socket
import stat

import pytest
from twisted.internet.protocol import Factory

from txproxy.config.endpoints import Bound, endpoint_text, not_there, server_endpoint
from txproxy.errors import ConfigError


@pytest.mark.parametrize(
    "text", ["tcp:80", "tcp:0:interface=127.0.0.1", r"tcp6:80:interface=\:\:1", "unix:/run/x.sock"]
)
def test_endpoints_are_looked_at_without_being_opened(text):
    assert endpoint_text(text) == text


@pytest.mark.parametrize(
    ("text", "mode"),
    [
        ("unix:{}", 0o660), ("unix:address={}", 0o660), ("unix:{}:backlog=5", 0o660), ("unix:{}:mode=600", 0o600),
        ("unix:{}:mode=666", 0o666), ("unix:{}:640", 0o640),
    ],
)  # fmt: skip
def test_unix_sockets_are_for_owner_and_group_where_nothing_else_is_said(text, mode, tmp_path):
    from twisted.internet import reactor

    path = tmp_path / "x"
    port = server_endpoint(reactor, text.format(path)).listen(Factory()).result
    assert stat.S_IMODE(path.stat().st_mode) == mode
    port.stopListening()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", ""),
        ("tcp", "the port is no number"),
        ("tcp:x", "the port is no number from 0 to 65535"),
        ("65536", "the port is no number from 0 to 65535"),
        ("127.0.0.1:99999", "the port is no number"),
        ("nonsense:80", ""),
        ("example.com:80", ""),
        ("tcp:80:what=1", "tcp: takes port, interface, backlog, each once"),
        ("tcp:80:port=80", "each once"),
        ("tcp:127.0.0.1:80", "the port is no number"),
        ("tcp:80:interface=a.example", "'a.example' is no address of this machine"),
        ("tcp6:80:interface=127.0.0.1", "127.0.0.1 is no address of IPv6"),
        ("::1:8080", ""),
        ("[::1]", ""),
        ("[]:80", ""),
        ("[::g]:80", "'::g' is no address"),
        ("1.2.3:80", "'1.2.3' is no address"),
        ("80:127.0.0.1", ""),
        ("unix:", "there is no path"),
        ("unix:/x:mode=999", "the mode is none such as 660"),
        ("systemd", ""),
        ("ssl:443", ""),
        (80.5, ""),
        (True, ""),
    ],
)
def test_what_is_none_is_refused_in_one_line(text, why):
    with pytest.raises(ConfigError) as caught:
        endpoint_text(text)
    said = str(caught.value)
    assert why in said and "accepted are 8080, :8080, 127.0.0.1:8080, [::1]:8080, [::]:8080" in said
    assert (
        said.startswith("true is" if text is True else f"{text!r} is no endpoint")
        and "\n" not in said
        and "_parse" not in said
    )


@pytest.mark.parametrize(
    ("text", "long"),
    [
        ("8080", "tcp:8080"),
        (":8080", "tcp:8080"),
        ("127.0.0.1:8080", "tcp:8080:interface=127.0.0.1"),
        ("[::1]:8080", r"tcp6:8080:interface=\:\:1"),
        ("[::]:8080", r"tcp6:8080:interface=\:\:"),
    ],
)
def test_shorthands_are_what_people_mean(text, long):
    assert endpoint_text(text) == text and Bound.of(text) == Bound.of(long)


def test_a_number_is_a_port():
    assert endpoint_text(8080) == "8080"


@pytest.mark.parametrize(("text", "hosts"), [("[::]:{}", ["127.0.0.1", "::1"]), ("127.0.0.1:{}", ["127.0.0.1"])])
def test_shorthands_can_be_listened_on(text, hosts):
    from twisted.internet import reactor

    port = server_endpoint(reactor, text.format(0)).listen(Factory()).result
    for host in hosts:
        socket.create_connection((host, port.getHost().port)).close()
    port.stopListening()


def test_what_the_service_manager_opens_is_not_there_yet():
    assert endpoint_text("systemd:domain=INET:index=0") == "systemd:domain=INET:index=0"


@pytest.mark.parametrize(
    ("text", "bound"),
    [
        ("tcp:80", Bound("", 80)),
        ("tcp:80:interface=127.0.0.1", Bound("127.0.0.1", 80)),
        ("tcp:port=80:interface=0.0.0.0:backlog=5", Bound("", 80)),
        (r"tcp6:80:interface=\:\:1", Bound("::1", 80)),
        (r"tcp6:80:interface=\:\:", Bound("", 80)),
        ("unix:/run/x.sock:mode=660", Bound(path="/run/x.sock")),
        ("unix:address=/run/x.sock", Bound(path="/run/x.sock")),
        ("systemd:domain=INET:index=0", Bound(path="systemd:domain=INET:index=0")),
    ],
)
def test_what_an_endpoint_takes_is_known(text, bound):
    assert Bound.of(text) == bound


@pytest.mark.parametrize(
    ("one", "other", "both"),
    [
        ("tcp:80", "tcp:80", False),
        ("tcp:80", "tcp:80:interface=127.0.0.1", False),
        ("tcp:80:interface=127.0.0.2", "tcp:80:interface=127.0.0.1", True),
        ("tcp:80", "tcp:81", True),
        ("tcp:0", "tcp:0", True),
        ("unix:/a", "unix:/a:mode=600", False),
        ("unix:/a", "unix:/b", True),
        ("unix:/a", "tcp:80", True),
    ],
)
def test_two_that_cannot_both_be_opened_are_found(one, other, both):
    assert Bound.of(one).collides(Bound.of(other)) is not both
    assert Bound.of(other).collides(Bound.of(one)) is not both


@pytest.mark.parametrize(
    ("text", "host", "port", "hears"),
    [
        ("tcp:80", "127.0.0.1", 80, True),
        ("tcp:80", "localhost", 80, True),
        ("tcp:80", "10.0.0.1", 80, False),
        ("tcp:80", "127.0.0.1", 81, False),
        ("tcp:80:interface=127.0.0.1", "localhost", 80, True),
        ("tcp:80:interface=10.0.0.1", "10.0.0.1", 80, True),
        ("tcp:80:interface=10.0.0.1", "127.0.0.1", 80, False),
        ("tcp:0", "127.0.0.1", 0, False),
        ("unix:/a", "", 0, False),
    ],
)
def test_who_listens_there_is_known_as_far_as_can_be(text, host, port, hears):
    assert Bound.of(text).hears(host, port) is hears


@pytest.mark.parametrize(
    ("number", "port", "said"),
    [
        (errno.EACCES, 80, "x; accepted is a port from 1024, or who has CAP_NET_BIND_SERVICE"),
        (errno.EACCES, "/run/x.sock", "x"),
        (errno.EADDRINUSE, 80, "x"),
    ],
)
def test_who_may_listen_below_1024_is_told_to_who_may_not(number, port, said):
    assert not_there(OSError(number, "x"), port) == f"cannot listen there: {said}"
