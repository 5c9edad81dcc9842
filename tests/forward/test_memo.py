"""What is remembered of a connection, and what is not."""

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from tests.forward.asking import AUTH, GET, PEOPLE, again, get, login, said
from txproxy.auth.auth_policy import AuthPolicy
from txproxy.forward.access.rules import Rule
from txproxy.forward.pipeline import Judge
from txproxy.interfaces import ClientConnection, RequestContext, RequestDenied
from txproxy.proxy.exchanges.exchange import Exchange
from txproxy.wire.headers import Headers
from txproxy.wire.message import RequestHead


def test_a_list_that_changes_is_heeded_at_once(forward, ads):
    proxy = forward(filters=[str(ads)], rules=[Rule(action="allow")])
    client = proxy.connect()
    assert [again(client, proxy) for _ in range(3)] == [200] * 3
    ads.write_text("example.com\n")
    proxy.advance(11)
    assert again(client, proxy) == 403


def test_so_is_one_that_a_rule_names(forward, ads):
    proxy = forward(lists={"ads": str(ads)}, rules=[Rule(action="deny", hosts="@ads"), Rule(action="allow")])
    client = proxy.connect()
    assert [again(client, proxy) for _ in range(3)] == [200] * 3
    ads.write_text("example.com\n")
    proxy.advance(11)
    assert again(client, proxy) == 403


def test_so_is_a_file_of_users(forward, tmp_path):
    users = tmp_path / "users"
    users.write_text("t0ken:alice\n")
    proxy = forward(auth=AuthPolicy(token_file=str(users)))
    client = proxy.connect()
    request = said(GET, b"Proxy-Authorization: Bearer t0ken")
    assert [again(client, proxy, request) for _ in range(3)] == [200] * 3
    users.write_text("other:alice\n")
    proxy.advance(11)
    assert again(client, proxy, request) == 407


def test_users_are_checked_again_after_a_while(forward):
    known = ["alice"]
    proxy = forward(auth=AuthPolicy(passwords=lambda name, _: name if name in known else None, remember=20))
    client = proxy.connect()
    request = said(GET, login("alice"))
    assert [again(client, proxy, request) for _ in range(3)] == [200] * 3
    known.clear()
    assert again(client, proxy, request) == 200
    proxy.advance(21)
    assert again(client, proxy, request) == 407


def test_each_path_and_method_is_judged_where_a_rule_is_about_them(forward, ads):
    proxy = forward(
        filters=[str(ads)],
        rules=[
            Rule(action="deny", url="*/private/*"),
            Rule(action="deny", methods="DELETE"),
            Rule(action="allow"),
        ],
    )
    client = proxy.connect()
    asked = [b"/x?y", b"/private/x", b"/x?y", b"/banner/x", b"/z", b"/z"]
    assert [again(client, proxy, GET.replace(b"/x?y", path)) for path in asked] == [200, 403, 200, 403, 200, 200]
    assert again(client, proxy, GET.replace(b"GET", b"DELETE")) == 403
    assert again(client, proxy) == 200


def test_what_was_used_decides_within_a_second(forward):
    used = [0]
    proxy = forward(
        usage=lambda client_ip, user, period: used[0],
        rules=[Rule(action="deny", used_more_than="10"), Rule(action="allow")],
    )
    client = proxy.connect()
    assert [again(client, proxy) for _ in range(3)] == [200] * 3
    used[0] = 11
    proxy.advance(1.1)
    assert again(client, proxy) == 403


def test_a_verdict_and_a_user_come_with_what_is_remembered(forward):
    proxy = forward(auth=AUTH, rules=[Rule(name="no", action="deny", url="*/no"), Rule(name="yes", action="allow")])
    client = proxy.connect()
    seen = []
    for path, lines in ((b"/a", [login("alice")]), (b"/no", [login("alice")]), (b"/a", []), (b"/a", [login("alice")])):
        again(client, proxy, said(GET.replace(b"/x?y", path), *lines))
        seen.append((proxy.finished[-1].context.user, proxy.finished[-1].context.verdict.rule))
    assert seen == [("alice", "yes"), ("alice", "no"), (None, "auth"), ("alice", "yes")]


def test_who_is_found_out_late_is_remembered_no_longer_than_others(forward):
    known = ["alice"]
    proxy = forward(
        auth=AuthPolicy(passwords=lambda name, _: name if name in known else None, remember=20),
        auth_by_rules=True,
        rules=[Rule(name="open", action="allow", url="*/open"), Rule(name="known", action="allow", users="*")],
    )
    client = proxy.connect()
    request = said(GET, login("alice"))
    seen = []
    for path in (b"/open", b"/x", b"/x", b"/open", b"/x"):
        assert again(client, proxy, request.replace(b"/x?y", path)) == 200
        seen.append((proxy.finished[-1].context.user, proxy.finished[-1].context.verdict.rule))
    assert [rule for _, rule in seen] == ["open", "known", "known", "open", "known"]
    assert [user for user, rule in seen if rule == "known"] == ["alice"] * 3
    known.clear()
    proxy.advance(21)
    assert again(client, proxy, request.replace(b"/x?y", b"/x")) == 407


def test_a_connection_is_nobodys_own(forward):
    proxy = forward(auth=AUTH, auth_by_rules=True, rules=[Rule(action="allow", users="alice")])
    client = proxy.connect()
    assert again(client, proxy, said(GET, login("alice"))) == 200
    assert again(client, proxy) == 407
    assert again(client, proxy, said(GET, b"X: another")) == 407
    assert again(client, proxy, said(GET, login("bob"))) == 403
    assert again(client, proxy, said(GET, login("alice"))) == 200
    assert again(client, proxy) == 407


def test_a_person_is_asked_each_time(forward):
    asked = []
    proxy = forward(rules=PEOPLE, ask=lambda question: asked.append(question) or len(asked) < 3)
    client = proxy.connect()
    assert [again(client, proxy) for _ in range(3)] == [200, 200, 403]


def test_fields_are_added_each_time(forward):
    proxy = forward(safe_search=["youtube"])
    client = proxy.connect()
    for _ in range(3):
        again(client, proxy, get(b"http://www.youtube.com/"))
        assert b"YouTube-Restrict: Strict" in proxy.upstream.take()


class Stream:
    """One of several streams of one connection, as far as an exchange is concerned that is answered at once."""

    errand = ""

    def send_informational(self, response):
        pass

    def __init__(self):
        self.answered = []

    def send_answer(self, given, response, body):
        self.answered.append(given.status)
        return 0

    def send_whole(self, response, body):
        self.answered.append(response.status)

    def exchange_done(self):
        pass


def at_once(proxy, connection, *names):
    """Exchanges for ``/NAME`` by each, on one connection, which all wait for their passwords; nobody has answered."""
    exchanges = []
    for name in names:
        head = RequestHead(b"GET", b"/" + name.encode(), Headers.from_lines([login(name)]), b"example.com", b"http")
        exchange = Exchange(proxy.factory.services, Stream(), head, RequestContext(connection))
        exchange.start(proxy.factory.mode.plan)
        exchanges.append(exchange)
    return exchanges


def test_requests_of_one_connection_that_are_on_their_way_at_once_are_of_who_sent_them(forward):
    asked = {}
    proxy = forward(auth=AuthPolicy(passwords=lambda name, _: asked.setdefault(name, Deferred())))
    at_once(proxy, ClientConnection("127.0.0.1"), "alice", "bob")
    asked["bob"].callback("bob")
    asked["alice"].callback("alice")
    for connection in proxy.network.connections:
        connection.send(b"HTTP/1.1 204 No Content\r\n\r\n")
    logged = [(exchange.request.path, exchange.context.user, exchange.status) for exchange in proxy.finished]
    assert sorted(logged) == [(b"/alice", "alice", 204), (b"/bob", "bob", 204)]


def test_what_is_remembered_of_one_is_not_taken_for_another_that_was_on_its_way(forward):
    asked = {}
    rules = [
        Rule(name="staff", action="allow", users="alice"),
        Rule(name="rest", action="deny", reason="no"),
    ]
    proxy = forward(auth=AuthPolicy(passwords=lambda name, _: asked.setdefault(name, Deferred())), rules=rules)
    connection = ClientConnection("127.0.0.1")
    exchanges = at_once(proxy, connection, "alice", "bob")
    asked["bob"].callback("bob")
    asked["alice"].callback("alice")
    for connected in proxy.network.connections:
        connected.send(b"HTTP/1.1 204 No Content\r\n\r\n")
    seen = []
    for exchange in (*exchanges, *exchanges):
        context = RequestContext(connection)
        try:
            proxy.factory.mode.plan(exchange.request, context)
        except RequestDenied as fault:
            seen.append((context.user, fault.status, context.verdict.rule))
        else:
            seen.append((context.user, 200, context.verdict.rule))
    assert seen == [("alice", 200, "staff"), ("bob", 403, "rest")] * 2


class Chain:
    """A judge by itself: who sends a request is in its field ``Who``; a path of which somebody ``asked`` waits."""

    def __init__(self):
        self.judged, self.waiting = [], {}
        self.judge = Judge([self.who], None, Target(), [self.wait], self.go, self.again, Clock())
        self.connection = ClientConnection("127.0.0.1")

    def who(self, case):
        case.context.user = case.head.headers.index[b"who"].decode()

    def wait(self, case):
        self.judged.append((case.context.user, case.head.path))
        case.by_url = True
        case.context.verdict = f"{case.context.user} may {case.head.path.decode()}"
        return self.waiting.get(case.head.path)

    def go(self, case):
        return case.context.verdict

    def again(self, head, context, memo):
        return context.verdict

    def ask(self, headers, path):
        """What becomes of a request, and whose it is."""
        context = RequestContext(self.connection)
        return self.judge(RequestHead(b"GET", path, headers, b"a.example", b"http"), context), context


class Target:
    """Stands for the step that finds where a request goes."""

    def __call__(self, case):
        self.at(case, "a.example")

    def at(self, case, target):
        case.target = target


ALICE, BOB = Headers.from_lines([b"Who: alice"]), Headers.from_lines([b"Who: bob"])


def test_one_that_was_like_the_last_and_had_to_wait_is_not_noted_as_the_next():
    chain = Chain()
    assert chain.ask(ALICE, b"/a")[0] == "alice may /a"
    chain.waiting[b"/b"] = Deferred()
    late, _ = chain.ask(ALICE, b"/b")
    assert chain.ask(BOB, b"/c")[0] == "bob may /c"
    seen = []
    late.addCallback(seen.append)
    chain.waiting.pop(b"/b").callback(None)
    assert seen == ["alice may /b"]
    decision, context = chain.ask(BOB, b"/b")
    assert (decision, context.user) == ("bob may /b", "bob")


def test_what_was_judged_by_a_policy_that_has_changed_meanwhile_is_not_remembered():
    chain = Chain()
    chain.waiting[b"/a"] = Deferred()
    chain.ask(ALICE, b"/a")
    chain.judge.forget()
    chain.waiting.pop(b"/a").callback(None)
    assert len(chain.judged) == 1
    chain.ask(ALICE, b"/a")
    assert len(chain.judged) == 2
    # And then it is.
    chain.ask(ALICE, b"/a")
    assert len(chain.judged) == 2
