"""``X-Txproxy-Explain``, in the way of proxies in memory."""

import pytest

from tests.forward.conftest import ForwardPolicy
from tests.proxy.caching.caching_proxy import get
from tests.proxy.downstream.http2.http2_peer import GET as GET_2
from tests.proxy.downstream.http2.http2_peer import Http2Peer
from tests.proxy.downstream.test_repeated_requests import FRESH, Counting
from txproxy.errors import ConnectionRefused
from txproxy.forward.proxy_factory import ForwardProxyFactory
from txproxy.interfaces import Refusal
from txproxy.observe.request_explaining import RequestExplaining
from txproxy.reverse.mode import ReverseProxyFactory
from txproxy.testing import ProxyInMemory
from txproxy.upstreams.pool import Pool

TOKEN = b"0123456789abcdef"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n%b\r\nok"
EXPLAINING = RequestExplaining(lambda given: given == TOKEN)


class Refusing:
    def handle(self, request, context, proceed):
        assert b"x-txproxy-explain" not in request.headers.index
        return Refusal(403, "http_request_denied", "no") if request.path == b"/no" else proceed(request, context)


@pytest.fixture
def make():
    made = []

    def make(factory):
        made.append(ProxyInMemory(factory))
        return made[-1]

    yield make
    for proxy in made:
        proxy.close()


@pytest.fixture
def pool():
    return Pool([f"http://10.0.0.{number}:80" for number in (1, 2)], "first", name="app")


@pytest.fixture
def proxy(make, pool):
    return make(
        lambda clock: ReverseProxyFactory(pool, middleware=[EXPLAINING, Refusing()], h2c=True, via=None, reactor=clock)
    )


def request(path=b"/a", lines=b"", token=TOKEN):
    asked = b"X-Txproxy-Explain: %b\r\n" % token if token else b""
    return b"GET %b HTTP/1.1\r\nHost: a\r\n%b%b\r\n" % (path, lines, asked)


def said(answer):
    """What the last response explains."""
    lines = answer.rpartition(b"HTTP/1.1 ")[2].partition(b"\r\n\r\n")[0].split(b"\r\n")
    begin = b"x-txproxy-explain: "
    return [line[len(begin) :].decode() for line in lines if line.lower().startswith(begin)]


def test_who_shows_the_token_is_told_why_it_went_where(proxy, pool):
    proxy.network.script = [ConnectionRefused("nobody listens")]
    client, upstream = proxy.exchange(request(), OK % b"")
    assert said(client.received) == [
        "pool=app, upstream=http://10.0.0.2:80, attempts=2",
        "no route: pool app, which is the listener's own",
        "pool app (first); no upstream was asked whether it is well",
        "- http://10.0.0.1:80: chosen",
        "- http://10.0.0.2:80: one before it can take the request",
        "sent to 10.0.0.1:80: GET /a HTTP/1.1",
        "attempt: failed, connection_refused: nobody listens",
        "pool app (first); no upstream was asked whether it is well",
        "- http://10.0.0.1:80: one before it can take the request",
        "- http://10.0.0.2:80: chosen",
        "sent to 10.0.0.2:80: GET /a HTTP/1.1",
    ]
    assert b"xplain" not in upstream.received and TOKEN not in upstream.received
    assert client.received.endswith(b"\r\n\r\nok")


@pytest.mark.parametrize("token", [b"", b"x", TOKEN + b"0", TOKEN[:-1], b"Bearer " + TOKEN, TOKEN + b", " + TOKEN])
def test_who_does_not_show_it_is_told_nothing(proxy, token):
    client, upstream = proxy.exchange(request(token=token), OK % b"X-Txproxy-Explain: mine\r\n")
    assert said(client.received) == [] and b"xplain" not in upstream.received
    client.send(request(lines=b"X_Txproxy_Explain: %b\r\n" % TOKEN, token=token))
    proxy.upstream.send(OK % b"")
    assert said(client.received) == [] and b"xplain" not in proxy.upstream.received


def test_what_an_upstream_says_in_its_name_is_not_believed(proxy):
    client, _ = proxy.exchange(request(), OK % b"X-Txproxy-Explain: attempts=7\r\n")
    assert len(said(client.received)) == 6 and b"attempts=7" not in client.received


def test_refusals_and_failures_are_explained(proxy, pool):
    client = proxy.connect()
    client.send(request(b"/no"))
    assert said(client.take()) == ["attempts=0", "middleware Refusing: decides itself"]
    pool.disable("http://10.0.0.1:80")
    pool.disable("http://10.0.0.2:80")
    client.send(request())
    answer = client.take()
    assert answer.startswith(b"HTTP/1.1 503 ") and said(answer)[::2] == [
        "pool=app, attempts=0", "pool app: no upstream has room just now",
    ]  # fmt: skip


def test_a_forward_proxy_explains_its_verdict(make):
    policy = ForwardPolicy(allow_destinations=["127.0.0.0/8"], deny_hosts=["bad.example"])
    proxy = make(lambda clock: ForwardProxyFactory(policy, middleware=[EXPLAINING], reactor=clock))
    client = proxy.connect()
    asked = b"\r\nHost: x\r\nX-Txproxy-Explain: %b\r\n\r\n" % TOKEN
    client.send(b"GET http://127.0.0.1:8000/ HTTP/1.1" + asked)
    proxy.upstream.send(OK % b"")
    told = said(client.take())
    assert told[0] == "upstream=127.0.0.1:8000, attempts=1" and told[-1].startswith("sent to 127.0.0.1:8000")
    assert b"xplain" not in proxy.upstream.received
    client.send(b"GET http://bad.example/ HTTP/1.1" + asked)
    answer = client.take()
    assert answer.startswith(b"HTTP/1.1 403 ") and said(answer)[0].startswith("verdict=deny by ")


def test_what_is_stored_explains_nothing_to_others_and_what_is_answered_from_there_is_explained():
    proxy = Counting(EXPLAINING)
    try:
        asked = get().replace(b"\r\n\r\n", b"\r\nX-Txproxy-Explain: %b\r\n\r\n" % TOKEN)
        client = proxy.connect()
        client.send(asked)
        upstream, _ = proxy.question()
        upstream.send(proxy.response(vary="X-Txproxy-Explain", **FRESH))
        assert said(client.take())[0] == "cache=MISS, pool=pool, upstream=http://10.0.0.1:80, attempts=1"
        client.send(get())
        answer = client.take()
        assert said(answer) == [] and b"Age: " in answer
        for _ in range(3):
            client.send(asked)
            assert said(client.take())[0] == "cache=HIT, attempts=0"
    finally:
        proxy.close()


def test_who_asks_in_the_same_words_again_is_answered_as_fast_as_without_it():
    proxy = Counting(EXPLAINING)
    try:
        assert proxy.factory.repeats and proxy.is_short(proxy.warm())
    finally:
        proxy.close()


def test_requests_of_http2_are_explained(proxy):
    client = Http2Peer(proxy.connect())
    for _ in range(3):
        # In the same words, which are known from the second on.
        stream = client.ask(*GET_2, (b"x-txproxy-explain", TOKEN))
        proxy.upstream.send(OK % b"")
        (fields,) = client.turn().responses[stream].heads
        told = [value.decode() for name, value in fields if name == b"x-txproxy-explain"]
        assert told[0] == f"HTTP/2 stream={stream}, pool=app, upstream=http://10.0.0.1:80, attempts=1"
        assert len(told) == 6 and b"xplain" not in proxy.upstream.received
    other = client.ask(*GET_2)
    proxy.upstream.send(OK % b"")
    assert client.turn().responses[other].field(b"x-txproxy-explain") is None


def test_what_is_said_is_bounded_and_ascii(make):
    class Talkative:
        def handle(self, request, context, proceed):
            for number in range(100):
                context.trace.say(f"part {number}", "é\r\nSet-Cookie: a=b\x7f", "x" * 300)
            return Refusal(403, "http_request_denied", "no")

    pool = Pool(["http://10.0.0.1"])
    proxy = make(lambda clock: ReverseProxyFactory(pool, middleware=[EXPLAINING, Talkative()], reactor=clock))
    client = proxy.connect()
    client.send(request())
    told = said(client.received)
    assert told[-1] == "..." and len(told) < 26 and sum(map(len, told)) < 4096
    assert b"\r\nSet-Cookie" not in client.received
    assert told[1].startswith(r"part 0: \xe9\r\nSet-Cookie: a=b\x7f, xxx") and max(map(len, told)) == 240
