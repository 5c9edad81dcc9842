"""URL patterns: what they match, alone and by the thousand."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from txproxy.errors import ConfigError
from txproxy.matching.url_patterns import GlobIndex, UrlGlob
from txproxy.matching.urls import Url


def url(text):
    scheme, host, port, path = re.fullmatch(r"(\w+)://(\[.*\]|[^/:]*)(?::(\d+))?(/.*)", text).groups()
    return Url(scheme, host.strip("[]"), int(port or {"http": 80, "https": 443}[scheme]), path)


@pytest.mark.parametrize(
    ("glob", "matched", "others"),
    [
        (
            "http://host/private/*",
            ["http://host/private/", "http://host/private/x", "http://host:8080/private/x"],
            ["https://host/private/x", "http://host/private", "http://other/private/x", "http://host/Private/x"],
        ),
        (
            "*://*/banner/*",
            ["http://a/banner/x", "https://a.b:8443/img/banner/x"],
            ["http://banner/x", "http://a/banner"],
        ),
        (
            "*://ads.example/*",
            ["http://ads.example/", "https://ads.example/x"],
            ["http://good.example/?u=http://ads.example/x", "http://x.ads.example/"],
        ),
        (
            "*://*.example/x*",
            ["http://a.b.example/xy"],
            ["http://good.test/.example/x", "http://example/x"],
        ),
        ("http://host:8080/*", ["http://host:8080/x"], ["http://host/x"]),
        ("*://*:8080/*", ["http://any:8080/x"], ["http://any/x"]),
        ("http://host:*/x", ["http://host:81/x", "http://host/x"], ["http://host/y"]),
        ("http://[2001:db8::1]/*", ["http://[2001:db8::1]/x"], ["http://[2001:db8::2]/x"]),
        ("http://HOST./x", ["http://host/x"], []),
        ("http://host:080/x", ["http://host/x"], ["http://host:81/x"]),
        ("http://b\u00fccher.example/x", ["http://xn--bcher-kva.example/x"], []),
        ("*://*.b\u00fccher.example./x", ["http://www.xn--bcher-kva.example/x"], ["http://xn--bcher-kva.example/x"]),
        ("http://host/\u00fc*", ["http://host/%C3%BCx"], ["http://host/u"]),
        ("*://*/\u00fc/*", ["http://host/a/%C3%BC/x"], ["http://host/u/"]),
        ("*/\u00fc", ["http://host/%C3%BC"], ["http://host/u"]),
        ("http://host", ["http://host/"], ["http://host/x"]),
        ("http://ads.*", ["http://ads.example/x"], ["http://bads.example/x"]),
        ("*/banner/*", ["http://a/banner/x"], ["http://a/x"]),
        ("*.gif", ["http://a/b/c.gif"], ["http://a/c.gif?x"]),
        ("http*://a/?", ["http://a/x", "https://a/y"], ["http://a/", "http://a/xy"]),
        ("*://h?st/*", ["http://host/", "http://hast/"], ["http://hst/"]),
        ("http://host/%7Euser/*", ["http://host/~user/x"], []),
        ("*://*/?ad=*", ["http://a/?ad=1", "http://a/b/?ad="], ["http://a/ad=1"]),
    ],
)
def test_url_globs(glob, matched, others):
    pattern = UrlGlob(glob)
    assert [text for text in matched + others if pattern.matches(url(text))] == matched


def test_case_is_of_the_path_and_can_be_ignored():
    assert UrlGlob("HTTP://Host/A", ignore_case=False).matches(url("http://host/A"))
    assert not UrlGlob("http://host/A").matches(url("http://host/a"))
    assert UrlGlob("http://host/A*", ignore_case=True).matches(url("http://host/aB"))
    assert UrlGlob("*/Banner/*", ignore_case=True).matches(url("http://host/bANNER/"))


@pytest.mark.parametrize("text", ["", "host", "/x/*", "http//x", "://x", "* x", "http://a b/*", "http://host/a b"])
def test_what_can_be_no_url_is_refused(text):
    with pytest.raises(ConfigError, match="accepted"):
        UrlGlob(text)


GLOBS = [
    "http://host/private/*",
    "*://*.under.example/x*",
    "*://*/banner/*",
    "*://*/??.gif",
    *(f"*://*/{word}{number}/*" for word in ("adserv", "track") for number in range(40)),
    *(f"*{word}*" for word in ("pixel.", "beac", "spons")),
]


@pytest.mark.parametrize(
    ("text", "glob"),
    [
        ("http://host/private/x", "http://host/private/*"),
        ("http://host/other", None),
        ("http://a.b.under.example/xy", "*://*.under.example/x*"),
        ("http://under.example/xy", None),
        ("http://any/BANNER/x", "*://*/banner/*"),
        ("http://any/ab.gif", "*://*/??.gif"),
        ("http://any/track17/x", "*://*/track17/*"),
        ("http://any/x/adserv3/", "*://*/adserv3/*"),
        ("http://any/adserv41/", None),
        ("http://any/a/pixel.gif", "*pixel.*"),
        ("http://any/ab/pixel.gif", "*pixel.*"),
        ("http://any/beacon", "*beac*"),
        ("http://spons/", "*spons*"),
    ],
)
def test_an_index_finds_what_one_by_one_would(text, glob):
    globs = [UrlGlob(pattern, ignore_case=True) for pattern in GLOBS]
    found = GlobIndex(globs).find((url(text),))
    assert (found.text if found else None) == glob
    assert glob is None or [g.text for g in globs if g.matches(url(text))] == [glob]


WORDS = ["ads", "banner", "x", "/", "track", ".", "sponsored"]
PARTS = st.lists(st.sampled_from([*WORDS, "*", "?"]), min_size=1, max_size=5).map("".join)


@pytest.mark.no_cover
@settings(max_examples=400)
@given(
    st.lists(st.tuples(st.sampled_from(["*", "a.example", "*.example", "*a*"]), PARTS), max_size=24),
    st.sampled_from(["a.example", "b.a.example", "other"]),
    st.lists(st.sampled_from(WORDS), max_size=6).map("".join),
)
def test_an_index_agrees_with_its_globs(globs, host, path):
    patterns = [UrlGlob(f"*://{name}/{rest}", ignore_case=True) for name, rest in globs]
    asked = Url("http", host, 80, "/" + path)
    found = GlobIndex(patterns).find((asked,))
    matching = [pattern for pattern in patterns if pattern.matches(asked)]
    assert (found in matching) if matching else found is None


def test_each_spelling_of_a_url_is_looked_at():
    index = GlobIndex([UrlGlob("http://host/private/*")])
    assert len(index) == 1
    assert index.find((url("http://host//private/x"), url("http://host/private/x"))) is not None
    assert GlobIndex().find((url("http://host/"),)) is None
