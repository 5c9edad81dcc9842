"""One parent proxy: its URL, what it is told, and how long it is left out."""

import pytest
from twisted.internet.task import Clock
from twisted.logger import capturedLogs

from txproxy.errors import ConfigError, ConnectionRefused, ParentError, ParentRefused
from txproxy.forward.parents.parent import Kind, Parent
from txproxy.net.via_proxy import parent_error

DOWN = parent_error(ConnectionRefused("it refused the connection"))


@pytest.mark.parametrize(
    ("text", "kind", "where", "name"),
    [
        ("http://p.example:3128", Kind.HTTP, "p.example:3128", "http://p.example:3128"),
        ("http://P.example/", Kind.HTTP, "p.example:80", "http://p.example:80"),
        ("https://p.example", Kind.HTTPS, "p.example:443", "https://p.example:443"),
        ("socks5://10.0.0.1", Kind.SOCKS5, "10.0.0.1:1080", "socks5://10.0.0.1:1080"),
        ("socks5h://[fd00::1]:9", Kind.SOCKS5, "[fd00::1]:9", "socks5://[fd00::1]:9"),
        ("http://u:secret@p.example:1;weight=3;backup", Kind.HTTP, "p.example:1", "http://p.example:1"),
        ("direct;host=a.example", Kind.DIRECT, "direct:0", "direct"),
    ],
)
def test_urls(text, kind, where, name):
    parent = Parent(text)
    assert (parent.kind, str(parent.address), parent.name, str(parent)) == (kind, where, name, name)
    assert (parent.address.tls is not None) is (kind is Kind.HTTPS)
    assert parent.direct is (kind is Kind.DIRECT)


def test_parameters():
    parent = Parent("http://p:1;host=a.example;host=*.BÜCHER.example;weight=7;backup;bind=192.0.2.1")
    assert [str(pattern) for pattern in parent.patterns] == ["a.example", "*.xn--bcher-kva.example"]
    assert (parent.weight, parent.backup, parent.address.bind) == (7, True, "192.0.2.1")
    assert Parent("http://p:1;bind=[2001:db8::1]").address.bind == "2001:db8::1"


@pytest.mark.parametrize(
    "text",
    [
        "p.example:3128",
        "ftp://p.example",
        "http://",
        "http://p.example:0",
        "http://p.example/path",
        "http://p.example?x",
        "http://[::1:80",
        "http://p.example;weight=0",
        "http://p.example;weight=1000001",
        "http://p.example;weight=²",
        "http://p.example;max=3",
        "http://p.example;backup=yes",
        "http://p.example;backup;backup",
        "http://p.example;host=",
        "http://p.example;host=a*b",
        "http://p.example;bind=p.example",
        "http://p.example;ca=/dev/null",
        "https://p.example;ca=/does/not/exist",
        "https://" + "x." * 130 + "example",
        "direct;weight=2",
        "direct;backup",
        "direct://",
        "",
    ],
)
def test_a_wrong_url_is_one_line_that_says_what_is_accepted(text):
    with pytest.raises(ConfigError) as caught:
        Parent(text)
    assert "\n" not in str(caught.value) and ("accepted" in str(caught.value) or "https" in text)


@pytest.mark.parametrize(
    "text",
    [
        "http://bob:hunter2@p.example:1;weight=0",
        "http://bob:hunter2@p.example:1/x",
        "http://bob:hunter2@p:0",
        "bob:hunter2@p.example:1",
        "http://bob:hunt;er2@p.example:1",
        "http://bob%3Ahunter2@p.example:1",
        "http://bob:hunter2%00@p.example:1",
        "http://:hunter2@p.example:1",
        "socks5://:hunter2@p.example:1",
        "socks5://bob@hunter2@p.example:1",
        "socks5://bob:" + "hunter2" * 40 + "@p.example:1",
        "https://bob:hunter2@p.example;ca=/does/not/exist",
        "https://bob:hunter2@" + "x." * 130 + "example",
        "ftp://bob:hunter2@p.example",
    ],
)
def test_no_error_has_credentials_in_it(text):
    with pytest.raises(ConfigError) as caught:
        Parent(text)
    assert "hunt" not in str(caught.value) and "bob" not in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("password", ["hunter2%40", "hunter2@"])
@pytest.mark.parametrize("scheme", ["http", "https", "socks5"])
def test_credentials_are_in_what_is_sent_alone(scheme, password):
    parent = Parent(f"{scheme}://b%C3%B6b:{password}@p.example:1")
    shown = [parent, parent.name, parent.key, parent.address, parent.address.key, parent.itself, parent.itself.key]
    assert not [text for one in shown for text in (str(one), repr(one)) if "hunter2" in text]
    opening = parent.opening("a.example", 443)
    sent = opening.take_output()
    if scheme == "socks5":
        opening.receive(b"\x05\x02")
        assert opening.take_output() == b"\x01\x04b\xc3\xb6b\x08hunter2@"
    else:
        # base64 of böb:hunter2@
        assert sent.endswith(b"\r\nProxy-Authorization: Basic YsO2YjpodW50ZXIyQA==\r\n\r\n")


def test_two_at_one_place_are_two():
    one, other = Parent("http://a:x@p:1"), Parent("http://b:x@p:1")
    assert one.name == other.name and one.key != other.key and one.itself.key != other.itself.key


def test_socks_without_credentials_offers_none():
    assert Parent("socks5://p").opening("a.example", 1).take_output() == b"\x05\x01\x00"


# -- how it fares


def made(clock):
    parent = Parent("http://p:1")
    parent.use_clock(clock)
    return parent


def usable(parent, clock):
    return parent.usable(clock.seconds())


def test_one_that_fails_is_left_out_for_longer_each_time_until_it_works():
    clock = Clock()
    parent = made(clock)
    for wait in (30, 60, 90):
        parent.failed(DOWN)
        # Those that were under way at the time tell nothing new.
        parent.failed(DOWN)
        assert parent.out and parent.cause == "it refused the connection"
        clock.advance(wait - 1)
        assert parent.out and not usable(parent, clock)
        clock.advance(1)
        assert not parent.out and usable(parent, clock)
    parent.reached()
    assert not parent.cause and usable(parent, clock)
    parent.failed(DOWN)
    clock.advance(30)
    assert usable(parent, clock)


def test_it_is_left_out_for_five_minutes_at_most():
    clock = Clock()
    parent = made(clock)
    for _ in range(20):
        parent.failed(DOWN)
        clock.advance(300)
        assert usable(parent, clock)


def test_one_request_tries_it_for_all():
    clock = Clock()
    parent = made(clock)
    parent.taken(0)
    assert usable(parent, clock), "who has not failed is not on trial"
    parent.failed(DOWN)
    clock.advance(30)
    parent.taken(clock.seconds())
    assert not usable(parent, clock)
    # Nothing came of it, as its client has left: then it is another's turn.
    clock.advance(10)
    assert usable(parent, clock)
    parent.taken(clock.seconds())
    parent.reached()
    assert usable(parent, clock)


def test_since_when_it_is_as_it_is():
    clock = Clock()
    parent = made(clock)
    clock.advance(5)
    parent.failed(DOWN)
    assert parent.since == 5
    clock.advance(30)
    parent.failed(DOWN)
    assert parent.since == 5
    clock.advance(2)
    parent.reached()
    assert parent.since == 37


def test_the_log_says_it_once_and_without_credentials():
    clock = Clock()
    with capturedLogs() as events:
        parent = Parent("http://bob:hunter2@p:1")
        parent.use_clock(clock)
        parent.reached()
        parent.failed(DOWN)
        parent.failed(DOWN)
        parent.reached()
        parent.reached()
    said = [event["log_format"].format(**event) for event in events]
    assert said == [
        "the parent proxy http://p:1 is left out for 30 s: it refused the connection",
        "the parent proxy http://p:1 works again",
    ]
    assert "hunter2" not in str(events)


def test_one_that_nobody_has_given_a_clock_is_always_usable():
    parent = Parent("http://p:1")
    parent.failed(DOWN)
    assert parent.usable(0) and not parent.out


def test_a_challenge_of_its_own_is_a_failure_of_its_own():
    parent = made(Clock())
    with pytest.raises(ParentError, match="http://p:1 wants credentials") as caught:
        parent.answered(407)
    assert (caught.value.status, caught.value.error) == (502, "proxy_configuration_error")
    assert parent.out


@pytest.mark.parametrize("served", [lambda parent: parent.answered(403), lambda parent: parent.served()])
def test_what_it_does_when_it_is_asked_is_no_failure_while_it_serves_others(served):
    clock = Clock()
    parent = made(clock)
    for _ in range(40):
        served(parent)
        clock.advance(29)
        with pytest.raises(ParentError):
            parent.answered(407)
        parent.failed(ParentRefused("it closed the connection before it answered"))
        assert not parent.out
    clock.advance(1)
    parent.failed(ParentRefused("it closed the connection before it answered"))
    assert parent.out
    served(parent)
    parent.reached()
    parent.failed(DOWN)
    assert parent.out, "who cannot be connected to has failed, whatever it did before"
