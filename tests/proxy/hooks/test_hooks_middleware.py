"""Short functions before a request, and after its response."""

import pytest
from twisted.internet.defer import Deferred

from txproxy.interfaces import Refusal, Reply

GET = b"GET /x HTTP/1.1\r\nHost: a.example\r\nX-A: 1\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nServer: s\r\n\r\nhello"


def answered(proxy, request=GET, response=OK):
    client = proxy.connect()
    client.send(request)
    if proxy.network.connections:
        proxy.upstream.send(response)
    return client.take()


def test_a_request_goes_on_with_the_fields_as_they_are_left(serve):
    def one(request):
        request.headers.set("X-A", request.headers.get("x-a") + "2")

    async def other(request):
        request.headers.add("X-B", request.url)

    proxy = serve([one, other])
    assert answered(proxy).endswith(b"hello")
    assert b"\r\nX-A: 12\r\nX-B: http://a.example/x\r\n" in proxy.upstream.received


def test_a_request_goes_on_to_the_path_that_it_is_given(serve):
    async def one(request):
        request.path = f"/v1{request.path}"
        request.headers.set("X-A", "2")

    def other(request):
        request.query = "a=b"
        request.headers.set("X-Url", request.url)

    proxy = serve([one, other])
    assert answered(proxy, GET.replace(b"/x", b"/x?old")).endswith(b"hello")
    sent = proxy.upstream.received
    assert sent.startswith(b"GET /v1/x?a=b HTTP/1.1\r\n") and b"X-A: 2\r\n" in sent
    assert b"X-Url: http://a.example/v1/x?a=b\r\n" in sent


@pytest.mark.parametrize("later", [False, True])
def test_the_first_that_answers_is_the_last_that_is_asked(serve, later):
    def first(request):
        return None

    def plain(request):
        return Reply(403, "no", {"X-Why": "a"})

    async def waits(request):
        return plain(request)

    def never(request):
        raise AssertionError

    proxy = serve([first, waits if later else plain, never])
    said = answered(proxy)
    assert said.startswith(b"HTTP/1.1 403 Forbidden\r\n") and said.endswith(b"\r\n\r\nno") and b"X-Why: a" in said
    assert not proxy.network.connections


def test_a_refusal_is_one_as_well_and_what_is_neither_is_a_fault(serve):
    def refuses(request):
        return Refusal(429)

    def wrong(request):
        return "no"

    assert answered(serve([refuses])).startswith(b"HTTP/1.1 429")
    assert answered(serve([wrong])).startswith(b"HTTP/1.1 500")


def test_a_fault_is_answered_and_harms_no_other(serve):
    def fails(request):
        return None if request.path == "/x" else {}["secret"]

    proxy = serve([fails])
    client = proxy.connect()
    client.send(GET.replace(b"/x", b"/y"))
    said = client.take()
    assert said.startswith(b"HTTP/1.1 500") and b"secret" not in said and b"test_hooks" not in said
    client.send(GET)
    proxy.upstream.send(OK)
    assert client.take().endswith(b"hello")
    assert not proxy.upstream.closed and not client.closed


def test_what_is_waited_for_is_for_one_request_alone_and_has_its_time(serve):
    waiting = []

    def waits(request):
        if request.path == "/y":
            waiting.append(Deferred())
            return waiting[-1]
        return None

    proxy = serve([waits])
    client = proxy.connect()
    client.send(GET.replace(b"/x", b"/y"))
    assert client.take() == b"" and answered(proxy).endswith(b"hello")
    waiting[0].callback(None)
    proxy.upstream.send(OK)
    assert client.take().endswith(b"hello")
    client.send(GET.replace(b"/x", b"/y"))
    proxy.clock.advance(10.5)
    assert client.take().startswith(b"HTTP/1.1 504")


def test_who_leaves_is_waited_for_no_more(serve):
    cancelled = []

    async def waits(request):
        await Deferred(cancelled.append)

    proxy = serve([waits])
    client = proxy.connect()
    client.send(GET)
    client.drop()
    assert len(cancelled) == 1 and not proxy.network.connections


# -- after


def change(request, response):
    response.headers.remove("Server")
    response.headers.set("X-Path", request.path)
    response.status = 201


async def change_at_once(request, response):
    change(request, response)


@pytest.mark.parametrize("one", [change, change_at_once])
@pytest.mark.parametrize(
    "response",
    [OK, OK.replace(b"Content-Length: 5", b"Transfer-Encoding: chunked").replace(b"hello", b"5\r\nhello\r\n0\r\n\r\n")],
)
def test_a_response_is_changed(serve, one, response):
    said = answered(serve(after=[one]), response=response)
    assert said.startswith(b"HTTP/1.1 201 ") and b"X-Path: /x" in said and b"Server" not in said and b"hello" in said


def held(proxy, pieces, waited, method=b"GET"):
    """What a client has got before, and after what was waited for is there."""
    client = proxy.connect()
    client.send(GET.replace(b"GET", method))
    for piece in pieces:
        proxy.upstream.send(piece)
    before = client.take()
    waited.pop().callback(None)
    return client, before


def waiting_after(waited):
    async def waits(request, response):
        waited.append(Deferred())
        await waited[-1]
        response.headers.set("X-Late", "1")

    return waits


@pytest.mark.parametrize("pieces", [[OK], [OK[:-5], OK[-5:]], [OK[:-3], OK[-3:]], [OK[:-5], b"he", b"llo"]])
def test_a_response_waits_with_its_body(serve, pieces):
    waited = []
    client, before = held(serve(after=[waiting_after(waited), change]), pieces, waited)
    said = client.take()
    assert before == b"" and said.startswith(b"HTTP/1.1 201 ") and b"X-Late: 1" in said and said.endswith(b"hello")


def test_two_may_wait_and_the_rest_of_a_body_is_read_then(serve):
    waited = []
    proxy = serve(after=[waiting_after(waited), waiting_after(waited)])
    client, before = held(proxy, [OK[:-5]], waited)
    assert before == client.take() == b""
    waited.pop().callback(None)
    assert b"X-Late: 1\r\n\r\n" in client.take()
    proxy.upstream.send(b"hello")
    assert client.take() == b"hello"
    client.send(GET)
    proxy.upstream.send(OK)
    waited.pop().callback(None)
    waited.pop().callback(None)
    assert client.take().endswith(b"hello")


def test_what_is_said_in_place_of_a_response_is_all_that_the_client_gets(serve):
    waited = []

    async def replaces(request, response):
        waited.append(Deferred())
        await waited[-1]
        return Reply(503, "later")

    def at_once(request, response):
        return Reply(418, "at once")

    client, _ = held(serve(after=[replaces]), [OK[:-3]], waited)
    said = client.take()
    assert said.startswith(b"HTTP/1.1 503") and said.endswith(b"later")
    assert answered(serve(after=[at_once])).endswith(b"at once")


def test_answers_of_the_proxy_pass_it_and_refusals_do_not(serve):
    waited = []

    def answers(request):
        return Reply(200, "own") if request.path == "/x" else Refusal(403)

    proxy = serve([answers], [waiting_after(waited)])
    client = proxy.connect()
    client.send(GET)
    assert client.take() == b""
    waited.pop().callback(None)
    said = client.take()
    assert said.endswith(b"own") and b"X-Late: 1" in said
    client.send(GET.replace(b"/x", b"/y"))
    assert client.take().startswith(b"HTTP/1.1 403") and not waited


@pytest.mark.parametrize("own", [False, True])
def test_a_fault_after_is_answered_with_500(serve, own):
    waited = []

    async def fails(request, response):
        waited.append(Deferred())
        await waited[-1]
        raise KeyError("secret")

    def answers(request):
        return Reply(200, "own") if own else None

    proxy = serve([answers], [fails])
    client = proxy.connect()
    client.send(GET)
    if not own:
        proxy.upstream.send(OK[:-2])
    waited.pop().callback(None)
    said = client.take()
    assert said.startswith(b"HTTP/1.1 500") and b"secret" not in said
    assert answered(proxy).startswith(b"") and not client.closed


@pytest.mark.parametrize("own", [False, True])
def test_who_leaves_while_a_response_waits_leaves_nothing_behind(serve, own):
    cancelled = []

    async def waits(request, response):
        await Deferred(cancelled.append)

    def answers(request):
        return Reply(200, "own") if own else None

    proxy = serve([answers], [waits])
    client = proxy.connect()
    client.send(GET)
    if not own:
        proxy.upstream.send(OK[:-2])
    client.drop()
    assert len(cancelled) == 1
    assert own or proxy.upstream.reset


def test_an_upstream_that_goes_while_its_response_waits_is_told_of(serve):
    waited = []
    proxy = serve(after=[waiting_after(waited)])
    client = proxy.connect()
    client.send(GET)
    proxy.upstream.send(OK[:-2])
    proxy.upstream.drop()
    said = client.take()
    if waited:
        waited.pop().callback(None)
    assert said.startswith(b"HTTP/1.1 502") and client.take() == b""


def test_another_protocol_waits_as_well(serve):
    waited = []
    proxy = serve(after=[waiting_after(waited)])
    client = proxy.connect()
    client.send(GET.replace(b"X-A: 1", b"Upgrade: chat\r\nConnection: Upgrade"))
    proxy.upstream.send(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: chat\r\nConnection: Upgrade\r\n\r\nhi")
    assert client.take() == b""
    waited.pop().callback(None)
    said = client.take()
    assert said.startswith(b"HTTP/1.1 101") and b"X-Late: 1" in said and said.endswith(b"hi")
    client.send(b"ho")
    assert proxy.upstream.received.endswith(b"ho")


def test_a_slow_one_after_has_its_time(serve):
    waited = []
    proxy = serve(after=[waiting_after(waited)])
    client = proxy.connect()
    client.send(GET)
    proxy.upstream.send(OK)
    proxy.clock.advance(10.5)
    assert client.take().startswith(b"HTTP/1.1 504")
