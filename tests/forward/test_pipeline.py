"""The chain that each request passes: who, where to, and whether."""

import base64

import pytest
from twisted.internet.defer import Deferred, fail, succeed

from txproxy.errors import ConfigError
from txproxy.forward.access.rules import Rule
from txproxy.forward.auth.authenticator import AuthPolicy
from txproxy.forward.auth.credentials import User
from txproxy.forward.policy import ForwardPolicy
from txproxy.forward.request.url_rewrites import Rewrite

OK = b"HTTP/1.1 200 OK\r\nDate: D\r\nContent-Length: 2\r\n\r\nok"
GET = b"GET http://www.example.com/x?y HTTP/1.1\r\nHost: www.example.com\r\n\r\n"
CONNECT = b"CONNECT www.example.com:443 HTTP/1.1\r\nHost: www.example.com:443\r\n\r\n"
STANDS = b"HTTP/1.1 200 Connection established\r\n\r\n"


def get(url, *lines):
    host = url.split(b"/")[2]
    return b"\r\n".join([b"GET " + url + b" HTTP/1.1", b"Host: " + host, *lines, b"", b""])


def said(request, *lines):
    """The same request, with more lines."""
    return request[:-2] + b"".join(line + b"\r\n" for line in lines) + b"\r\n"


def login(name, password="right"):
    return b"Proxy-Authorization: Basic " + base64.b64encode(f"{name}:{password}".encode())


def passwords(name, password):
    groups = frozenset({"staff"}) if name == "alice" else frozenset()
    return User(name, groups) if password == b"right" else None


AUTH = AuthPolicy(passwords=passwords)


def status(received):
    return int(received.split(b" ", 2)[1]) if received else None


# -- authentication


@pytest.mark.parametrize("request_bytes", [GET, CONNECT, GET.replace(b"GET", b"POST")])
def test_credentials_are_asked_for(forward, request_bytes):
    proxy = forward(auth=AUTH)
    answer = proxy.ask(request_bytes)
    assert status(answer) == 407
    assert b'\r\nProxy-Authenticate: Basic realm="txproxy", charset="UTF-8"\r\n' in answer
    assert not proxy.network.dialed
    assert (proxy.finished[0].client.user, proxy.finished[0].detail) == (None, "credentials are missing")


def test_who_has_them_is_served_and_known_and_they_go_no_further(forward):
    proxy = forward(auth=AUTH)
    client = proxy.connect()
    client.send(said(GET, login("alice")))
    assert b"roxy-Authorization" not in proxy.upstream.received
    proxy.upstream.send(OK)
    assert status(client.received) == 200
    assert proxy.finished[0].client.user == "alice"
    assert proxy.finished[0].client.groups == {"staff"}


def test_a_tunnel_begins_for_who_has_them(forward):
    proxy = forward(auth=AUTH)
    client = proxy.connect()
    client.send(said(CONNECT, login("bob")))
    assert client.received == STANDS
    client.send(b"hello")
    assert proxy.upstream.received == b"hello"


def test_each_request_of_a_connection_is_its_users_own(forward):
    proxy = forward(auth=AUTH)
    client = proxy.connect()
    users = []
    for lines in ([login("alice")], [login("bob")], [], [login("bob", "wrong")]):
        client.send(said(GET, *lines))
        if lines and b"wrong" not in base64.b64decode(lines[0].split()[-1]):
            proxy.upstream.send(OK)
        users.append((proxy.finished[-1].client.user, proxy.finished[-1].client.groups, proxy.finished[-1].status))
    nobody = (None, frozenset(), 407)
    assert users == [("alice", {"staff"}, 200), ("bob", frozenset(), 200), nobody, nobody]


def test_a_password_that_takes_its_time_makes_its_request_wait_alone(forward):
    waiting = []

    def slow(name, password):
        waiting.append(Deferred())
        return waiting[-1]

    proxy = forward(auth=AuthPolicy(passwords=slow))
    client = proxy.connect()
    client.send(said(GET, login("alice")))
    assert not proxy.network.dialed and client.received == b""
    waiting[0].callback("alice")
    proxy.upstream.send(OK)
    assert status(client.take()) == 200
    client.send(said(GET, login("alice")))
    proxy.upstream.send(OK)
    assert status(client.received) == 200 and len(waiting) == 1


def test_a_client_that_leaves_waits_for_nothing(forward):
    waiting = []
    proxy = forward(auth=AuthPolicy(passwords=lambda name, password: waiting.append(Deferred()) or waiting[-1]))
    client = proxy.connect()
    client.send(said(GET, login("alice")))
    client.drop()
    waiting[0].callback("alice")
    assert not proxy.network.dialed
    assert proxy.finished[0].outcome == "client-gone"


def test_strangers_are_told_nothing_of_the_policy(forward):
    proxy = forward(auth=AUTH, deny_hosts=["www.example.com"], rules=[Rule(action="deny")])
    assert status(proxy.ask(GET)) == 407
    assert status(proxy.ask(GET, host="192.0.2.1")) == 403


# -- rewriting


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
    assert proxy.finished[0].client.verdict.rule == "r"


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


# -- block lists


@pytest.fixture
def ads(tmp_path):
    path = tmp_path / "ads.txt"
    path.write_text("ads.example\n*://*/banner/*\n")
    return path


@pytest.mark.parametrize(
    ("request_bytes", "entry"),
    [
        (get(b"http://x.ads.example/"), "ads.example"),
        (get(b"http://good.example/banner/1.gif"), "*://*/banner/*"),
        (b"CONNECT ads.example:443 HTTP/1.1\r\nHost: ads.example:443\r\n\r\n", "ads.example"),
        (get(b"http://ADS%2eexample./"), "ads.example"),
    ],
)
def test_what_is_on_a_list_is_refused_with_its_name(forward, ads, request_bytes, entry):
    proxy = forward(filters=[str(ads)])
    answer = proxy.ask(request_bytes)
    assert status(answer) == 403
    assert b"\r\nProxy-Status: txproxy; error=http_request_denied\r\n" in answer
    assert not proxy.network.dialed
    (exchange,) = proxy.finished
    assert exchange.detail == f"{entry} is on the list ads (filters, list ads)"
    assert exchange.client.verdict.list_name == "ads"


def test_a_browser_gets_a_page_and_a_program_plain_text(forward, ads):
    proxy = forward(filters=[str(ads)])
    page = proxy.ask(get(b"http://ads.example/<b>", b"Accept: text/html,*/*"))
    assert b"\r\nContent-Type: text/html; charset=utf-8\r\n" in page
    assert b"<dd>http://ads.example/&lt;b&gt;</dd>" in page and b"<dd>ads</dd>" in page
    text = proxy.ask(get(b"http://ads.example/", b"Accept: */*"))
    assert b"\r\nContent-Type: text/plain; charset=utf-8\r\n" in text
    assert text.endswith(b"Address: http://ads.example/\nReason: ads.example is on the list ads\nList: ads\n")


def test_lists_are_read_again_when_they_change(forward, ads):
    proxy = forward(filters=[str(ads)])
    assert status(proxy.ask(get(b"http://ads.example/"))) == 403
    ads.write_text("other.example # and nothing else\n")
    proxy.advance(11)
    proxy.ask(get(b"http://ads.example/"))
    assert [address.host for address in proxy.network.dialed] == ["ads.example"]
    assert status(proxy.ask(get(b"http://other.example/"))) == 403


# -- rules


def test_the_first_rule_that_matches_decides(forward):
    proxy = forward(
        rules=[
            Rule(name="bad", action="deny", hosts="bad.example.com", reason="It is bad."),
            Rule(name="good", action="allow", hosts=".example.com"),
        ]
    )
    answer = proxy.ask(get(b"http://bad.example.com/"))
    assert status(answer) == 403 and b"Reason: It is bad.\n" in answer
    assert proxy.finished[0].detail == "It is bad. (bad)"
    proxy.ask(GET)
    assert proxy.network.dialed
    answer = proxy.ask(get(b"http://other.example/"))
    assert status(answer) == 403 and b"Reason: no rule allows it\n" in answer
    assert [exchange.client.verdict.rule for exchange in proxy.finished] == ["bad", "default"]


def test_rules_know_the_lists_that_are_for_them(forward, ads):
    proxy = forward(lists={"pests": str(ads)}, rules=[Rule(action="deny", hosts="@pests"), Rule(action="allow")])
    assert status(proxy.ask(get(b"http://ads.example/"))) == 403
    assert proxy.finished[0].client.verdict.list_name == "pests"
    ads.write_text("other.example\n")
    proxy.advance(11)
    proxy.ask(get(b"http://ads.example/"))
    assert proxy.network.dialed


@pytest.mark.parametrize("by_rules", [False, True])
def test_users_and_groups_are_conditions(forward, by_rules):
    proxy = forward(
        auth=AUTH,
        auth_by_rules=by_rules,
        rules=[
            Rule(action="allow", hosts="open.example"),
            Rule(action="allow", groups="staff"),
            Rule(action="deny"),
        ],
    )
    assert status(proxy.ask(GET)) == 407
    assert status(proxy.ask(said(GET, login("bob")))) == 403
    proxy.ask(said(GET, login("alice")))
    assert len(proxy.network.dialed) == 1
    answer = proxy.ask(get(b"http://open.example/"))
    assert (status(answer) == 407) is not by_rules
    assert len(proxy.network.dialed) == 1 + by_rules


@pytest.mark.parametrize("by_rules", [False, True])
def test_a_rule_may_ask_for_the_credentials_of_somebody_else(forward, by_rules):
    rules = [
        Rule(name="not bob", action="deny", users="bob", challenge=True),
        Rule(action="deny", hosts="closed.example"),
        Rule(action="allow", users="*"),
    ]
    proxy = forward(auth=AUTH, auth_by_rules=by_rules, rules=rules)
    client = proxy.connect()
    client.send(said(GET, login("bob")))
    assert status(client.received) == 407 and b'\r\nProxy-Authenticate: Basic realm="txproxy"' in client.received
    ended = proxy.finished[-1]
    assert (ended.client.user, ended.detail) == ("bob", "the rule 'not bob' says deny (not bob)")
    assert (ended.client.verdict.rule, ended.client.verdict.outcome.value) == ("not bob", "deny")
    client.send(said(GET, login("alice")))
    proxy.upstream.send(OK)
    assert proxy.finished[-1].status == 200
    assert status(proxy.ask(said(get(b"http://closed.example/"), login("alice")))) == 403


def test_who_is_refused_by_right_credentials_has_not_failed_to_log_in(forward):
    rules = [Rule(action="deny", users="bob", challenge=True), Rule(action="allow")]
    proxy = forward(auth=AUTH, rules=rules)
    assert [status(proxy.ask(said(GET, login("bob")))) for _ in range(20)] == [407] * 20


def test_nobody_can_be_asked_for_other_credentials_where_nobody_is_asked(forward):
    with pytest.raises(ConfigError, match="'x': challenge: nobody is asked who he is; accepted with auth"):
        forward(rules=[Rule(name="x", action="deny", challenge=True)])


def test_who_is_asked_late_may_be_waited_for(forward):
    waiting = []
    proxy = forward(
        auth=AuthPolicy(passwords=lambda name, password: waiting.append(Deferred()) or waiting[-1]),
        auth_by_rules=True,
        rules=[Rule(action="allow", users="alice")],
    )
    proxy.ask(said(GET, login("alice")))
    assert not proxy.network.dialed
    waiting[0].callback("alice")
    assert proxy.network.dialed
    client = proxy.connect()
    client.send(said(GET, login("alice", "other")))
    waiting[1].callback(None)
    assert status(client.received) == 407


def test_a_rule_that_asks_for_users_without_authentication_matches_nobody(forward):
    proxy = forward(rules=[Rule(action="allow", users="alice")])
    assert status(proxy.ask(GET)) == 403


def test_use_is_a_condition(forward):
    used = {"127.0.0.1": 10}
    proxy = forward(
        usage=lambda client_ip, user, period: used[client_ip],
        rules=[Rule(action="deny", used_more_than="100/day"), Rule(action="allow")],
    )
    proxy.ask(GET)
    assert len(proxy.network.dialed) == 1
    used["127.0.0.1"] = 101
    assert status(proxy.ask(GET)) == 403


# -- addresses


INSIDE = [Rule(name="inside", action="deny", addresses="192.0.2.0/24"), Rule(name="rest", action="allow")]


def test_the_addresses_that_were_judged_are_dialled(forward):
    proxy = forward(rules=INSIDE)
    client = proxy.connect()
    client.send(GET)
    assert not proxy.network.dialed
    proxy.names.answer("198.51.100.1", "198.51.100.2")
    assert proxy.network.dialed[0].pinned == ("198.51.100.1", "198.51.100.2")
    proxy.upstream.send(OK)
    client.send(GET)
    proxy.upstream.send(OK)
    assert status(client.received) == 200
    assert len(proxy.names.asked) == len(proxy.network.dialed) == 1


def test_one_bad_address_is_enough_to_refuse(forward):
    proxy = forward(rules=INSIDE)
    client = proxy.connect()
    client.send(CONNECT)
    proxy.names.answer("198.51.100.1", "192.0.2.7")
    assert status(client.received) == 403
    assert proxy.finished[0].client.verdict.rule == "inside"


def test_one_that_allows_wants_all_of_them(forward):
    proxy = forward(rules=[Rule(action="allow", addresses="192.0.2.0/24")])
    proxy.names.known = {"www.example.com": ["198.51.100.1", "192.0.2.7"], "in.example.com": ["192.0.2.8"]}
    assert status(proxy.ask(GET)) == 403
    proxy.ask(get(b"http://in.example.com/"))
    assert [address.pinned for address in proxy.network.dialed] == [("192.0.2.8",)]


def test_kept_connections_are_those_to_what_was_judged(forward):
    proxy = forward(rules=INSIDE)
    proxy.names.known = {"www.example.com": ["198.51.100.1"]}
    client = proxy.connect()
    client.send(GET)
    proxy.upstream.send(OK)
    proxy.names.known = {"www.example.com": ["198.51.100.2"]}
    proxy.advance(31)
    client.send(GET)
    assert [address.pinned for address in proxy.network.dialed] == [("198.51.100.1",), ("198.51.100.2",)]


def test_a_name_without_addresses_is_a_502(forward):
    proxy = forward(rules=INSIDE)
    proxy.names.known = {"www.example.com": []}
    assert status(proxy.ask(GET)) == 502
    assert proxy.finished[0].outcome == "dns_error"


def test_what_is_dialled_in_place_of_a_host_is_what_is_judged(forward):
    proxy = forward(rules=INSIDE, safe_search=["google"])
    proxy.names.known = {"forcesafesearch.google.com": ["198.51.100.9"]}
    proxy.ask(b"CONNECT www.google.com:443 HTTP/1.1\r\nHost: www.google.com:443\r\n\r\n")
    (address,) = proxy.network.dialed
    assert (address.host, address.pinned) == ("forcesafesearch.google.com", ("198.51.100.9",))


# -- asking


PEOPLE = [Rule(name="people", action="ask", hosts="www.example.com"), Rule(action="allow")]


@pytest.mark.parametrize("wrap", [lambda answer: answer, succeed])
def test_a_hook_says_yes_or_no(forward, wrap):
    asked = []
    answers = [True, False]

    def ask(question):
        asked.append(question)
        return wrap(answers.pop(0))

    proxy = forward(rules=PEOPLE, ask=ask)
    proxy.ask(GET)
    assert len(proxy.network.dialed) == 1
    assert status(proxy.ask(CONNECT)) == 403
    assert proxy.finished[0].client.verdict.reason == "the rule 'people' asks, and the answer was no"
    assert [(one.method, one.host, one.port, one.url, one.rule) for one in asked] == [
        ("GET", "www.example.com", 80, "http://www.example.com/x?y", "people"),
        ("CONNECT", "www.example.com", 443, "https://www.example.com/", "people"),
    ]


def test_a_hook_may_be_a_coroutine(forward):
    waiting = Deferred()

    async def ask(question):
        return await waiting

    proxy = forward(rules=PEOPLE, ask=ask)
    proxy.ask(GET)
    assert not proxy.network.dialed
    waiting.callback(True)
    assert proxy.network.dialed
    assert proxy.finished == []


@pytest.mark.parametrize("answer", [None, 0, 1, "yes"])
def test_what_is_no_clear_yes_is_a_no(forward, answer):
    proxy = forward(rules=PEOPLE, ask=lambda question: succeed(answer))
    assert status(proxy.ask(GET)) == 403


def test_the_request_waits_until_the_deadline_and_no_longer(forward):
    given_up = []
    proxy = forward(rules=PEOPLE, ask=lambda question: Deferred(given_up.append), ask_timeout=20)
    client = proxy.connect()
    client.send(GET)
    proxy.advance(19)
    assert client.received == b""
    proxy.advance(2)
    assert status(client.received) == 403 and len(given_up) == 1
    assert proxy.finished[0].detail == "the rule 'people' asks, and nobody answered in time (people)"


def test_a_client_that_leaves_takes_its_question_with_it(forward):
    given_up = []
    proxy = forward(rules=PEOPLE, ask=lambda question: Deferred(given_up.append))
    client = proxy.connect()
    client.send(GET)
    client.drop()
    assert len(given_up) == 1 and proxy.finished[0].outcome == "client-gone"


def test_a_hook_that_fails_is_a_500(forward):
    proxy = forward(rules=PEOPLE, ask=lambda question: fail(KeyError("hook")))
    assert status(proxy.ask(GET)) == 500
    assert not proxy.network.dialed


def test_without_a_hook_questions_wait_for_somebody_to_look(forward):
    proxy = forward(rules=PEOPLE)
    approvals = proxy.factory.forward.approvals
    client = proxy.connect()
    client.send(GET)
    (pending,) = approvals
    assert pending.question.host == "www.example.com"
    assert approvals.answer(pending.number, True)
    proxy.upstream.send(OK)
    assert status(client.received) == 200
    assert proxy.finished[0].client.verdict.reason == "approved"
    client.send(GET)
    client.drop()
    assert len(approvals) == 0


# -- what is remembered of a connection


def again(client, proxy, request=GET, response=OK):
    """The status that one more request gets."""
    before = len(client.received)
    client.send(request)
    if len(client.received) == before:
        proxy.upstream.send(response)
    return status(client.received[before:])


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
        seen.append((proxy.finished[-1].client.user, proxy.finished[-1].client.verdict.rule))
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
        seen.append((proxy.finished[-1].client.user, proxy.finished[-1].client.verdict.rule))
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


# -- what cannot be


@pytest.mark.parametrize(
    ("policy", "names"),
    [
        ({"rules": [{"action": "maybe"}]}, "action"),
        ({"rules": [{"action": "allow", "colour": "red"}]}, "colour"),
        ({"auth_by_rules": True}, "auth_by_rules"),
        ({"ask_timeout": 0}, "ask_timeout"),
        ({"safe_search": ["altavista"]}, "altavista"),
        ({"deny_hosts": ["a*b"]}, "a\\*b"),
        ({"filters": ["/nowhere/at/all"]}, "/nowhere/at/all"),
        ({"lists": {"a": "/nowhere/at/all"}}, "/nowhere/at/all"),
        ({"auth": "/nowhere/at/all"}, "/nowhere/at/all"),
        ({"rules": [Rule(action="deny", hosts="@none")]}, "none"),
        ({"rules": [Rule(action="deny", used_more_than="1M")]}, "used_more_than"),
        ({"rules": [Rule(name="a", action="deny"), Rule(name="a", action="deny")]}, "'a'"),
    ],
)
def test_what_cannot_be_is_said_at_the_start(forward, policy, names):
    with pytest.raises(ConfigError, match=names) as raised:
        forward(**policy)
    assert "accepted" in str(raised.value)


def test_rules_are_also_taken_as_mappings():
    assert ForwardPolicy(rules=[{"action": "deny", "hosts": ["a.example"]}]).rules == (
        Rule(action="deny", hosts=["a.example"]),
    )


def test_a_parent_may_be_for_what_a_rule_allows(forward):
    proxy = forward(
        rules=[Rule(name="far", action="allow", hosts="far.example"), Rule(name="rest", action="allow")],
        parents=["http://parent.example:3128;rule=far"],
    )
    proxy.ask(get(b"http://far.example/"))
    proxy.ask(GET)
    assert [str(address) for address in proxy.network.dialed] == ["http://parent.example:3128", "www.example.com:80"]
    with pytest.raises(ConfigError, match="parents: there is no rule 'none'; accepted: far"):
        ForwardPolicy(rules=[Rule(name="far", action="allow")], parents=["http://a;rule=none"])


def test_a_client_that_asks_too_much_of_a_person_is_told_so(forward):
    proxy = forward(rules=[Rule(action="ask", hosts=("*.example",))])
    clients = [proxy.connect() for _ in range(33)]
    for number, client in enumerate(clients):
        client.send(get(b"http://%d.example/" % number))
    assert [status(client.received) for client in clients if client.received] == [429]
    for pending in list(proxy.factory.forward.approvals):
        proxy.factory.forward.approvals.answer(pending.number, False)
    assert [status(client.received) for client in clients] == [403] * 32 + [429]
