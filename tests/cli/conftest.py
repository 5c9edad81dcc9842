"""``txproxy ctl`` before a proxy in memory."""

import pytest
from twisted.internet.defer import succeed
from twisted.internet.task import Clock

from tests.admin.connections.conftest import View as Clients
from tests.admin.test_configuration_verbs import File
from tests.cli.asked_in_memory import ClientInMemory
from tests.cli.ctl_rows import A, B
from txproxy.admin.bounding.limit_verbs import LimitVerbs
from txproxy.admin.bounding.quota_verbs import QuotaVerbs
from txproxy.admin.configuration_verbs import ConfigurationVerbs
from txproxy.admin.connections.connection_verbs import ConnectionVerbs
from txproxy.admin.connections.exchange_verbs import ExchangeVerbs
from txproxy.admin.persist_verb import persist_verb
from txproxy.admin.pool_verbs import PoolVerbs
from txproxy.admin.question_verbs import QuestionVerbs
from txproxy.cli.ctl_command import USAGE, VERBS
from txproxy.cli.verb_command import run_verb
from txproxy.components.rates import parse_rate
from txproxy.config.revisions import Revisions
from txproxy.forward.egress.approvals import Approvals
from txproxy.limits.allotments import Allotments
from txproxy.limits.quotas import Quota
from txproxy.limits.requests.limiter import Limiter
from txproxy.limits.requests.request_limit import RequestLimit
from txproxy.limits.usage import Usage
from txproxy.observe.log_level import LogThreshold
from txproxy.reverse.mode import ReverseProxyFactory
from txproxy.testing import ProxyInMemory
from txproxy.upstreams.overlay import Overlay
from txproxy.upstreams.pool import Pool
from txproxy.upstreams.upstream_urls import parse_upstream


class View(Clients):
    overlays: dict
    file: File
    threshold: LogThreshold
    questions: list
    limiters: tuple
    allotments: dict

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
    counts = Usage(Clock())
    counts.add("client 192.0.2.1", 3 << 20)
    view.allotments = {"out": Allotments(Clock(), quotas=[Quota(month=10 << 20)], usage=counts)}
    verbs = [
        *QuotaVerbs(view).verbs(),
        *ExchangeVerbs(view, Clock()).verbs(),
        *LimitVerbs(view, Clock()).verbs(),
        *QuestionVerbs(view, Clock()).verbs(),
        *PoolVerbs(view).verbs(),
        *ConnectionVerbs(view, Clock()).verbs(),
        *ConfigurationVerbs(view).verbs(),
        persist_verb(view),
    ]
    client = ClientInMemory(verbs)

    def ctl(*words, status=0):
        assert run_verb("ctl", VERBS, USAGE, words, lambda given: client) == status
        return capsys.readouterr()

    ctl.view = view
    return ctl
