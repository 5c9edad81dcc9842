"""URLs that become others, and search engines in their safe modes."""

import pytest

from txproxy.errors import ConfigError, RequestError
from txproxy.forward.request.facts import Facts
from txproxy.forward.request.url_rewrites import Change, Rewrite, Rewrites, is_url, read_rewrites
from txproxy.wire.headers import Headers
from txproxy.wire.message import RequestHead


def request(host, path="/", port=80, scheme=b"http"):
    return Facts(RequestHead(b"GET", path.encode(), Headers(), scheme=scheme), "127.0.0.1", host, port)


def tunnel(host):
    return Facts(RequestHead(b"CONNECT", b"", Headers()), "127.0.0.1", host, 443)


@pytest.mark.parametrize(
    ("rule", "asked", "url"),
    [
        ({"hosts": ".old.example", "to": "https://new.example/"}, request("old.example", "/x"), "https://new.example/"),
        ({"hosts": ["a"], "to": "https://{host}{path}"}, request("a", "/x?y", 8080), "https://a:8080/x?y"),
        ({"url": "*://a/x/*", "to": "{scheme}://b{path}"}, request("a", "/x/y"), "http://b/x/y"),
        (
            {"url": r"~^http://(\w+)\.old/(.*)", "to": "http://{1}.new/{2}"},
            request("www.old", "/p?q"),
            "http://www.new/p?q",
        ),
        ({"url": r"~/(?P<id>\d+)(x)?$", "to": "http://b/{id}{2}"}, request("a", "/12"), "http://b/12"),
        ({"hosts": "a", "url": "*/x", "to": "http://b/{{}}"}, request("a", "/x"), "http://b/{}"),
        ({"hosts": "::1", "to": "https://{host}/"}, request("[::1]", "/x"), "https://[::1]/"),
        ({"url": "http://a/x/*", "to": "http://b{path}"}, request("a", "//x/y"), "http://b//x/y"),
        ({"hosts": "a", "to": "http://b/"}, request("b"), None),
        ({"hosts": "a", "url": "*/x", "to": "http://b/"}, request("a", "/y"), None),
        ({"url": "~nowhere", "to": "http://b/"}, request("a"), None),
        ({"hosts": "a", "to": "http://b/"}, tunnel("a"), None),
        # Where it goes anyway, and where nobody could go.
        ({"hosts": "a", "to": "http://a{path}"}, request("a", "/x"), None),
        ({"url": "~/to/(.*)", "to": "http://{1}/"}, request("a", "/to/x y@z"), None),
    ],
)
def test_a_rewrite(rule, asked, url):
    change = Rewrites([Rewrite(name="it", **rule)]).find(asked)
    assert change == (Change(name="it", url=url) if url else None)


def test_a_rewrite_keeps_requests_below_its_path():
    rewrites = Rewrites([Rewrite(name="it", hosts="a", to="http://b/debian{path}")])
    assert rewrites.find(request("a", "/x%2Fy//z")) == Change(name="it", url="http://b/debian/x%2Fy//z")
    for path in ("/..%2fsecret", "/x/..;/..;/secret", "/..\\secret"):
        with pytest.raises(RequestError):
            rewrites.find(request("a", path))
    grouped = Rewrites([Rewrite(name="it", url="~a/(.*)", to="http://b/pool/x-{1}?y=/{host}")])
    with pytest.raises(RequestError):
        grouped.find(request("a", "/..%2f..%2f..%2fsecret"))


def test_the_first_that_is_for_a_request_is_applied_and_may_redirect():
    rules = read_rewrites(
        [
            {"name": "one", "hosts": ["a"], "to": "https://{host}{path}", "redirect": 301},
            {"hosts": ["a", "b"], "to": "http://c/"},
        ]
    )
    rewrites = Rewrites(rules, ["google"])
    assert rewrites.find(request("a", "/x")) == Change(name="one", url="https://a/x", redirect=301)
    assert rewrites.find(request("b")) == Change(name="rewrites-2", url="http://c/")
    assert rewrites.find(request("d")) is None


@pytest.mark.parametrize(
    ("name", "asked", "change"),
    [
        ("google", request("www.google.com", "/search?q=x"), {"url": "http://www.google.com/search?q=x&safe=active"}),
        (
            "google",
            request("WWW.Google.co.uk", "/search?safe=off&q=x&s%61fe=0"),
            {"url": "http://www.google.co.uk/search?q=x&safe=active"},
        ),
        ("google", request("www.google.com", "/search?q=x&safe=active"), None),
        ("google", request("www.google.com", "/"), None),
        ("google", tunnel("www.google.com.au"), {"dial": "forcesafesearch.google.com"}),
        ("google", tunnel("www.google.evil.example"), None),
        ("google", tunnel("mail.google.com"), None),
        (
            "bing",
            request("www.bing.com", "/search?q=x", 443, b"https"),
            {"url": "https://www.bing.com/search?q=x&adlt=strict"},
        ),
        ("bing", tunnel("www.bing.com"), {"dial": "strict.bing.com"}),
        ("duckduckgo", request("duckduckgo.com", "/?q=x"), {"url": "http://duckduckgo.com/?q=x&kp=1"}),
        ("duckduckgo", tunnel("html.duckduckgo.com"), {"dial": "safe.duckduckgo.com"}),
        ("youtube", request("m.youtube.com", "/x"), {"lines": (b"YouTube-Restrict: Strict",)}),
        ("youtube", tunnel("www.youtube.com"), {"dial": "restrict.youtube.com"}),
        ("youtube-moderate", tunnel("youtubei.googleapis.com"), {"dial": "restrictmoderate.youtube.com"}),
        ("youtube-moderate", request("www.youtube.com"), {"lines": (b"YouTube-Restrict: Moderate",)}),
    ],
)
def test_safe_search(name, asked, change):
    found = Rewrites(safe_search=[name]).find(asked)
    assert found == (Change(name=f"safe-search-{name}", **change) if change else None)


def test_an_unknown_engine_is_refused():
    with pytest.raises(ConfigError, match="safe_search: 'altavista' is unknown; accepted: google, bing"):
        Rewrites(safe_search=["altavista"])


@pytest.mark.parametrize(
    ("rule", "why"),
    [
        ({"to": "http://b/"}, "neither hosts nor url is given; accepted are"),
        ({"hosts": ["a"]}, "to is missing; accepted is a URL"),
        ({"hosts": ["a"], "to": "b/x"}, "to: 'b/x' is no URL; accepted is"),
        ({"hosts": ["a"], "to": "ftp://b/"}, "to: 'ftp://b/' is no URL"),
        ({"hosts": ["a"], "to": "http://b c/"}, "to: 'http://b c/' is no URL"),
        ({"hosts": ["a"], "to": "http://b/{1}"}, "there is no {1}; accepted: host, path, scheme"),
        ({"url": "~a(b)", "to": "http://b/{2}"}, "there is no {2}; accepted: 1, host, path, scheme"),
        ({"hosts": ["a"], "to": "http://b/{host.x}"}, "there is no {host.x}"),
        ({"hosts": ["a"], "to": "http://b/{host!r}"}, "there is no {host}"),
        ({"hosts": ["a"], "to": "http://b/{"}, "accepted is {{ for a brace"),
        ({"hosts": ["a"], "to": "http://b/", "redirect": 200}, "redirect: 200 is none; accepted: 301, 302"),
        ({"hosts": ["a"], "to": "http://b/", "redirect": True}, "redirect: True is none"),
        ({"hosts": ["*"], "to": "http://b/"}, "'*' is no host pattern: an asterisk"),
        ({"hosts": [1], "to": "http://b/"}, "hosts: [1] is no list of hosts; accepted"),
        ({"url": "/x", "to": "http://b/"}, "'/x' is no URL pattern; accepted"),
        ({"url": "~(", "to": "http://b/"}, "'~(' is no regular expression"),
        ({"url": 1, "to": 2}, "url: 1 is no text; accepted is a string"),
        (
            {"hosts": ["a"], "to": "http://b/", "status": 301},
            "status: unknown; accepted: name, hosts, url, to, redirect",
        ),
    ],
)
def test_what_is_wrong_is_told_with_its_place(rule, why):
    with pytest.raises(ConfigError) as raised:
        read_rewrites([{"hosts": ["ok"], "to": "http://b/"}, rule], "forward.rewrites")
    assert all(line.startswith("forward.rewrites[2] 'forward.rewrites-2': ") for line in str(raised.value).splitlines())
    assert why in str(raised.value)


def test_all_that_is_wrong_is_told_at_once():
    with pytest.raises(ConfigError) as raised:
        read_rewrites([{"x": 1, "to": 2}, {"name": "two", "to": "http://b/"}])
    assert len(str(raised.value).splitlines()) == 3


@pytest.mark.parametrize("text", ["http://a/#x", "http://a/\n", "http://é/", "http:///x", "http://a:0/", "http://u@a/"])
def test_what_cannot_be_sent_is_no_url(text):
    assert not is_url(text)
