"""The same client gets the same upstream."""

import pytest
from twisted.internet.task import Clock

from txproxy import Pool
from txproxy.errors import ConfigError
from txproxy.testing import context_of
from txproxy.upstreams.affinity import CookieAffinity, affinity_from
from txproxy.wire.headers import Headers
from txproxy.wire.message import RequestHead


def request(*lines):
    return RequestHead(b"GET", b"/", Headers.from_lines([b"Host: a", *lines]))


def pool(count=4):
    return Pool([f"http://10.0.0.{number}" for number in range(1, count + 1)], clock=Clock())


def pinned(affinity, upstream, client, *lines):
    """The cookie pair by which a client is pinned."""
    (line,) = affinity.pin(upstream, request(*lines), client)
    name, _, rest = line.partition(b": ")
    assert name == b"Set-Cookie"
    pair, *attributes = rest.split(b"; ")
    return pair, attributes


@pytest.mark.parametrize(("scheme", "more"), [("http", []), ("https", [b"Secure"])])
def test_a_cookie_pins_a_client(scheme, more):
    upstreams = pool()
    affinity = affinity_from("cookie", upstreams)
    client = context_of("192.0.2.1", scheme)
    upstream = upstreams.upstreams[2]
    pair, attributes = pinned(affinity, upstream, client)
    assert pair.startswith(b"txproxy=")
    assert attributes == [b"Path=/", b"HttpOnly", b"SameSite=Lax", *more]
    for line in (b"Cookie: " + pair, b"Cookie: a=b; " + pair + b"; c=d", b"Cookie: a=b;" + pair):
        assert affinity.find(request(line), client) is upstream
        assert affinity.pin(upstream, request(line), client) == ()


def test_the_cookie_tells_nothing_and_cannot_be_forged():
    upstreams = pool()
    affinity = CookieAffinity(upstreams, "s", b"key")
    client = context_of("192.0.2.1")
    pairs = {pinned(affinity, upstream, client)[0] for upstream in upstreams.upstreams}
    assert len(pairs) == 4
    assert not any(b"10.0.0" in pair for pair in pairs)
    other = CookieAffinity(pool(), "s", b"another key")
    for pair in pairs:
        assert other.find(request(b"Cookie: " + pair), client) is None
        for changed in (
            pair[:-1] + (b"A" if pair[-1:] != b"A" else b"B"),
            pair[:-1],
            b"s=",
            b"s=10.0.0.1",
            b"xs" + pair[1:],
        ):
            assert affinity.find(request(b"Cookie: " + changed), client) is None
    same = CookieAffinity(pool(), "s", b"key")
    assert all(same.find(request(b"Cookie: " + pair), client) is not None for pair in pairs)


def test_a_client_of_several_pools_is_pinned_in_each():
    one, other = (Pool(["http://10.0.0.1", "http://10.0.0.2"], name=name, clock=Clock()) for name in ("one", "other"))
    affinities = [affinity_from("cookie", pool) for pool in (one, other)]
    client = context_of("192.0.2.1")
    jar = {}
    for affinity, upstream in zip(affinities, (one.upstreams[1], other.upstreams[0]), strict=True):
        name, _, value = pinned(affinity, upstream, client)[0].partition(b"=")
        jar[name] = value
    line = b"Cookie: " + b"; ".join(name + b"=" + value for name, value in jar.items())
    assert [affinity.find(request(line), client) for affinity in affinities] == [one.upstreams[1], other.upstreams[0]]
    # the same after a restart
    again = affinity_from("cookie", Pool(["http://10.0.0.1"], name="one"))
    assert pinned(again, again._pool.upstreams[0], client)[0].partition(b"=")[0] in jar
    assert not any(b"one" in name or b"other" in name for name in jar)


def test_a_stale_cookie_is_ignored_and_replaced():
    upstreams = pool()
    affinity = affinity_from("cookie:id", upstreams)
    client = context_of("192.0.2.1")
    upstream, other = upstreams.upstreams[:2]
    pair, _ = pinned(affinity, upstream, client)
    line = b"Cookie: " + pair
    upstream.checked(False, "no answer")
    assert affinity.find(request(line), client) is None
    assert pinned(affinity, other, client, line)[0] != pair
    upstream.checked(True, "")
    assert affinity.find(request(line), client) is upstream
    upstreams.remove(upstream)
    assert affinity.find(request(line), client) is None
    again = upstreams.add("http://10.0.0.1")
    assert affinity.find(request(line), client) is again


@pytest.mark.parametrize(
    ("kind", "of"),
    [
        ("ip", lambda name: (request(), context_of(name))),
        ("header:X-User", lambda name: (request(b"X-User: " + name.encode()), context_of("192.0.2.1"))),
    ],
)
def test_address_and_header_pin_as_well(kind, of):
    upstreams = pool()
    affinity = affinity_from(kind, upstreams)
    upstream, other = upstreams.upstreams[:2]
    assert affinity.find(*of("one")) is None
    assert affinity.pin(upstream, *of("one")) == ()
    assert affinity.find(*of("one")) is upstream
    assert affinity.find(*of("two")) is None
    upstream.checked(False, "no answer")
    assert affinity.find(*of("one")) is None
    affinity.pin(other, *of("one"))
    upstream.checked(True, "")
    assert affinity.find(*of("one")) is other


def test_who_has_not_been_seen_for_long_is_forgotten():
    clock = Clock()
    upstreams = Pool(["http://a", "http://b"], clock=clock)
    affinity = affinity_from("ip", upstreams)
    client = context_of("192.0.2.1")
    affinity.pin(upstreams.upstreams[0], request(), client)
    clock.advance(1799)
    assert affinity.find(request(), client) is upstreams.upstreams[0]
    clock.advance(2)
    assert affinity.find(request(), client) is None


def test_the_table_is_bounded():
    upstreams = pool()
    affinity = affinity_from("ip", upstreams)
    for number in range(70000):
        affinity.pin(upstreams.upstreams[0], request(), context_of(str(number)))
    assert affinity.find(request(), context_of("0")) is None
    assert affinity.find(request(), context_of("69999")) is upstreams.upstreams[0]


@pytest.mark.parametrize("text", ["", "cookies", "cookie:", "cookie:a b", "cookie:a;b", "header:", "header", "ip:4"])
def test_other_kinds_are_refused(text):
    with pytest.raises(ConfigError, match="accepted"):
        affinity_from(text, pool())


def test_a_client_stays_and_moves_when_its_upstream_is_gone(serve):
    proxy = serve(3, sticky="ip")
    ok = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"

    def ask():
        proxy.connect("192.0.2.7").send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        proxy.upstream.send(ok)
        return proxy.upstream.address.host

    (home,) = {ask() for _ in range(5)}
    proxy.pool.disable(f"http://{home}")
    (other,) = {ask() for _ in range(5)}
    assert other != home
    proxy.pool.enable(f"http://{home}")
    assert ask() == other
