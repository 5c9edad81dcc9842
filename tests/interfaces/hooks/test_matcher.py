"""Code that says whether a request is one that is meant."""

import pytest

from txproxy import Pool, ReverseProxyFactory
from txproxy.components.named_code import NamedCode
from txproxy.errors import ConfigError
from txproxy.interfaces import Headers, Request, RequestHead
from txproxy.interfaces.hooks import matcher
from txproxy.interfaces.hooks.code_faults import CodeFailed
from txproxy.interfaces.hooks.matcher import Matcher, find_matcher
from txproxy.reverse import Match, Respond, ReverseMode, Route, ToPool
from txproxy.testing import ProxyInMemory, context_of


@pytest.fixture
def own(monkeypatch):
    """Has code found by what stands here."""
    found = {}
    monkeypatch.setattr(matcher, "find_code", lambda code, what: found[code.name])
    return found


def request(path=b"/"):
    return Request(RequestHead(b"GET", path, Headers()), context_of())


def test_it_is_found_when_it_is_first_asked_and_has_its_settings(own):
    one = Matcher(NamedCode("m:f", {"path": "/x"}))
    own["m:f"] = lambda request, *, path: request.path == path
    assert one.holds(request(b"/x")) and not one.holds(request())
    assert one == Matcher(NamedCode("m:f", {"path": "/x"})) != Matcher(NamedCode("m:f", {"path": "/y"}))
    assert hash(one) == hash(Matcher(NamedCode("m:f", {"path": "/x"}))) and str(one) == "m:f"


async def later(request):
    return True


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (lambda request: 1 / 0, "matches m:f: ZeroDivisionError at"),
        (lambda request: 1, "matches m:f: it gives int; accepted is True or False, at once"),
        (later, "matches m:f: it gives coroutine; accepted is True or False, at once"),
    ],
)
def test_one_that_cannot_say_fails_the_request(own, function, said):
    own["m:f"] = function
    with pytest.raises(CodeFailed, match=said):
        Matcher(NamedCode("m:f")).holds(request())


def test_what_is_no_function_is_told_of(own):
    own |= {"m:a": 5, "m:b": Match, "m:c": lambda: True}
    for name in own:
        with pytest.raises(ConfigError, match=r"accepted is a function of a request"):
            find_matcher(NamedCode(name))


def test_a_route_is_taken_where_it_holds_and_is_asked_for_each_request(own):
    answers = [True, False, True]
    own["m:f"] = lambda request: answers.pop(0)
    routes = [Route("r", Match(path="/", matches="m:f"), Respond(204))]
    pool = Pool(["http://10.0.0.1"])
    proxy = ProxyInMemory(lambda reactor: ReverseProxyFactory(ReverseMode(ToPool(pool), routes), reactor=reactor))
    client = proxy.connect()
    said = []
    for _ in range(3):
        client.send(b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n")
        if proxy.network.connections and len(said) == 1:
            proxy.upstream.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        said.append(client.take()[:12])
    assert said == [b"HTTP/1.1 204", b"HTTP/1.1 200", b"HTTP/1.1 204"] and answers == []
    proxy.close()


def test_a_route_whose_code_fails_is_answered_with_500(own):
    own["m:f"] = lambda request: {}["x"]
    routes = [Route("r", Match(path="/x", matches=["m:f"]), Respond(204)), Route("s", Match(path="/y"), Respond(204))]
    proxy = ProxyInMemory(lambda reactor: ReverseProxyFactory(ReverseMode(None, routes), reactor=reactor))
    client = proxy.connect()
    client.send(b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n")
    assert client.take().startswith(b"HTTP/1.1 500")
    client.send(b"GET /y HTTP/1.1\r\nHost: a\r\n\r\n")
    assert client.take().startswith(b"HTTP/1.1 204")
    proxy.close()
