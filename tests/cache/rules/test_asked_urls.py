"""The URLs that a request is for."""

import pytest

from tests.cache.rules.asking import asked
from txproxy.cache.rules.asked_urls import asked_urls
from txproxy.errors import AmbiguousPath


@pytest.mark.parametrize(
    ("words", "url"),
    [
        ({"path": "/x?q=%41&r=%2f"}, "http://a.example/x?q=A&r=%2F"),
        ({"host": "A.Example.:8080"}, "http://a.example:8080/"),
        ({"scheme": b"https", "host": "a.example:443"}, "https://a.example/"),
        ({"scheme": b"ws"}, "http://a.example/"),
        ({"host": "[::1]:81"}, "http://[::1]:81/"),
        ({"host": "0x7f.1"}, "http://127.0.0.1/"),
        ({"host": ""}, "http:///"),
        ({"path": "*"}, "http://a.example*"),
    ],
)
def test_a_url_has_one_spelling(words, url):
    assert [one.text for one in asked_urls(*asked(**words))] == [url]


def test_each_way_to_read_a_path_is_a_url():
    paths = [one.path for one in asked_urls(*asked("/a/..%2fb?q"))]
    assert paths[0] == "/b?q" and "/a/..%2Fb?q" in paths


def test_what_can_be_read_in_too_many_ways_is_nothing():
    with pytest.raises(AmbiguousPath):
        asked_urls(*asked("/" + "%252f;x\\..//.%2e/%00%3f%23%5c" * 3 + "%20"))
