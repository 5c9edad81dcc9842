"""Which kind of device a request comes from."""

from __future__ import annotations

import pytest

from txproxy.cache.device_class import class_of_agent, device_class, policy_class
from txproxy.cache.policy import CachePolicy
from txproxy.wire.headers import Headers

_WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko)"
_AGENTS = [
    # Phones: Chrome, Safari, Firefox, Samsung's, Opera, Edge, and older ones.
    ("mobile", f"Mozilla/5.0 (Linux; Android 10; K) {_WEBKIT} Chrome/126.0.0.0 Mobile Safari/537.36"),
    ("mobile", "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1 Mobile/15E148 Safari/604.1"),
    ("mobile", "Mozilla/5.0 (iPod touch; CPU iPhone OS 12_0 like Mac OS X) AppleWebKit/604.1.34"),
    ("mobile", "Mozilla/5.0 (Android 14; Mobile; rv:127.0) Gecko/127.0 Firefox/127.0"),
    ("mobile", f"Mozilla/5.0 (Linux; Android 10; K) {_WEBKIT} SamsungBrowser/25.0 Chrome/121.0 Mobile Safari/537.36"),
    ("mobile", "Opera/9.80 (Android; Opera Mini/36.2/119.132; U; en) Presto/2.12.423 Version/12.16"),
    ("mobile", "Opera/9.80 (J2ME/MIDP; Opera Mini/9.80; U; en) Presto/2.5.25 Version/10.54"),
    ("mobile", f"Mozilla/5.0 (Windows Phone 10.0; Android 6.0.1; Microsoft; Lumia 950) {_WEBKIT} Mobile Safari/537.36"),
    ("mobile", "Mozilla/5.0 (BB10; Touch) AppleWebKit/537.10+ (KHTML, like Gecko) Version/10.0 Mobile Safari/537.10+"),
    ("mobile", "BlackBerry9700/5.0.0.862 Profile/MIDP-2.1 Configuration/CLDC-1.1"),
    ("mobile", "Mozilla/5.0 (Mobile; Nokia_8000_4G; rv:48.0) Gecko/48.0 Firefox/48.0 KAIOS/2.5"),
    ("mobile", f"Mozilla/5.0 (Linux; Android 5.1; KFAUWI) {_WEBKIT} Silk/108.4 like Chrome/108 Mobile Safari/5"),
    # Tablets.
    ("tablet", "Mozilla/5.0 (iPad; CPU OS 12_5 like Mac OS X) AppleWebKit/605.1 Version/12.1 Mobile/15E148 Safari/604"),
    ("tablet", f"Mozilla/5.0 (Linux; Android 13; SM-X906C) {_WEBKIT} Chrome/126.0.0.0 Safari/537.36"),
    ("tablet", "Mozilla/5.0 (Android 13; Tablet; rv:127.0) Gecko/127.0 Firefox/127.0"),
    ("tablet", "Opera/9.80 (Android 3.2; Linux; Opera Tablet/ADR-1109081720; U; ja) Presto/2.8.149 Version/11.10"),
    ("tablet", f"Mozilla/5.0 (Linux; Android 9; KFMAWI) {_WEBKIT} Silk/126.2 like Chrome/126.0 Safari/537.36"),
    ("tablet", "Mozilla/5.0 (PlayBook; U; RIM Tablet OS 2.1.0; en-US) AppleWebKit/536.2+ Safari/536.2+"),
    # Desktops; a Mac is what an iPad says that it is where it wants the pages of one.
    ("desktop", f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {_WEBKIT} Chrome/126.0.0.0 Safari/537.36"),
    ("desktop", "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 Version/17.5 Safari/605.1.15"),
    ("desktop", "Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0"),
    ("desktop", "Mozilla/4.0 (compatible; MSIE 8.0; Windows NT 6.1; Trident/4.0; Tablet PC 2.0)"),
    ("desktop", "curl/7.88.1"),
    ("desktop", ""),
    # Crawlers are what they say.
    ("desktop", "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"),
    ("mobile", f"Mozilla/5.0 (Linux; Android 6.0.1; Nexus 5X) {_WEBKIT} Mobile Safari/5 (compatible; Googlebot/2)"),
    ("desktop", "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)"),
]  # fmt: skip


def _class(*lines: str) -> str:
    return device_class(Headers.parsed([line.encode() for line in lines])).decode()


@pytest.mark.parametrize(("device", "agent"), _AGENTS)
def test_browsers_are_what_they_say(device: str, agent: str) -> None:
    assert _class(f"User-Agent: {agent}") == device


def test_who_says_nothing_has_a_desktop() -> None:
    assert _class() == "desktop"


@pytest.mark.parametrize(
    ("hint", "agent", "device"),
    [
        ("?1", "", "mobile"),
        ("?1", "Mozilla/5.0 (X11; Linux x86_64)", "mobile"),
        # No phone is a tablet or none.
        ("?0", "Mozilla/5.0 (Linux; Android 13; K)", "tablet"),
        ("?0", "Mozilla/5.0 (X11; Linux x86_64)", "desktop"),
        # What is no boolean says nothing.
        ("1", "curl/8", "desktop"),
        ("?1, ?0", "curl/8", "desktop"),
    ],
)
def test_a_hint_of_the_browser_counts(hint: str, agent: str, device: str) -> None:
    lines = [f"Sec-CH-UA-Mobile: {hint}".encode(), f"User-Agent: {agent}".encode()]
    assert device_class(Headers.parsed(lines), hinted=True).decode() == device


def test_a_hint_counts_where_servers_are_told_what_comes_of_it() -> None:
    request = Headers.parsed([b"Sec-CH-UA-Mobile: ?1", b"User-Agent: curl/8"])
    assert policy_class(CachePolicy(key_device=True), request) == b"desktop"
    assert policy_class(CachePolicy(key_device="X-UA-Device"), request) == b"mobile"


def test_what_is_for_one_hop_says_nothing() -> None:
    assert _class("User-Agent: (iPhone)", "Connection: User-Agent") == "desktop"


def test_no_length_of_what_is_said_costs_memory_or_time() -> None:
    class_of_agent.cache_clear()
    assert _class("User-Agent: " + "Android " * 8000) == "tablet"
    assert _class("User-Agent: " + "x" * 600 + "iPhone") == "desktop"
    for number in range(3000):
        _class(f"User-Agent: browser/{number} {'x' * 2000}")
    assert class_of_agent.cache_info().currsize <= 1024


def test_a_class_is_its_own_class() -> None:
    # So it may be told in User-Agent.
    assert [class_of_agent(one) for one in (b"mobile", b"tablet", b"desktop")] == [b"mobile", b"tablet", b"desktop"]
