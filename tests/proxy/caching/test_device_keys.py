"""Pages by the class of a device: each class has its own, and no client says for others which one it gets."""

import pytest

from tests.proxy.caching.caching_proxy import get

FRESH = {"cache_control": "max-age=60"}
PHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) Mobile/15E148"
OTHER_PHONE = "Mozilla/5.0 (Android 14; Mobile; rv:127.0) Firefox/127.0"
TABLET = "Mozilla/5.0 (iPad; CPU OS 12_5 like Mac OS X) Mobile/15E148"
DESKTOP = "Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Firefox/127.0"
TOLD = "X-UA-Device"


def ask(proxy, response=None, **fields):
    """What a client gets, and what the server was asked, or None; it answers at once."""
    return proxy.ask(get(**fields), proxy.response(**FRESH) if response is None else response)


def told(question):
    """What a server was told of the device, all of it."""
    lines = question.split(b"\r\n")
    return [line for line in lines if line.partition(b":")[0].lower().replace(b"_", b"-") == b"x-ua-device"]


@pytest.mark.parametrize("key_device", [True, TOLD])
def test_each_class_has_its_own(make, key_device):
    proxy = make(key_device=key_device)
    for agent in (PHONE, TABLET, DESKTOP):
        _, asked = proxy.ask(get(user_agent=agent), proxy.response(agent[:20], **FRESH))
        assert asked is not None
    for agent, first in ((OTHER_PHONE, PHONE), (PHONE, PHONE), (TABLET, TABLET), ("curl/8", DESKTOP)):
        for _ in range(3):
            answer, asked = proxy.ask(get(user_agent=agent))
            assert asked is None and answer.body.decode() == first[:20]


def test_without_it_all_have_one(proxy):
    proxy.ask(get(user_agent=PHONE), proxy.response(**FRESH))
    assert proxy.ask(get(user_agent=DESKTOP))[1] is None


def test_servers_are_told_where_it_is_asked_for_alone(make):
    assert told(ask(make(key_device=True), user_agent=PHONE)[1]) == []
    assert told(ask(make(key_device=TOLD), user_agent=PHONE)[1]) == [b"X-UA-Device: mobile"]


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "DELETE", "OPTIONS"])
def test_servers_are_told_with_each_method(make, method):
    proxy = make(key_device=TOLD)
    request = get(method=method, user_agent=TABLET, x_ua_device="forged")
    _, asked = proxy.ask(request, proxy.response("", length=0))
    assert told(asked) == [b"X-UA-Device: tablet"]


@pytest.mark.parametrize("how", [{"range": "bytes=0-1"}, {"if_match": '"a"'}, {"authorization": "Basic YTpi"}])
def test_servers_are_told_by_each_way_past_the_cache(make, how):
    _, asked = ask(make(key_device=TOLD), user_agent=TABLET, x_ua_device="forged", **how)
    assert told(asked) == [b"X-UA-Device: tablet"]


def test_servers_are_told_of_what_cannot_be_kept(make):
    proxy = make(key_device=TOLD)
    for agent, device in ((PHONE, b"mobile"), (PHONE, b"mobile"), (PHONE, b"mobile"), (DESKTOP, b"desktop")):
        _, asked = proxy.ask(get(user_agent=agent), proxy.response(cache_control="no-store"))
        assert told(asked) == [b"X-UA-Device: " + device]


@pytest.mark.parametrize(
    "attack",
    [
        "X-UA-Device: desktop",
        "x_ua_device: desktop",
        "X-UA_Device: desktop",
        "X-UA-Device: desktop\r\nX-UA-Device: desktop",
        "Connection: X-UA-Device",
        "Connection: X-UA-Device, close\r\nX-UA-Device: desktop",
    ],
)
def test_what_a_client_says_of_its_class_is_replaced(make, attack):
    proxy = make(key_device=TOLD)
    request = f"GET /x HTTP/1.1\r\nHost: a\r\nUser-Agent: {PHONE}\r\n{attack}\r\n\r\n".encode()
    _, asked = proxy.ask(request, proxy.response(**FRESH))
    assert told(asked) == [b"X-UA-Device: mobile"]
    assert proxy.ask(get(user_agent=PHONE))[1] is None
    assert ask(proxy, user_agent=DESKTOP)[1] is not None


def test_who_hides_what_browser_it_is_has_a_desktop_for_servers_too(make):
    proxy = make(key_device=True)
    _, asked = proxy.ask(get(user_agent=PHONE, connection="User-Agent"), proxy.response("for a desktop", **FRESH))
    assert b"iPhone" not in asked
    assert ask(proxy, user_agent=PHONE)[1] is not None


def test_a_hint_is_in_no_key_of_which_servers_are_not_told(make):
    proxy = make(key_device=True)
    proxy.ask(get(user_agent=DESKTOP, sec_ch_ua_mobile="?1"), proxy.response("for a desktop", **FRESH))
    assert ask(proxy, user_agent=PHONE)[1] is not None


def test_responses_may_be_chosen_by_the_class(make):
    proxy = make(key_device=TOLD)
    proxy.ask(get(user_agent=PHONE), proxy.response(vary=TOLD, **FRESH))
    assert proxy.ask(get(user_agent=OTHER_PHONE, x_ua_device="desktop"))[1] is None


def test_the_class_may_be_told_in_place_of_the_browser(make):
    proxy = make(key_device="User-Agent")
    _, asked = proxy.ask(get(user_agent=PHONE), proxy.response(vary="User-Agent", **FRESH))
    assert b"User-Agent: mobile\r\n" in asked and b"iPhone" not in asked
    assert proxy.ask(get(user_agent=OTHER_PHONE))[1] is None


def test_what_is_changed_is_gone_for_all_classes(make):
    proxy = make(key_device=True)
    for agent in (PHONE, DESKTOP):
        proxy.ask(get(user_agent=agent), proxy.response(**FRESH))
    proxy.ask(get(method="DELETE", user_agent=TABLET), proxy.response(""))
    for agent in (PHONE, DESKTOP):
        assert proxy.ask(get(user_agent=agent), proxy.response(**FRESH))[1] is not None


def test_herds_of_two_classes_are_two(make):
    proxy = make(key_device=True)
    proxy.herd(*[get(user_agent=agent) for agent in (PHONE, DESKTOP, OTHER_PHONE, PHONE, "curl/8")])
    asked = proxy.questions()
    assert len(asked) == 2
    for connection, _ in asked:
        connection.send(proxy.response(**FRESH))
