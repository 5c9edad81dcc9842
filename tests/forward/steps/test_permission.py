"""Whether a request may go where it goes: block lists, rules, addresses, and people who are asked."""

import pytest
from twisted.internet.defer import Deferred, fail, succeed

from tests.forward.asking import AUTH, CONNECT, GET, OK, PEOPLE, get, login, said, status
from txproxy.auth.auth_policy import AuthPolicy
from txproxy.errors import ConfigError
from txproxy.forward.access.rules import Rule


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
    assert exchange.context.verdict.list_name == "ads"


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
    assert [exchange.context.verdict.rule for exchange in proxy.finished] == ["bad", "default"]


def test_rules_know_the_lists_that_are_for_them(forward, ads):
    proxy = forward(lists={"pests": str(ads)}, rules=[Rule(action="deny", hosts="@pests"), Rule(action="allow")])
    assert status(proxy.ask(get(b"http://ads.example/"))) == 403
    assert proxy.finished[0].context.verdict.list_name == "pests"
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
    assert (ended.context.user, ended.detail) == ("bob", "the rule 'not bob' says deny (not bob)")
    assert (ended.context.verdict.rule, ended.context.verdict.outcome.value) == ("not bob", "deny")
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
    assert proxy.finished[0].context.verdict.rule == "inside"


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
    assert proxy.finished[0].context.verdict.reason == "the rule 'people' asks, and the answer was no"
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
    assert proxy.finished[0].context.verdict.reason == "approved"
    client.send(GET)
    client.drop()
    assert len(approvals) == 0


def test_a_client_that_asks_too_much_of_a_person_is_told_so(forward):
    proxy = forward(rules=[Rule(action="ask", hosts=("*.example",))])
    clients = [proxy.connect() for _ in range(33)]
    for number, client in enumerate(clients):
        client.send(get(b"http://%d.example/" % number))
    assert [status(client.received) for client in clients if client.received] == [429]
    for pending in list(proxy.factory.forward.approvals):
        proxy.factory.forward.approvals.answer(pending.number, False)
    assert [status(client.received) for client in clients] == [403] * 32 + [429]
