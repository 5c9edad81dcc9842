"""Where a request goes that is to go elsewhere than its client wants."""

from tests.forward.asking import GET, again, get, status
from txproxy.forward.access.rules import Rule
from txproxy.forward.request.url_rewrites import Rewrite


def test_a_request_goes_to_the_url_that_is_told(forward):
    proxy = forward(
        via=None, rewrites=[Rewrite(name="r", hosts="www.example.com", to="http://mirror.example:8080/m{path}")]
    )
    proxy.ask(GET)
    assert str(proxy.network.dialed[0]) == "mirror.example:8080"
    assert proxy.upstream.received == b"GET /m/x?y HTTP/1.1\r\nHost: mirror.example:8080\r\n\r\n"


def test_a_client_is_told_to_go_there(forward):
    proxy = forward(rewrites=[Rewrite(name="r", hosts="www.example.com", to="https://{host}{path}", redirect=307)])
    answer = proxy.ask(GET)
    assert status(answer) == 307 and b"\r\nLocation: https://www.example.com/x?y\r\n" in answer
    assert not proxy.network.dialed
    assert proxy.finished[0].context.verdict.rule == "r"


def test_what_is_rewritten_is_judged_as_it_goes_on(forward):
    proxy = forward(
        rewrites=[Rewrite(name="r", hosts="www.example.com", to="http://evil.example/")], deny_hosts=["evil.example"]
    )
    assert status(proxy.ask(GET)) == 403
    proxy = forward(
        rewrites=[Rewrite(name="r", hosts="www.example.com", to="https://good.example{path}")],
        rules=[Rule(action="allow", hosts="good.example", schemes="https")],
    )
    proxy.ask(GET)
    assert (str(proxy.network.dialed[0]), proxy.network.dialed[0].server_name) == ("good.example:443", "good.example")


def test_where_a_request_wanted_to_go_need_not_be_allowed(forward):
    proxy = forward(
        allow_hosts=["new.example"],
        rewrites=[
            Rewrite(name="moved", hosts="www.example.com", to="http://new.example{path}"),
            Rewrite(name="told", hosts="old.example", to="http://new.example{path}", redirect=308),
        ],
    )
    client = proxy.connect()
    for _ in range(3):
        assert again(client, proxy) == 200
    assert proxy.network.dialed[0].host == "new.example"
    assert status(proxy.ask(get(b"http://old.example:25/x"))) == 308
    assert status(proxy.ask(get(b"http://other.example/"))) == 403


def test_searches_are_made_safe(forward):
    proxy = forward(via=None, safe_search=["google", "youtube"])
    proxy.ask(get(b"http://www.google.com/search?q=x"))
    assert proxy.upstream.received.startswith(b"GET /search?q=x&safe=active HTTP/1.1\r\n")
    proxy.ask(get(b"http://www.youtube.com/"))
    assert b"\r\nYouTube-Restrict: Strict\r\n" in proxy.upstream.received
    proxy.ask(b"CONNECT www.google.com:443 HTTP/1.1\r\nHost: www.google.com:443\r\n\r\n")
    assert str(proxy.network.dialed[-1]) == "forcesafesearch.google.com:443"
