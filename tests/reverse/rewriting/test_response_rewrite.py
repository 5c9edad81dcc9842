"""What a route changes in responses."""

import pytest

from txproxy.errors import ConfigError
from txproxy.reverse.rewriting.by_status import StatusChanges
from txproxy.reverse.rewriting.request_rewrite import RequestRewrite
from txproxy.reverse.rewriting.response_rewrite import ResponseRewrite
from txproxy.reverse.rewriting.strict_transport import Hsts
from txproxy.testing import context_of
from txproxy.upstreams.choice import PoolAttempt
from txproxy.upstreams.upstream_urls import parse_upstream
from txproxy.wire.headers import Headers
from txproxy.wire.message import RequestHead, ResponseHead


def request(path=b"/"):
    return RequestHead(b"GET", path, Headers.parsed([b"Host: A.example"]), authority=b"A.example")


def response_lines(rewrite, *lines, scheme="https", own=False, status=200):
    """What the client gets of a response, or of an answer of the proxy's ``own``."""
    given = list(lines)
    context = context_of("192.0.2.7", scheme)
    if not own:
        upstream = parse_upstream("http://up.internal:8001")
        context.attempt = PoolAttempt(upstream, upstream.address, request(), upstream, None)
    response = ResponseHead(status, Headers.parsed(given))
    for one in (rewrite.of(request(b"/api/x")), rewrite.strict_transport):
        if one is not None:
            response = one.head(response, context)
    assert given == list(lines), "what came is still needed"
    return response.headers.lines


def test_a_response_without_changes_is_what_it_was():
    assert not ResponseRewrite(map_back=False) and ResponseRewrite()
    assert response_lines(ResponseRewrite(map_back=False), b"Location: http://up.internal:8001/") == [
        b"Location: http://up.internal:8001/"
    ]
    assert response_lines(ResponseRewrite(), b"Server: x", b"X: y") == [b"Server: x", b"X: y"]


def test_a_response_is_mapped_back_with_the_requests_prefixes():
    rewrite = ResponseRewrite(
        request=RequestRewrite(strip_prefix="/api/", add_prefix="/v1"), cookie_domains={".Old.internal": ".A.example"}
    )
    assert response_lines(
        rewrite,
        b"Location: http://up.internal:8001/v1/y",
        b"Set-Cookie: a=b; Path=/v1; Domain=up.internal",
        b"Set-Cookie: c=d; Path=/v1/z; Domain=old.internal",
        b"X: y",
    ) == [
        b"Location: https://A.example/api/y",
        b"Set-Cookie: a=b; Path=/api",
        b"Set-Cookie: c=d; Path=/api/z; Domain=a.example",
        b"X: y",
    ]


def test_fields_of_a_response_are_removed_set_and_added():
    rewrite = ResponseRewrite(
        set_headers={"X-Upstream": "$upstream for $path", "Location": "http://up.internal:8001/"},
        add_headers={"Vary": "Accept"},
        remove_headers=["Server", "X-Powered-By"],
    )
    lines = (
        b"Server: x",
        b"x-powered-by: php",
        b"X_Powered_By: php",
        b"Vary: Cookie",
        b"location: /y",
        b"x-upstream: z",
    )
    assert response_lines(rewrite, *lines) == [
        b"Vary: Cookie",
        b"X-Upstream: up.internal:8001 for /api/x",
        # what is set is not mapped
        b"Location: http://up.internal:8001/",
        b"Vary: Accept",
    ]
    assert response_lines(rewrite)[0] == b"X-Upstream: up.internal:8001 for /api/x"


def test_hsts_is_sent_over_tls_only_and_replaces_the_upstreams():
    rewrite = ResponseRewrite(hsts=Hsts(31536000, include_subdomains=True), map_back=False)
    assert rewrite
    theirs = (b"strict-transport-security: max-age=0", b"X: y")
    assert response_lines(rewrite, *theirs) == [
        b"X: y",
        b"Strict-Transport-Security: max-age=31536000; includeSubDomains",
    ]
    assert response_lines(rewrite, *theirs, scheme="http") == [b"X: y"]
    assert response_lines(ResponseRewrite(), *theirs) == list(theirs)


def test_all_faults_of_a_response_rewrite_are_told_at_once():
    with pytest.raises(ConfigError) as caught:
        ResponseRewrite(
            set_headers={"Content-Length": "5"},
            add_headers={"X": "a\n"},
            remove_headers=["Via"],
            cookie_domains={"a b": "c", "*.d": "", "e": "f:80"},
        )
    lines = str(caught.value).splitlines()
    assert [line.partition(":")[0] for line in lines] == [
        "set_headers",
        "add_headers",
        "remove_headers",
        "cookie_domains",
        "cookie_domains",
        "cookie_domains",
    ]
    assert all("accepted" in line for line in lines)
    with pytest.raises(ConfigError, match="nothing is mapped back"):
        ResponseRewrite(map_back=False, cookie_domains={"a": "b"})


def test_changes_by_status_come_after_those_of_all_responses():
    rewrite = ResponseRewrite(
        set_headers={"X-All": "1"},
        by_status=[
            StatusChanges(statuses=[200, "3xx"], add_headers={"X-Good": "$upstream"}, remove_headers="x-all"),
            StatusChanges(statuses="5xx", set_headers={"X-All": "2"}, remove_headers=["Server"]),
        ],
        map_back=False,
    )
    assert rewrite and rewrite.own_fields == {b"x-all", b"x-good", b"server"}
    assert response_lines(rewrite, b"Server: a") == [b"Server: a", b"X-Good: up.internal:8001"]
    assert response_lines(rewrite, b"Server: a", status=304) == [b"Server: a", b"X-Good: up.internal:8001"]
    assert response_lines(rewrite, b"Server: a", status=404) == [b"Server: a", b"X-All: 1"]
    assert response_lines(rewrite, b"Server: a", b"X_All: 0", status=502) == [b"X-All: 2"]


def test_urls_and_paths_of_cookies_become_others():
    rewrite = ResponseRewrite(
        locations={"http://up.internal:8001/two/": "/one/", r"~https?://[^/]+\.old/(.*)": "$scheme://$host/old/$1"},
        cookie_paths={"/two/": "/", "/": "/rest"},
        cookie_flags={"a": ["secure", "samesite=lax"], "~b.*": "nosecure"},
    )
    assert response_lines(rewrite, b"Location: http://up.internal:8001/two/x?y") == [b"Location: /one/x?y"]
    assert response_lines(rewrite, b"Refresh: 5; url=http://a.old/z") == [b"Refresh: 5; url=https://a.example/old/z"]
    # What none of them is for is mapped back.
    assert response_lines(rewrite, b"Location: http://up.internal:8001/x") == [b"Location: https://A.example/x"]
    cookies = (
        b"Set-Cookie: a=1; Path=/two/x",
        b"set-cookie: bc=2; Secure; Path=/twofold",
        b"Set-Cookie: c=3; Path=/two",
    )
    assert response_lines(rewrite, *cookies) == [
        b"Set-Cookie: a=1; Path=/x; Secure; SameSite=Lax",
        b"set-cookie: bc=2; Path=/rest/twofold",
        b"Set-Cookie: c=3; Path=/",
    ]


def test_cookies_get_their_flags_where_nothing_is_mapped_back():
    rewrite = ResponseRewrite(map_back=False, cookie_flags=[("*", ["httponly"])])
    assert response_lines(rewrite, b"Set-Cookie: a=1", b"X: y", own=True) == [b"Set-Cookie: a=1; HttpOnly", b"X: y"]


@pytest.mark.parametrize(
    ("values", "key"),
    [
        ({"locations": {"http://a/": ""}}, "locations"),
        ({"locations": {"~(": "/"}}, "locations"),
        ({"cookie_paths": {"a": "/b"}}, "cookie_paths"),
        ({"cookie_paths": {"/a": "b"}}, "cookie_paths"),
        ({"cookie_flags": {"a": ["pure"]}}, "cookie_flags"),
        ({"map_back": False, "locations": {"/a": "/b"}}, "locations"),
        ({"map_back": False, "cookie_paths": {"/a": "/b"}}, "cookie_paths"),
    ],
)
def test_what_can_be_put_in_no_place(values, key):
    with pytest.raises(ConfigError, match=f"^{key}: .*accepted"):
        ResponseRewrite(**values)
