"""What an upstream says of itself, as its client must see it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from txproxy.matching.paths import has_prefix
from txproxy.reverse.rewriting.response_mapping import WayBack
from txproxy.testing import context_of
from txproxy.wire.headers import Headers
from txproxy.wire.message import RequestHead

UPSTREAM = b"up.internal:8001"


def reference(value, strip=b"", add=b"", scheme="https", host=b"a.example", upstream=UPSTREAM):
    head = RequestHead(b"GET", b"/api/x", Headers(), authority=host)
    return WayBack(strip, add).reference(value, head, context_of("192.0.2.7", scheme), upstream)


def cookie(value, strip=b"", add=b"", host=b"www.a.example:8443", upstream=UPSTREAM, domains=None):
    head = RequestHead(b"GET", b"/api/x", Headers(), authority=host)
    return WayBack(strip, add, domains).cookie(value, head, context_of("192.0.2.7", "https"), upstream)


@pytest.mark.parametrize(
    ("value", "mapped"),
    [
        # the upstream's own name
        (b"http://up.internal:8001/x?y#z", b"https://a.example/x?y#z"),
        (b"HTTP://UP.Internal.:8001/x", b"https://a.example/x"),
        (b"https://up.internal:8001/x", b"https://a.example/x"),
        (b"http://up.internal:8001", b"https://a.example"),
        (b"http://up.internal:8001?x", b"https://a.example?x"),
        (b"//up.internal:8001/x", b"//a.example/x"),
        # the client's, which the upstream was told, without TLS
        (b"http://a.example/x", b"https://a.example/x"),
        (b"http://a.example:80/x", b"https://a.example/x"),
        (b"https://A.example/x", b"https://a.example/x"),
        # others
        (b"http://up.internal/x", b"http://up.internal/x"),
        (b"http://up.internal:8002/x", b"http://up.internal:8002/x"),
        (b"http://other.example/x", b"http://other.example/x"),
        (b"//other.example/x", b"//other.example/x"),
        (b"ftp://up.internal:8001/x", b"ftp://up.internal:8001/x"),
        (b"myapp://up.internal:8001/x", b"myapp://up.internal:8001/x"),
        # no URL that all read the same
        (b"http://user@up.internal:8001/x", b"http://user@up.internal:8001/x"),
        (b"http://up.internal:8001@evil.example/x", b"http://up.internal:8001@evil.example/x"),
        (b"http://up.internal:8001\\@evil.example/", b"http://up.internal:8001\\@evil.example/"),
        (b"http://up.internal:8001\\x", b"http://up.internal:8001\\x"),
        (b"http:/up.internal:8001/x", b"http:/up.internal:8001/x"),
        (b"http:\\\\up.internal:8001/x", b"http:\\\\up.internal:8001/x"),
        (b"http://up.internal:99999/x", b"http://up.internal:99999/x"),
        (b"http:///x", b"http:///x"),
        (b"/\\evil.example", b"/\\evil.example"),
        (b"///evil.example", b"///evil.example"),
        (b"//up.internal:8001\\x", b"//up.internal:8001\\x"),
        (b"javascript:alert(1)", b"javascript:alert(1)"),
        # relative
        (b"/x", b"/x"),
        (b"x/y?z", b"x/y?z"),
        (b"../x", b"../x"),
        (b"?x", b"?x"),
        (b"#x", b"#x"),
        (b"", b""),
        (b"\xff", b"\xff"),
    ],
)
def test_references_without_prefixes(value, mapped):
    assert reference(value) == mapped


def test_a_redirect_to_https_arrives():
    assert reference(b"https://a.example/x", scheme="http") == b"https://a.example/x"
    assert reference(b"http://a.example/x", scheme="http") == b"http://a.example/x"
    # also where the upstream has the same name
    assert reference(b"https://a.example/x", scheme="http", upstream=b"a.example") == b"https://a.example/x"


def test_the_default_port_is_that_of_the_scheme():
    assert reference(b"http://up/x", upstream=b"up:80") == b"https://a.example/x"
    assert reference(b"https://up:443/x", upstream=b"up") == b"https://a.example/x"
    assert reference(b"http://[::1]:8001/x", upstream=b"[::1]:8001") == b"https://a.example/x"


def test_an_upstream_may_say_https_of_itself():
    for upstream in (b"up:80", b"up:8001", b"up"):
        assert reference(b"https://up/x", upstream=upstream) == b"https://a.example/x"
        assert reference(b"https://up:443/x", upstream=upstream, scheme="http") == b"http://a.example/x"
    assert reference(b"https://[::1]/x", upstream=b"[::1]:8001") == b"https://a.example/x"
    # at a port that is not its own
    assert reference(b"https://up:8443/x", upstream=b"up:8001") == b"https://up:8443/x"
    # the client's own host, which may be the upstream's too
    same = {"upstream": b"a.example:8001", "host": b"a.example:8080", "scheme": "http"}
    assert reference(b"https://a.example/x", **same) == b"https://a.example/x"
    assert cookie(b"s=1; Domain=up", upstream=b"up:8001") == b"s=1"


def test_the_clients_port_comes_back():
    assert reference(b"http://up.internal:8001/x", host=b"a.example:8443") == b"https://a.example:8443/x"
    assert reference(b"http://a.example:8443/x", host=b"a.example:8443") == b"https://a.example:8443/x"


@pytest.mark.parametrize(
    ("value", "strip", "mapped"),
    [
        (b"http://up.internal:8001/x", b"", b"/x"),
        (b"http://up.internal:8001/x", b"/api", b"/api/x"),
        (b"http://up.internal:8001", b"", b"/"),
        (b"http://up.internal:8001?x", b"", b"/?x"),
        (b"http://up.internal:8001//evil.example", b"", b"/.//evil.example"),
    ],
)
def test_a_client_that_named_no_host_gets_a_path(value, strip, mapped):
    assert reference(value, strip, host=b"") == mapped


@pytest.mark.parametrize(
    ("strip", "add", "value", "mapped"),
    [
        (b"/api", b"", b"/", b"/api/"),
        (b"/api", b"", b"/x?y#z", b"/api/x?y#z"),
        (b"/api", b"", b"http://up.internal:8001/x", b"https://a.example/api/x"),
        (b"/api", b"", b"http://up.internal:8001", b"https://a.example/api"),
        (b"/api", b"", b"http://up.internal:8001?x", b"https://a.example/api?x"),
        (b"/api", b"", b"http://a.example/x", b"https://a.example/api/x"),
        (b"/api", b"", b"/apix", b"/api/apix"),
        # it knows already
        (b"/api", b"", b"/api", b"/api"),
        (b"/api", b"", b"/api/x", b"/api/x"),
        (b"/api", b"", b"/api?x", b"/api?x"),
        (b"/api", b"", b"https://a.example/api/x", b"https://a.example/api/x"),
        (b"/api", b"", b"x", b"x"),
        (b"/api", b"", b"//other.example/x", b"//other.example/x"),
        (b"/api", b"", b"/\\evil.example", b"/\\evil.example"),
        (b"", b"/v1", b"/v1/x", b"/x"),
        (b"", b"/v1", b"/v1", b"/"),
        (b"", b"/v1", b"/v1?x", b"/?x"),
        (b"", b"/v1", b"/v1#x", b"/#x"),
        (b"", b"/v1", b"/v1x", b"/v1x"),
        (b"", b"/v1", b"/", b"/"),
        (b"", b"/v1", b"http://up.internal:8001/v1/x", b"https://a.example/x"),
        (b"", b"/v1", b"http://up.internal:8001/x", b"https://a.example/x"),
        (b"", b"/v1", b"/?u=/v1/x", b"/?u=/v1/x"),
        (b"/api", b"/v1", b"/v1/x", b"/api/x"),
        (b"/api", b"/v1", b"/v1", b"/api"),
        (b"/api", b"/v1", b"/x", b"/x"),
        (b"/api", b"/v1", b"/api/x", b"/api/x"),
        (b"/api", b"/api/v1", b"/api/v1/x", b"/api/x"),
    ],
)
def test_paths_come_back_from_under_the_prefix(strip, add, value, mapped):
    assert reference(value, strip, add) == mapped


@pytest.mark.parametrize(
    ("value", "mapped"),
    [(b"/v1//evil.example/x", b"/.//evil.example/x"), (b"/v1/\\evil.example", b"/./\\evil.example")],
)
def test_a_path_that_loses_its_prefix_becomes_no_other_server(value, mapped):
    assert reference(value, b"", b"/v1") == mapped
    assert reference(b"//up.internal:8001" + value, b"", b"/v1").startswith(b"//a.example/")


SEGMENTS = st.lists(st.sampled_from([b"a", b"api", b"v1", b"", b"\\", b"?q", b"#f"]), max_size=4)


@given(SEGMENTS, st.sampled_from([b"", b"/api", b"/a/api"]), st.sampled_from([b"", b"/v1", b"/api"]), st.booleans())
def test_a_path_stays_on_the_server(segments, strip, add, absolute):
    path = b"/" + b"/".join(segments)
    if path[1:2] in (b"/", b"\\"):
        return
    mapped = reference((b"http://" + UPSTREAM if absolute else b"") + path, strip, add)
    if absolute:
        assert mapped.startswith(b"https://a.example/")
        mapped = mapped.removeprefix(b"https://a.example")
    else:
        assert mapped[:1] == b"/" and mapped[1:2] not in (b"/", b"\\")
    if strip and has_prefix(path.partition(b"?")[0].partition(b"#")[0], add or b"/"):
        assert has_prefix(mapped.partition(b"?")[0].partition(b"#")[0], strip)


@pytest.mark.parametrize(
    ("value", "mapped"),
    [
        (b"5", b"5"),
        (b"5; url=/x", b"5; url=/api/x"),
        (b"0;URL='http://up.internal:8001/x?a=b;c'", b"0;URL='https://a.example/api/x?a=b;c'"),
        (b'5 ; url = "/x" and more', b'5 ; url = "/api/x" and more'),
        (b"1.5, /x", b"1.5, /api/x"),
        (b"5; url=x", b"5; url=x"),
        (b"5; url=http://other.example/", b"5; url=http://other.example/"),
        (b"5; url=", b"5; url="),
        (b"soon; url=/x", b"soon; url=/x"),
        (b"", b""),
    ],
)
def test_refresh(value, mapped):
    head = RequestHead(b"GET", b"/api/x", Headers(), authority=b"a.example")
    assert WayBack(b"/api").refresh(value, head, context_of("192.0.2.7", "https"), UPSTREAM) == mapped


# -- cookies


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"a=b",
        b"=;",
        b"a=b; Secure; HttpOnly; SameSite=Lax; Expires=Thu, 01 Jan 2026 00:00:00 GMT; Max-Age=5; Partitioned",
        b"a=b; Path; Domain; Path=; Domain=; =x; ;; =; Unknown=/x; path2=/x; Domain=.",
        b'a="b; c"; Path=relative; Path="x"; Path="',
        b"Domain=up.internal; Secure",
        b"Path=/",
        b"a=b; Domain=other.example",
        b"a=b; Domain=www.a.example",
        b"a=b; Domain=.a.example",
        b"a=b; Domain=ernal",
        b"a=b; Domain=\xff",
        b"__Host-a=b; Path=/; Secure",
        b" __host-a=b; Path=/; Secure; Domain=up.internal",
    ],
)
def test_what_a_cookie_says_of_other_things_stays(value):
    assert cookie(value) == value
    assert cookie(value, b"/api") == value


@pytest.mark.parametrize(
    ("strip", "add", "path", "mapped"),
    [
        (b"/api", b"", b"/", b"/api"),
        (b"/api", b"", b"/x", b"/api/x"),
        (b"/api", b"", b"/x/", b"/api/x/"),
        (b"/api", b"", b"/api", b"/api"),
        (b"/api", b"", b"/api/x", b"/api/x"),
        (b"/api", b"", b"/apix", b"/api/apix"),
        (b"", b"/v1", b"/v1", b"/"),
        (b"", b"/v1", b"/v1/", b"/"),
        (b"", b"/v1", b"/v1/x", b"/x"),
        (b"", b"/v1", b"/", b"/"),
        (b"", b"/v1", b"/v2", b"/v2"),
        (b"", b"/v1/x", b"/v1", b"/"),
        (b"/api", b"/v1", b"/v1/x", b"/api/x"),
        (b"/api", b"/v1", b"/v1", b"/api"),
        (b"/api", b"/v1", b"/v1x", b"/v1x"),
        (b"/api", b"/v1", b"/", b"/api"),
        (b"", b"", b"/x", b"/x"),
    ],
)
def test_the_path_of_a_cookie_comes_back(strip, add, path, mapped):
    assert cookie(b"a=b; Path=" + path + b"; Secure", strip, add) == b"a=b; Path=" + mapped + b"; Secure"


def test_attributes_are_read_as_user_agents_read_them():
    assert cookie(b"a=b;PATH = /x ; path=/y", b"/api") == b"a=b;PATH =/api/x; path=/api/y"
    assert cookie(b'a=b; Path="/x"; Secure', b"/api") == b"a=b; Path=/api/x; Secure"
    assert cookie(b'a="b;Path=/x"', b"/api") == b'a="b;Path=/api/x"'


@pytest.mark.parametrize(
    ("value", "mapped"),
    [
        (b"a=b; Domain=up.internal; Secure", b"a=b; Secure"),
        (b"a=b; domain = .UP.internal", b"a=b"),
        (b"a=b;Domain=internal;Path=/", b"a=b;Path=/"),
        # the last one counts
        (b"a=b; Domain=other.example; Domain=up.internal", b"a=b"),
        (b"a=b; Domain=up.internal; Domain=other.example", b"a=b; Domain=up.internal; Domain=other.example"),
        (b"a=b; Domain=up.internal; Domain=", b"a=b"),
        # quoted, as in RFC 2109
        (b'a=b; Domain="up.internal"; Secure', b"a=b; Secure"),
        (b'a=b; Domain=".Up.internal"', b"a=b"),
        (b'a=b; Domain="other.example"', b'a=b; Domain="other.example"'),
        (b'a=b; Domain="', b'a=b; Domain="'),
        (b'a=b; Domain=""', b'a=b; Domain=""'),
        (b"domain=b; Domain=up.internal", b"domain=b"),
    ],
)
def test_a_domain_of_the_upstreams_goes(value, mapped):
    assert cookie(value) == mapped


def test_a_domain_that_fits_both_stays():
    value = b"a=b; Domain=example"
    assert cookie(value, host=b"a.example", upstream=b"up.example:8001") == value
    assert cookie(value, host=b"b.test", upstream=b"up.example:8001") == b"a=b"


def test_domains_are_mapped_as_told():
    domains = {b"up.internal": b"a.example", b"x.internal": b""}
    assert cookie(b"a=b; Domain=.UP.internal; Secure", domains=domains) == b"a=b; Secure; Domain=a.example"
    assert cookie(b"a=b; Domain=x.internal; Secure", domains=domains) == b"a=b; Secure"
    assert cookie(b"a=b; Domain=y.internal; Secure", domains=domains) == b"a=b; Domain=y.internal; Secure"


def test_each_field_is_mapped_by_its_name_and_the_rest_stay():
    head = RequestHead(b"GET", b"/api/x", Headers(), authority=b"a.example")
    lines = [
        b"Location: /x",
        b"content-location: http://up.internal:8001/y",
        b"Set-Cookie: a=b; Path=/",
        b"X-Location: /x",
        b"SET-COOKIE: c=d; Path=/z; Domain=up.internal",
        b"Refresh: 5; url=/x",
        b"Empty: ",
        b"Location: ",
    ]
    before = lines[:]
    assert WayBack(b"/api").lines(lines, head, context_of("192.0.2.7"), UPSTREAM) == [
        b"Location: /api/x",
        b"content-location: http://a.example/api/y",
        b"Set-Cookie: a=b; Path=/api",
        b"X-Location: /x",
        b"SET-COOKIE: c=d; Path=/api/z",
        b"Refresh: 5; url=/api/x",
        b"Empty: ",
        b"Location: ",
    ]
    assert lines == before
