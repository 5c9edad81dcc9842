"""What goes to parent proxies, in which words, and what happens if they fail."""

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import capturedLogs

from txproxy import ForwardPolicy, ForwardProxyFactory
from txproxy.errors import ConfigError, ConnectionRefused, ConnectTimeout, DialError, ParentError, TlsError
from txproxy.forward.access.destinations import Destinations
from txproxy.forward.parents.no_proxy import NoProxy
from txproxy.forward.parents.parent import Parent
from txproxy.forward.parents.selection import Parents
from txproxy.forward.parents.to_parents import Told, ToParents
from txproxy.interfaces import Address, Attempt, Plan
from txproxy.testing import ProxyInMemory, context_of
from txproxy.wire.headers import Headers
from txproxy.wire.message import RequestHead

OK = b"HTTP/1.1 200 OK\r\nDate: D\r\nContent-Length: 2\r\n\r\nok"
GET = b"GET http://example.com/x?y HTTP/1.1\r\nHost: example.com\r\n\r\n"
POST = b"POST http://example.com/ HTTP/1.1\r\nHost: example.com\r\nContent-Length: 2\r\n\r\nhi"
CONNECT = b"CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n"
TUNNEL = b"HTTP/1.1 200 Connection established\r\n\r\n"


@pytest.fixture
def make(closing):
    def make(*parents, **policy):
        settings = {"via": None, "parents": parents, **policy}
        return closing(ProxyInMemory(lambda reactor: ForwardProxyFactory(ForwardPolicy(**settings), reactor=reactor)))

    return make


def ask(proxy, request=GET):
    client = proxy.connect()
    client.send(request)
    return client


def dialed(proxy):
    return [str(address) for address in proxy.network.dialed]


def asked(proxy, host="example.com", port=443):
    """What the parent of the last dial is asked first."""
    return proxy.network.dialed[-1].through.opening(host, port).take_output()


# -- in which words


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_plain_request_is_sent_to_an_http_parent_in_absolute_form(make, scheme):
    proxy = make(f"{scheme}://bob:secret@p:3128", via="here")
    client = ask(proxy, GET.replace(b"\r\n\r\n", b"\r\nProxy-Authorization: Basic bWluZQ==\r\nAccept: */*\r\n\r\n"))
    assert dialed(proxy) == [f"{scheme}://p:3128"]
    head = proxy.upstream.received
    assert head.startswith(
        b"GET http://example.com/x?y HTTP/1.1\r\nHost: example.com\r\nAccept: */*\r\nVia: 1.1 here ("
    )
    # base64 of bob:secret; what the client sent was for this proxy.
    assert head.endswith(b")\r\nProxy-Authorization: Basic Ym9iOnNlY3JldA==\r\n\r\n")
    proxy.upstream.send(OK)
    assert client.received.endswith(b"ok")


def test_connections_to_a_parent_are_shared_by_all_origins(make):
    proxy = make("http://p")
    client = ask(proxy)
    proxy.upstream.send(OK)
    client.send(GET.replace(b"example.com", b"example.org:8080"))
    proxy.upstream.send(OK)
    assert len(proxy.network.connections) == 1
    assert (
        b"\r\n\r\nGET http://example.org:8080/x?y HTTP/1.1\r\nHost: example.org:8080\r\n\r\n" in proxy.upstream.received
    )
    assert client.received.count(b" 200 OK") == 2


def test_the_same_client_is_told_of_in_the_right_words_when_parents_take_turns(make):
    proxy = make("http://a:x@p", "http://q")
    client = proxy.connect()
    for _ in range(2):
        client.send(GET)
        proxy.upstream.send(OK)
    p, q = (connection.received for connection in proxy.network.connections)
    assert b"Proxy-Authorization" in p and b"Proxy-Authorization" not in q


@pytest.mark.parametrize(
    ("target", "line"),
    [
        (b"http://example.com", b"OPTIONS http://example.com HTTP/1.1\r\n"),
        (b"http://example.com/*", b"OPTIONS http://example.com/* HTTP/1.1\r\n"),
        (b"ws://example.com/x", b"OPTIONS http://example.com/x HTTP/1.1\r\n"),
    ],
)
def test_targets(make, target, line):
    proxy = make("http://p")
    ask(proxy, b"OPTIONS %b HTTP/1.1\r\nHost: example.com\r\n\r\n" % target)
    assert proxy.upstream.received.startswith(line)


def test_a_body_goes_along(make):
    proxy = make("http://p")
    ask(proxy, POST)
    assert proxy.upstream.received.endswith(b"Content-Length: 2\r\n\r\nhi")


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_tunnel_is_asked_for_by_connect(make, scheme):
    proxy = make(f"{scheme}://bob:secret@p:3128")
    client = ask(proxy, CONNECT + b"hello")
    assert dialed(proxy) == [f"example.com:443 through {scheme}://p:3128"]
    assert asked(proxy) == (
        b"CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n"
        b"Proxy-Authorization: Basic Ym9iOnNlY3JldA==\r\n\r\n"
    )
    assert (client.received, proxy.upstream.received) == (TUNNEL, b"hello")


def test_a_request_for_https_is_sent_through_a_tunnel_that_is_kept(make):
    proxy = make("http://p")
    client = ask(proxy, GET.replace(b"http:", b"https:"))
    address = proxy.network.dialed[0]
    assert (str(address), address.server_name) == ("example.com:443 through http://p:80", "example.com")
    assert address.tls is not None
    assert proxy.upstream.received.startswith(b"GET /x?y HTTP/1.1\r\nHost: example.com\r\n")
    proxy.upstream.send(OK)
    client.send(GET.replace(b"http:", b"https:"))
    proxy.upstream.send(OK)
    assert client.received.count(b" 200 OK") == 2 and len(proxy.network.connections) == 1


def test_everything_goes_through_a_socks_parent_in_the_origins_own_words(make):
    proxy = make("socks5://bob:secret@p", via="here")
    client = ask(proxy)
    assert dialed(proxy) == ["example.com:80 through socks5://p:1080"]
    assert asked(proxy) == b"\x05\x02\x00\x02"
    assert proxy.upstream.received.startswith(b"GET /x?y HTTP/1.1\r\nHost: example.com\r\nVia: ")
    assert b"Proxy-Authorization" not in proxy.upstream.received
    proxy.upstream.send(OK)
    client.send(GET)
    assert len(proxy.network.connections) == 1
    ask(proxy, CONNECT)
    assert dialed(proxy)[1] == "example.com:443 through socks5://p:1080"


def test_a_loop_of_tunnels_is_found(make):
    first, second = make("http://second", via="first"), make("http://first", via="second")
    ask(first, CONNECT)
    ask(second, asked(first))
    assert asked(second).count(b"Via: ") == 2
    looped = ask(first, asked(second))
    assert looped.received.startswith(b"HTTP/1.1 508 ") and len(first.network.dialed) == 1


def test_a_host_that_is_dialled_in_place_of_the_targets_is_what_the_parent_is_asked_for(make):
    proxy = make("http://p", safe_search=["google"])
    ask(proxy, CONNECT.replace(b"example.com", b"www.google.com"))
    assert dialed(proxy) == ["forcesafesearch.google.com:443 through http://p:80"]
    plan = Plan(Address("other.example", 80), RequestHead(b"GET", b"/", Headers(), b"example.com"))
    ToParents(Parents(["http://p"]), NoProxy(), Destinations()).plan(plan, plan.attempt.head, context_of("127.0.0.1"))
    assert str(plan.attempt.address) == "other.example:80 through http://p:80" and plan.attempt.head.path == b"/"


def test_connections_to_a_parent_that_the_client_names_itself_are_others(make):
    proxy = make("http://10.0.0.9:3128", no_proxy=["10.0.0.9"])
    ask(proxy)
    proxy.upstream.send(OK)
    ask(proxy, GET.replace(b"example.com", b"10.0.0.9:3128"))
    # A new one, whose address the dialer judges.
    assert dialed(proxy) == ["http://10.0.0.9:3128", "10.0.0.9:3128"]


# -- which


def test_exceptions_and_hosts_that_no_parent_is_there_for_are_reached_directly(make):
    proxy = make("http://p;host=.example.com", no_proxy=["direct.example.com"])
    ask(proxy)
    ask(proxy, GET.replace(b"example.com", b"direct.example.com"))
    ask(proxy, GET.replace(b"example.com", b"example.org"))
    assert dialed(proxy) == ["http://p:80", "direct.example.com:80", "example.org:80"]
    assert proxy.upstream.received.startswith(b"GET /x?y ")


@pytest.mark.parametrize("parent", ["http://p", "socks5://p"])
@pytest.mark.parametrize(
    "host",
    [
        b"127.0.0.1",
        b"0x7f.1",
        b"2130706433",
        b"[::1]",
        b"[::ffff:10.0.0.1]",
        b"169.254.169.254",
        b"localhost",
        b"x.localhost.",
    ],
)
@pytest.mark.parametrize("request_bytes", [GET, CONNECT])
def test_addresses_that_may_not_be_reached_are_not_reached_through_a_parent(make, parent, host, request_bytes):
    proxy = make(parent)
    client = ask(proxy, request_bytes.replace(b"example.com", host))
    assert client.received.startswith(b"HTTP/1.1 403 ") and b"error=destination_ip_prohibited" in client.received
    assert not proxy.network.dialed


def test_addresses_that_may_be_reached_are_and_names_are_the_parents_to_look_up(make):
    proxy = make("http://p", allow_destinations=["127.0.0.0/8"])
    for host in (b"127.0.0.1", b"localhost", b"intranet.example", b"93.184.216.34"):
        assert not ask(proxy, CONNECT.replace(b"example.com", host)).received.startswith(b"HTTP/1.1 4")
    assert len(proxy.network.dialed) == 4


def test_a_local_address_is_for_the_connection_to_the_parent(make):
    proxy = make("http://p", "socks5://q", bind="192.0.2.1")
    for _ in range(2):
        ask(proxy)
    assert [address.bind for address in proxy.network.dialed] == ["192.0.2.1"] * 2
    direct = make(bind="192.0.2.1")
    ask(direct)
    assert direct.network.dialed[0].bind == "192.0.2.1"


# -- a hook


def test_a_hook_chooses_for_each_request(make):
    own = Parent("http://own")
    seen = []

    def choose(head, client, parents):
        seen.append((head.method, client.client_ip, len(parents)))
        return {b"/own": own, b"/direct": parents.direct}.get(head.path)

    proxy = make("http://p", choose_parent=choose)
    for path in (b"/own", b"/direct", b"/other"):
        ask(proxy, GET.replace(b"/x?y", path))
    assert dialed(proxy) == ["http://own:80", "example.com:80", "http://p:80"]
    assert seen[0] == (b"GET", "127.0.0.1", 1)


def test_a_hook_may_choose_later_and_without_parents(make):
    waiting = Deferred()
    proxy = make(choose_parent=lambda head, client, parents: waiting)
    ask(proxy)
    assert not proxy.network.dialed
    waiting.callback(Parent("http://own"))
    assert dialed(proxy) == ["http://own:80"]


def test_a_hook_that_waits_for_a_client_that_has_left_is_told(make):
    waiting = Deferred()
    proxy = make("http://p", choose_parent=lambda head, client, parents: waiting)
    ask(proxy).drop()
    assert waiting.called and not proxy.network.dialed


def test_what_a_hook_has_chosen_is_not_replaced(make):
    proxy = make("http://p", choose_parent=lambda head, client, parents: Parent("http://own"))
    proxy.network.script = [ParentError("it refused the connection", error="connection_refused")]
    assert ask(proxy).received.startswith(b"HTTP/1.1 502 ")
    assert dialed(proxy) == ["http://own:80"]


def test_a_hook_that_answers_something_else_is_a_500(make):
    proxy = make("http://p", choose_parent=lambda head, client, parents: "http://own")
    with capturedLogs() as events:
        assert ask(proxy).received.startswith(b"HTTP/1.1 500 ")
    assert any("log_failure" in event for event in events)


# -- if they fail


DOWN = ParentError("it refused the connection", error="connection_refused")


@pytest.mark.parametrize("request_bytes", [GET, POST, CONNECT])
def test_the_next_one_is_asked_in_its_own_words(make, request_bytes):
    proxy = make("http://a:x@a", "socks5://b")
    proxy.network.script = [DOWN]
    client = ask(proxy, request_bytes)
    assert [text.rpartition("/")[2] for text in dialed(proxy)] == ["a:80", "b:1080"]
    assert b"Proxy-Authorization" not in proxy.upstream.received and b"http://" not in proxy.upstream.received
    if request_bytes is CONNECT:
        assert client.received == TUNNEL
    else:
        proxy.upstream.send(OK)
        assert client.received.endswith(b"ok")


def test_the_first_one_is_asked_in_its_own_words_after_another(make):
    proxy = make("socks5://b", "http://a:x@a")
    proxy.network.script = [DOWN]
    ask(proxy)
    assert proxy.upstream.received.startswith(b"GET http://example.com/x?y ")
    assert b"Proxy-Authorization: Basic" in proxy.upstream.received


def test_direct_is_the_last_resort_if_it_is_allowed(make):
    proxy = make("http://a", "http://b", "direct")
    proxy.network.script = [DOWN, DOWN]
    ask(proxy)
    assert dialed(proxy) == ["http://a:80", "http://b:80", "example.com:80"]
    assert proxy.upstream.received.startswith(b"GET /x?y ")


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        (DOWN, b"502"),
        (ParentError("late", status=504, error="connection_timeout"), b"504"),
    ],
)
def test_when_none_is_left_the_client_learns_what_was_wrong_with_the_last(make, fault, status):
    proxy = make("http://a", "http://b")
    proxy.network.script = [DOWN, fault]
    received = ask(proxy).received
    assert received.startswith(b"HTTP/1.1 " + status) and b"error=" + fault.error.encode() in received
    assert len(proxy.network.dialed) == 2


@pytest.mark.parametrize(
    "fault",
    [
        DialError("the parent proxy answered 403", error="http_request_denied"),
        ConnectionRefused("the parent proxy says: connection refused"),
        ConnectTimeout("connecting took too long"),
        TlsError("the certificate is not trusted", error="tls_certificate_error"),
    ],
)
def test_what_is_wrong_beyond_a_parent_is_no_reason_to_ask_another(make, fault):
    proxy = make("http://a", "http://b", "direct")
    proxy.network.script = [fault]
    ask(proxy, CONNECT)
    assert len(proxy.network.dialed) == 1


def test_a_parent_that_closes_without_an_answer_is_not_the_last_one_for_what_may_be_repeated(make):
    proxy = make("http://a", "http://b")
    client = ask(proxy)
    proxy.upstream.drop(clean=True)
    proxy.upstream.send(OK)
    assert client.received.endswith(b"ok") and dialed(proxy) == ["http://a:80", "http://b:80"]
    client = ask(proxy, POST)
    before = len(proxy.network.dialed)
    next(
        one for one in proxy.network.connections if one.received.startswith(b"POST") or b"\nPOST" in one.received
    ).drop()
    assert client.received.startswith(b"HTTP/1.1 502 ") and len(proxy.network.dialed) == before


def test_an_origin_that_closes_without_an_answer_is_no_reason_to_ask_another(make):
    proxy = make("socks5://a", "socks5://b")
    client = ask(proxy)
    proxy.upstream.drop(clean=True)
    assert client.received.startswith(b"HTTP/1.1 502 ") and len(proxy.network.dialed) == 1


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("request_bytes", [GET, POST])
def test_a_challenge_of_a_parent_is_not_for_the_client(make, whole, request_bytes):
    proxy = make("http://bob:secret@a", "http://b")
    challenge = b"HTTP/1.1 407 No\r\nProxy-Authenticate: Basic realm=x\r\nContent-Length: 6\r\n\r\n"
    with capturedLogs() as events:
        client = ask(proxy, request_bytes)
        proxy.upstream.send(challenge + (b"secret" if whole else b"se"))
    assert client.received.startswith(b"HTTP/1.1 502 ") and b"error=proxy_configuration_error" in client.received
    assert b"secret" not in client.received and b"uthenticate" not in client.received
    said = [event["log_format"].format(**event) for event in events]
    assert any("http://a:80 wants other credentials" in line for line in said) and "secret" not in str(said)
    if not whole:
        assert proxy.upstream.reset, "nobody reads the rest of it"
    # It gets nothing more for a while.
    for _ in range(3):
        client = ask(proxy)
        proxy.upstream.send(OK)
        assert client.received.endswith(b"ok")
    assert dialed(proxy) == ["http://a:80", "http://b:80"]


def test_other_answers_of_a_parent_are_answers(make):
    proxy = make("http://a", "http://b")
    client = ask(proxy)
    proxy.upstream.send(b"HTTP/1.1 503 Not now\r\nContent-Length: 0\r\n\r\n")
    assert client.received.startswith(b"HTTP/1.1 503 Not now") and len(proxy.network.dialed) == 1


def test_who_else_wants_to_know_the_status_is_told_if_it_is_for_the_client():
    statuses = []
    head = RequestHead(b"GET", b"/", Headers(), b"example.com")
    plan = Plan.of(Attempt(Address("example.com", 80), head, answered=statuses.append))
    ToParents(Parents(["http://p"]), NoProxy(), Destinations()).plan(plan, head, context_of("127.0.0.1"))
    plan.attempt.answered(200)
    with pytest.raises(ParentError):
        plan.attempt.answered(407)
    assert statuses == [200]


def test_what_a_parent_is_told_more_changes_nothing_else_of_it():
    parent = Parent("http://p")
    parent.use_clock(Clock())
    told = Told(parent, [b"Via: 1.1 x"])
    assert (str(told), told.key, told.address) == (str(parent), parent.key, parent.address)
    told.failed(DOWN)
    assert parent.out
    told.reached()
    assert not parent.out
    assert b"\r\nVia: 1.1 x\r\n" in told.opening("a", 1).take_output()


# -- the policy


@pytest.mark.parametrize(
    "policy",
    [
        {"parents": ["ftp://p"]},
        {"parents": ["http://p;weight=0", "http://q;max=1"]},
        {"no_proxy": ["*"]},
        {"bind": "eth0"},
    ],
)
def test_a_wrong_value_says_what_is_accepted(policy):
    with pytest.raises(ConfigError, match="accepted"):
        ForwardPolicy(**policy)


def test_parents_are_looked_after_while_the_proxy_serves():
    proxy = ProxyInMemory(
        lambda reactor: ForwardProxyFactory(
            ForwardPolicy(parents=Parents(["http://a", "direct"], check_interval=10)), reactor=reactor
        )
    )
    proxy.advance(25)
    assert 2 <= len(proxy.network.dialed) <= 4 and set(dialed(proxy)) == {"http://a:80"}
    proxy.close()


def test_a_parent_that_resets_within_a_head_is_followed_by_the_next(make):
    proxy = make("http://10.1.0.1:3128", "http://10.1.0.2:3128")
    client = ask(proxy)
    proxy.upstream.send(b"HTTP/1.1 200 OK\r\nDate: D")
    proxy.upstream.drop()
    proxy.upstream.send(OK)
    assert client.received == OK and len(dialed(proxy)) == 2


def test_what_a_parent_says_to_connect_reaches_the_client(make):
    proxy = make("http://a", "http://b")
    opening = proxy.factory.forward._to_parents.parents.choose("example.com").opening("example.com", 443)
    with pytest.raises(DialError) as raised:
        opening.receive(b"HTTP/1.1 403 Blocked by policy\r\nProxy-Authenticate: Basic realm=x\r\n\r\n")
    proxy.network.script = [raised.value]
    head, _, body = ask(proxy, CONNECT).received.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 403 Forbidden\r\n") and b"Proxy-Authenticate" not in head
    assert body == b"403 Forbidden\nThe parent proxy says 403 Blocked by policy.\n"
    assert len(proxy.network.dialed) == 1


def test_a_browser_gets_what_a_parent_says_as_a_page(make):
    proxy = make("http://a")
    opening = proxy.factory.forward._to_parents.parents.choose("example.com").opening("example.com", 443)
    with pytest.raises(DialError) as raised:
        opening.receive(b"HTTP/1.1 503 <b>Busy</b> & more\r\n\r\n")
    proxy.network.script = [raised.value]
    head, _, body = ask(proxy, CONNECT[:-2] + b"Accept: text/html\r\n\r\n").received.partition(b"\r\n\r\n")
    assert b"\r\nContent-Type: text/html; charset=utf-8\r\n" in head
    assert body.endswith(
        b"<h1>503 Service Unavailable</h1>\n<p>The parent proxy says 503 bBusy/b  more.</p>\n</html>\n"
    )
