"""``txproxy ctl``: what it asks for, and what it says to people."""

import json
import re

import pytest
from twisted.internet.defer import succeed
from twisted.internet.task import Clock

from tests.admin.connections.conftest import View as Clients
from tests.admin.test_configuration_verbs import File
from tests.admin.test_question_verbs import QUESTION
from tests.cli.asked_in_memory import ClientInMemory
from txproxy.admin.configuration_verbs import ConfigurationVerbs
from txproxy.admin.connections.connection_verbs import ConnectionVerbs
from txproxy.admin.limit_verbs import LimitVerbs
from txproxy.admin.pool_verbs import PoolVerbs
from txproxy.admin.question_verbs import QuestionVerbs
from txproxy.cli.ctl_command import USAGE, VERBS, run
from txproxy.cli.verb_command import run_verb
from txproxy.components.rates import parse_rate
from txproxy.config.configuration_file import Reloaded
from txproxy.config.revisions import Revisions
from txproxy.forward.egress.approvals import Approvals
from txproxy.limits.requests.limiter import Limiter
from txproxy.limits.requests.request_limit import RequestLimit
from txproxy.observe.log_level import LogThreshold
from txproxy.reverse.mode import ReverseProxyFactory
from txproxy.testing import ProxyInMemory
from txproxy.upstreams.overlay import Overlay
from txproxy.upstreams.pool import Pool
from txproxy.upstreams.upstream_urls import parse_upstream

A, B = "http://10.0.0.1:8001", "http://10.0.0.1:8002"


class View(Clients):
    overlays: dict
    file: File
    threshold: LogThreshold
    questions: list
    limiters: tuple

    @property
    def limits(self):
        return tuple(one.counts for one in self.limiters)

    def when_taken(self):
        return succeed(None)


@pytest.fixture
def pool():
    return Pool([A, f"{B};weight=2;max=5"], name="app", clock=Clock())


@pytest.fixture
def proxy(pool):
    proxy = ProxyInMemory(lambda clock: ReverseProxyFactory(pool, observers=(lambda record: None,), reactor=clock))
    yield proxy
    proxy.close()


@pytest.fixture
def ctl(pool, proxy, capsys):
    """Do it; gives what was said, on both ways out."""
    view = View({"edge": proxy})
    view.overlays = {"app": Overlay(pool, [A, B], parse_upstream)}
    view.file = File(Revisions(lambda: 0.0))
    view.file.revisions.add("start", "workers = 1\n")
    view.questions = [("out", Approvals(Clock()))]
    view.threshold = LogThreshold()
    view.threshold.used = True
    view.limiters = (Limiter(RequestLimit(name="login", rate=parse_rate("10/m:burst=5"))),)
    verbs = [
        *LimitVerbs(view, Clock()).verbs(),
        *QuestionVerbs(view, Clock()).verbs(),
        *PoolVerbs(view).verbs(),
        *ConnectionVerbs(view, Clock()).verbs(),
        *ConfigurationVerbs(view).verbs(),
    ]
    client = ClientInMemory(verbs)

    def ctl(*words, status=0):
        assert run_verb("ctl", VERBS, USAGE, words, lambda given: client) == status
        return capsys.readouterr()

    ctl.view = view
    return ctl


def rows(said):
    return [line.split() for line in said.out.splitlines()[1:]]


@pytest.mark.parametrize("words", [["--help"], ["-h"], [], ["drian"]])
def test_help_has_each_verb_and_whom_it_asks(words, capsys):
    status = run(words)
    out, err = capsys.readouterr()
    if not words or words == ["drian"]:
        assert (status, out) == (2, "") and f"accepted: {', '.join(VERBS)}" in err
        assert not words or "(is drain meant?)" in err
        return
    assert (status, err) == (0, "") and "/run/txproxy" in out
    assert all(re.search(rf"txproxy ctl (\w+\|)?{verb}\b", out) for verb in VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_each_verb_has_a_help(verb, capsys):
    with pytest.raises(SystemExit) as ended:
        run([verb, "--help"])
    out = capsys.readouterr().out
    assert ended.value.code == 0 and "--admin ENDPOINT" in out and "--json" in out


def test_pools_and_upstreams_are_tables(ctl, pool):
    pool.take(None, None)
    assert rows(ctl("pools")) == [["app", "2/2", "1", "0", "round-robin"]]
    assert json.loads(ctl("pools", "--json").out)["pools"][0]["name"] == "app"
    one, other = rows(ctl("upstreams"))
    assert one == ["app", A, "healthy", "0.0s", "1", "0", "0", "0", "0", "-", "-"]
    assert other[:7] == ["app", B, "healthy", "0.0s", "2", "1/5", "1"]
    assert list(json.loads(ctl("upstreams", "app", "--json").out)) == ["app"]
    assert "there is no pool 'ap' (is app meant?)" in ctl("upstreams", "ap", status=1).err


def test_upstreams_are_changed(ctl, pool):
    assert ctl("drain", "app", A, "--for", "5m").out == f"{A}: draining\n"
    assert ctl("upstreams", "app").out.splitlines()[1].endswith("  order    drained by the administrator; ends in 5m")
    assert ctl("disable", "app", "8002").out == f"{B}: disabled\n"
    assert ctl("enable", "app", "8001").out == f"{A}: healthy\n"
    assert ctl("weigh", "app", A, "7").out == f"{A}: healthy, weight 7\n"
    assert json.loads(ctl("weigh", "app", A, "0", "--json").out)["state"] == "draining"
    assert ctl("add", "app", "http://10.0.0.3;weight=2").out == "http://10.0.0.3: added, healthy\n"
    assert ctl("remove", "app", "0.3").out == "http://10.0.0.3: removed\n"
    assert [(one.name, one.weight, one.ordered.value) for one in pool.upstreams] == [
        (A, 0, "healthy"), (B, 2, "disabled"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["drain", "app"], 2, "UPSTREAM"),
        (["weigh", "app", A, "many"], 2, "'many' is no weight; accepted is 0 to 1000000"),
        (["weigh", "app", A, "1000001"], 1, "weight: 1000001 cannot be"),
        (["drain", "app", A, "--for", "soon"], 1, "for: "),
        (["drain", "app", "10.0.0.1"], 1, f"'10.0.0.1' may be several of the upstreams of app; accepted: {A}, {B}"),
        (["drain", "app", "10.0.0.9"], 1, f"'10.0.0.9' is none of the upstreams of app; accepted: {A}, {B}"),
        (["add", "app", A], 1, "is in a pool already"),
        (["end", "1-1"], 1, "there is no connection '1-1', or not any more"),
        (["end", "1-1.0"], 1, "there is no exchange '1-1.0', or not any more"),
        (["connections", "--limit", "x"], 1, "limit: 'x' is no number"),
    ],
)
def test_what_cannot_be_done_is_said(ctl, words, status, said):
    assert said in ctl(*words, status=status).err


def test_connections_are_listed_and_ended(ctl, proxy):
    assert rows(ctl("connections")) == []
    proxy.connect("192.0.2.1")
    busy = proxy.connect("192.0.2.2")
    busy.send(b"GET /x?y HTTP/1.1\r\nHost: a\r\n\r\n")
    assert len(rows(ctl("connections"))) == 2
    assert [row[2] for row in rows(ctl("connections", "--client", "192.0.2.1"))] == ["192.0.2.1"]
    (row,) = rows(ctl("connections", "--busy", "--listener", "edge", "--pool", "app"))
    assert row[1:] == ["edge", "192.0.2.2", "sent", "0.0s", "0", "0", "-", B, "GET", "http://a/x?..."]
    assert "there is more" in ctl("connections", "--limit", "1").out
    assert ctl("end", row[0]).out == f"{row[0]}: ended\n"
    assert b" 403 " in busy.received
    connection = row[0].partition(".")[0]
    assert json.loads(ctl("end", connection, "--json").out) == {"ended": connection}
    proxy.clock.advance(0)
    assert busy.closed and len(json.loads(ctl("connections", "--json").out)["connections"]) == 1


def test_a_configuration_is_read_again_and_an_older_one_applied(ctl):
    assert ctl("reload").out == "warning: edge.toml:1: doubtful\nrevision 2 runs\n"
    assert json.loads(ctl("apply", "1", "--json").out)["revision"] == 3
    assert [row[-1] for row in rows(ctl("revisions"))] == ["start", "API", "1"]
    assert rows(ctl("revisions"))[2][:3] == ["3", "1970-01-01T00:00:00+00:00", "yes"]
    assert "\n-workers = 1\n+read\n" in ctl("revisions", "2").out
    assert "accepted: 1, 2, 3" in ctl("apply", "7", status=1).err
    ctl.view.file.answer = Reloaded("edge.toml", ("edge.toml:1: wrong", "edge.toml:2: wrong too"))
    said = ctl("reload", status=1).err
    assert said.endswith("what runs is kept\nedge.toml:1: wrong\nedge.toml:2: wrong too\n")


def test_limits_are_listed_and_begun_anew(ctl):
    (limiter,) = ctl.view.limiters
    for key in ("192.0.2.1", "192.0.2.1", ("jo",)):
        limiter.rate.take(key, 0.0)
    assert rows(ctl("limits")) == [["0", "0", "0", "2", "0", "0", "yes", "login"]]
    assert rows(ctl("limits", "login")) == [["3", "12s", "192.0.2.1"], ["4", "6.0s", "user", "jo"]]
    assert rows(ctl("limits", "login", "--key", "jo")) == [["4", "6.0s", "user", "jo"]]
    assert ctl("reset", "login", "--key", "jo").out == "login: 1 key begun anew\n"
    assert json.loads(ctl("reset", "login", "--json").out) == {"keys": 1}
    assert "there is no limit 'x'" in ctl("limits", "x", status=1).err


def test_how_much_is_logged_is_said_and_changed(ctl):
    assert ctl("log-level").out == "info\n"
    assert ctl("log-level", "debug").out == "debug (configured: info)\n"
    assert json.loads(ctl("log-level", "--json").out) == {"level": "debug", "configured": "info"}
    assert "(is debug meant?)" in ctl("log-level", "debugg", status=1).err


def test_questions_are_listed_and_answered(ctl):
    ((_, approvals),) = ctl.view.questions
    answers = []
    for _ in range(3):
        approvals(QUESTION).addCallback(answers.append)
    one, other, _ = rows(ctl("questions"))
    assert one[1:] == [
        "out",
        "0.0s",
        "192.0.2.1",
        "jo",
        "new",
        "hosts",
        "nobody",
        "knows",
        "it",
        "GET",
        "http://a.example/x",
    ]
    assert ctl("allow", one[0]).out == f"{one[0]}: allowed\n"
    assert ctl("refuse", other[0]).out == f"{other[0]}: refused\n"
    assert answers == [True, False] and len(json.loads(ctl("questions", "--json").out)["questions"]) == 1
    assert "or not any more" in ctl("allow", one[0], status=1).err
