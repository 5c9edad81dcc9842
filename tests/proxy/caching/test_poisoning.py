"""Attacks on those who come later: what one client says is not to be what the next one gets.

Each is an attack, and then a clean request. The origin tells in its body what it was told, as a careless one does.
"""

import pytest

from tests.proxy.caching.caching_proxy import Got, get, got
from txproxy import Pool, ReverseProxyFactory
from txproxy.reverse import ReverseMode, ToPool
from txproxy.reverse.routing.matches import Match
from txproxy.reverse.routing.route import Route

FRESH = {"cache_control": "max-age=60"}


def echo(proxy, request, **fields):
    """What a client gets from an origin that says what it was told; and whether that was asked."""
    client = proxy.connect()
    client.send(request)
    asked = proxy.questions()
    for origin, question in asked:
        fields = fields or FRESH
        body = question.decode("latin-1").replace("\r\n", "|")
        origin.send(proxy.response("" if question.startswith(b"HEAD") else body, length=len(body), **fields))
    return Got(client.take()), bool(asked)


def is_clean(proxy, attack, clean=None, **fields):
    """Whether nobody who comes after the attack gets anything of it."""
    echo(proxy, attack, **fields)
    after, _ = echo(proxy, clean or get(), **fields)
    assert after.status == 200 and after.body
    return b"evil" not in after.body.lower() and b"evil" not in after.data.lower()


@pytest.mark.parametrize(
    "name",
    [
        "X-Forwarded-Host",
        "X-Forwarded-Server",
        "X-Forwarded-Scheme",
        "X-Forwarded-Proto",
        "X-Forwarded-Port",
        "X-Forwarded-Prefix",
        "X-Forwarded-Ssl",
        "X-Forwarded-Path",
        "X-Forwarded-Uri",
        "X-Forwarded-Method",
        "X-Host",
        "X-Original-URL",
        "X-Original-Host",
        "X-Rewrite-URL",
        "X-HTTP-Method",
        "X-HTTP-Method-Override",
        "X-Method-Override",
        "X-HTTP-Host-Override",
        "X-Url-Scheme",
        "Front-End-Https",
        "Forwarded",
        "Range",
        "Upgrade",
        "If-Range",
    ],
)
@pytest.mark.parametrize("spelling", [str, str.lower])
def test_fields_that_are_in_no_key(proxy, name, spelling):
    attack = f"GET /x HTTP/1.1\r\nHost: a\r\n{spelling(name)}: evil\r\n\r\n".encode()
    assert is_clean(proxy, attack)


@pytest.mark.parametrize("name", ["X_Forwarded_Host", "X-Forwarded_Host", "x_original_url", "X_HTTP_METHOD_OVERRIDE"])
def test_what_reads_the_same_to_applications(proxy, name):
    assert is_clean(proxy, f"GET /x HTTP/1.1\r\nHost: a\r\n{name}: evil\r\n\r\n".encode())


def test_a_field_of_vary_that_connection_takes_away(proxy):
    fields = {"vary": "Accept-Language", **FRESH}
    echo(proxy, get(accept_language="evil", connection="Accept-Language"), **fields)
    after, asked = echo(proxy, get(accept_language="evil"), **fields)
    assert asked and b"evil" in after.body
    none, asked = echo(proxy, get(), **fields)
    assert not asked and b"evil" not in none.body


def test_a_cookie_of_the_key_that_connection_takes_away(make):
    proxy = make(key_cookies=("lang",))
    echo(proxy, get(cookie="lang=de", connection="cookie"))
    after, asked = echo(proxy, get(cookie="lang=de"))
    assert asked and b"lang=de" in after.body


@pytest.mark.parametrize("host", ["A", "a.", "a:80", "A.:80"])
def test_hosts_that_are_the_same_are_so_for_the_origin(proxy, host):
    first, _ = echo(proxy, get().replace(b"Host: a", b"Host: " + host.encode()))
    assert b"Host: a|" in first.body and b"X-Forwarded-Host: a|" in first.body
    assert not echo(proxy, get())[1]


@pytest.mark.parametrize("host", ["a:81", "b", "a.b", "a..", "xn--a", "[::1]", "evil.a"])
def test_others_are_others(proxy, host):
    echo(proxy, get().replace(b"Host: a", b"Host: " + host.encode()))
    assert echo(proxy, get())[1]


@pytest.mark.parametrize(
    "lines", ["Host: a\r\nHost: evil", "Host: a, evil", "Host: a@evil", "Host: a/evil", "Host: a#evil", "Host:"]
)
def test_hosts_that_are_none_store_nothing(proxy, lines):
    assert is_clean(proxy, f"GET /x HTTP/1.1\r\n{lines}\r\n\r\n".encode())


def test_the_target_counts_and_no_field_beside_it(proxy):
    first, _ = echo(proxy, b"GET http://a/x HTTP/1.1\r\nHost: evil\r\n\r\n")
    assert b"evil" not in first.body
    assert not echo(proxy, get())[1]


@pytest.mark.parametrize("target", ["http://evil/x", "HTTP://EVIL/x", "http://a:81/x"])
def test_the_target_of_another(proxy, target):
    echo(proxy, f"GET {target} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
    assert echo(proxy, get())[1]


def test_a_request_without_a_host(proxy):
    echo(proxy, b"GET /x HTTP/1.0\r\nX-Forwarded-Host: evil\r\n\r\n")
    assert echo(proxy, get())[1]


@pytest.mark.parametrize(
    "path",
    ["//x", "/x/", "/./x", "/y/../x", "/%78", "/x?", "/x;evil", "/x%00", "/X", "/x%23", "/x/.", "//evil/x", "/x?a"],
)
def test_paths_are_what_was_sent(proxy, path):
    first, _ = echo(proxy, get(path))
    assert not first.body or first.body.startswith(b"GET " + path.encode())
    assert echo(proxy, get())[1]


@pytest.mark.parametrize("framing", ["Content-Length: 4", "Transfer-Encoding: chunked"])
def test_a_get_with_a_body_is_nobody_elses(proxy, framing):
    body = "evil" if "Length" in framing else "4\r\nevil\r\n0\r\n\r\n"
    attack = f"GET /x HTTP/1.1\r\nHost: a\r\n{framing}\r\n\r\n{body}".encode()
    assert is_clean(proxy, attack)
    after, asked = echo(proxy, attack)
    assert asked and "fwd=bypass" in after.told


@pytest.mark.parametrize("method", ["HEAD", "POST", "OPTIONS", "PROPFIND", "EVIL", "get"])
def test_other_methods_make_nothing(proxy, method):
    attack = get(method=method, x_http_method_override="GET")
    echo(proxy, attack)
    after, asked = echo(proxy, get())
    assert asked and after.body.startswith(b"GET /x")


def test_a_post_that_says_it_is_a_get(proxy):
    attack = b"POST /x HTTP/1.1\r\nHost: a\r\nX-HTTP-Method-Override: GET\r\nContent-Length: 4\r\n\r\nevil"
    assert is_clean(proxy, attack)


@pytest.mark.parametrize("parts", ["bytes=0-0", "bytes=evil", "evil=0-1", "bytes=0-" + ",0-" * 500, "bytes=-0"])
def test_parts_are_no_wholes(proxy, parts):
    assert is_clean(proxy, get(range=parts))


@pytest.mark.parametrize("condition", ["if_match", "if_unmodified_since", "if_none_match", "if_modified_since"])
def test_conditions_are_for_who_has_them(proxy, condition):
    assert is_clean(proxy, get(**{condition: '"evil"'}))


@pytest.mark.parametrize(
    "status", ["400 Bad", "413 Long", "414 Long", "431 Long", "405 No", "501 No", "500 Oh", "503 Oh"]
)
@pytest.mark.parametrize("name", ["X-Long", "X-Forwarded-Host", "User-Agent", "Content-Type"])
def test_errors_that_somebody_has_provoked_are_not_kept(proxy, status, name):
    proxy.ask(get(**{name: "x" * 4000}), proxy.response("denied", status))
    after, asked = proxy.ask(get(), proxy.response(**FRESH))
    assert asked is not None and after.body == b"hello"


def test_those_that_say_they_may_be_are_soon_gone(proxy):
    proxy.ask(get(x_long="x" * 4000), proxy.response("denied", "400 Bad", cache_control="max-age=31536000"))
    proxy.pass_time(11)
    assert proxy.ask(get(), proxy.response(**FRESH))[0].body == b"hello"


@pytest.mark.parametrize(
    "attack", [get(x="x" * 200_000), get("/" + "x" * 100_000), get(**{f"x{n}": "1" for n in range(999)})]
)
def test_heads_that_are_too_large_get_no_further(proxy, attack):
    client = proxy.connect()
    client.send(attack)
    assert got([client])[0].status in (400, 414, 431) and not proxy.questions()
    assert echo(proxy, get())[1]


def test_our_own_errors_are_not_kept(proxy):
    (client,) = proxy.herd(get())
    proxy.question()[0].send(b"evil\r\n\r\n")
    assert got([client])[0].status == 502
    assert is_clean(proxy, get())


@pytest.mark.parametrize(
    "framing",
    [
        b"Content-Length: 4\r\nContent-Length: 5",
        b"Content-Length: 4, 5",
        b"Content-Length: +4",
        b"Content-Length: 4\r\nTransfer-Encoding: chunked",
        b"Transfer-Encoding: evil",
        b"Transfer-Encoding: chunked, evil",
        b"Content-Length: 9",
        b"X: \0",
        b"X : y",
        b" X: y",
    ],
)
def test_responses_that_can_be_read_in_two_ways_are_not_kept(proxy, framing):
    (client,) = proxy.herd(get())
    origin, _ = proxy.question()
    origin.send(b"HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\n" + framing + b"\r\n\r\nevil\r\n\r\n")
    origin.end()
    client.take()
    proxy.clock.advance(0)
    after, asked = echo(proxy, get())
    assert asked and after.body.startswith(b"GET /x")


@pytest.mark.parametrize(
    ("path", "kind", "kept"),
    [
        ("/x.css", "text/css", True),
        ("/x.css", "text/html", False),
        ("/account/x.css", "text/html; charset=utf-8", False),
        ("/account/x.js?y", "text/html", False),
        ("/account;x.css", "text/html", False),
        ("/account%2fx.css", "text/html", False),
        ("/account%3fx.css", "text/html", False),
        ("/account/x.png", "application/json", False),
        ("/account/x.png", "image/png", True),
        ("/account", "text/html", True),
    ],
)
def test_a_lifetime_of_ours_is_for_what_the_path_promises(make, path, kind, kept):
    proxy = make(ttl={"200": 600})
    proxy.ask(get(path, cookie="id=victim"), proxy.response("secret", content_type=kind))
    assert (proxy.ask(get(path), proxy.response(content_type=kind))[1] is None) is kept


@pytest.mark.parametrize("control", ["private", "no-store", "max-age=60, private"])
def test_none_is_for_what_says_that_it_is_somebodys(make, control):
    proxy = make(ttl={"any": 600}, override_expire=True)
    proxy.ask(get("/x.css"), proxy.response("secret", content_type="text/css", cache_control=control))
    assert proxy.ask(get("/x.css"), proxy.response())[1] is not None


@pytest.mark.parametrize("path", ["/account/x.css", "/x.css", "/x.js", "/x.png"])
def test_nothing_is_kept_by_its_extension(proxy, path):
    proxy.ask(get(path), proxy.response("secret", content_type="text/css"))
    assert proxy.ask(get(path), proxy.response())[1] is not None


@pytest.mark.parametrize("who", [{"cookie": "id=victim"}, {"authorization": "Basic YTpi"}])
def test_nothing_is_guessed_of_what_may_be_somebodys(proxy, who):
    proxy.ask(get(**who), proxy.response("secret", last_modified="Mon, 01 Jan 2001 00:00:00 GMT"))
    after, asked = proxy.ask(get(), proxy.response())
    assert asked is not None and after.body == b"hello"


def test_cookies_that_are_set_are_not_kept(proxy):
    proxy.ask(get(), proxy.response("secret", set_cookie="id=victim", **FRESH))
    after, asked = proxy.ask(get(), proxy.response())
    assert asked is not None and "set-cookie" not in after.fields


@pytest.mark.parametrize(
    ("attack", "clean"),
    [
        ("/x?utm_source=evil", "/x"),
        ("/x?utm_source=a;y=evil", "/x"),
        ("/x?utm%5fsource=evil", "/x"),
        ("/x?utm_source=a%26y=evil", "/x"),
        ("/x?UTM_source=evil", "/x"),
        ("/x?utm_a=evil&utm_b=evil", "/x"),
        ("/x?y=1&utm_source=evil", "/x?y=1"),
    ],
)
def test_parameters_that_do_not_count(make, attack, clean):
    assert is_clean(make(query_drop=("utm_*",)), get(attack), get(clean))


def test_a_trusted_proxy_says_which_host_it_is(make):
    def build(reactor, middleware, observers):
        return ReverseProxyFactory(
            Pool(["http://10.0.0.1:80"]),
            trusted_proxies=["127.0.0.1"],
            middleware=middleware,
            observers=observers,
            reactor=reactor,
        )

    proxy = make(build=build)
    for name in ("X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Port"):
        value = {"X-Forwarded-Proto": "https", "X-Forwarded-Port": "64999"}.get(name, "evil")
        told, _ = echo(proxy, get(x_forwarded_for="192.0.2.1", **{name: value}))
        assert value.encode() in told.body
        assert echo(proxy, get(x_forwarded_for="192.0.2.1"))[0].body.count(value.encode()) == 0


def test_what_one_route_has_is_not_anothers(make):
    def build(reactor, middleware, observers):
        one, other = Pool(["http://10.0.0.1:80"], name="one"), Pool(["http://10.0.0.2:80"], name="other")
        routes = [Route("one", Match(path="/x"), ToPool(one))]
        return ReverseProxyFactory(
            ReverseMode(ToPool(other), routes), middleware=middleware, observers=observers, reactor=reactor
        )

    proxy = make(build=build)
    for path in ("/x", "/y"):
        assert echo(proxy, get(path))[1] and not echo(proxy, get(path))[1]


def test_variants_that_somebody_makes_up_displace_nothing_else(proxy):
    proxy.ask(get("/other"), proxy.response(**FRESH))
    for number in range(100):
        proxy.ask(get(accept_language=f"x{number}"), proxy.response(vary="Accept-Language", **FRESH))
    assert len(proxy.store) <= 65 and proxy.ask(get("/other"))[1] is None


@pytest.mark.parametrize("attack", [{"x_forwarded_host": "evil"}, {"range": "bytes=0-0"}, {"cookie": "evil"}])
@pytest.mark.parametrize("head_there", [True, False])
def test_those_that_wait_with_an_attacker_are_not_poisoned(proxy, attack, head_there):
    attacker, victim = proxy.connect(), proxy.connect()
    attacker.send(get(**attack))
    fields = {"vary": "Cookie", **FRESH}
    questions = proxy.questions()
    if head_there:
        for origin, asked in questions:
            origin.send(proxy.response("", length=3, x=str(b"evil" in asked), **fields))
    victim.send(get())
    later = proxy.questions()
    for origin, asked in [*([] if head_there else questions), *later]:
        origin.send(proxy.response("", length=3, x=str(b"evil" in asked), **fields))
    for origin, asked in [*questions, *later]:
        origin.send(b"bad" if b"evil" in asked else b"fin")
    for origin, asked in proxy.questions():
        origin.send(proxy.response("fin" if b"evil" not in asked else "bad", x="False", **fields))
    assert got([victim])[0].body == b"fin"
