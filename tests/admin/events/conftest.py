"""A proxy to look at, with one pool."""

import attrs
import pytest

from txproxy.admin.bounding.limit_verbs import LimitVerbs
from txproxy.admin.connections.failed_exchanges import FailedExchanges
from txproxy.admin.events.event_verbs import event_verb
from txproxy.admin.events.proxy_status import status_verb
from txproxy.admin.pool_verbs import PoolVerbs
from txproxy.admin.proxy_view import Stage
from txproxy.admin.question_verbs import QuestionVerbs
from txproxy.config.revisions import Revisions
from txproxy.forward.egress.approvals import Approvals
from txproxy.observe.loop_lag import LoopLag
from txproxy.observe.request_counts import RequestCounts
from txproxy.upstreams.overlay import Overlay
from txproxy.upstreams.pool import Pool
from txproxy.upstreams.upstream_urls import parse_upstream

A, B = "http://10.0.0.1:80", "http://10.0.0.2:80"


@attrs.define
class File:
    revisions: Revisions


class View:
    def __init__(self, clock):
        self.stage = Stage.SERVING
        self.file = File(Revisions())
        self.file.revisions.add("start", "")
        self.counts = {"edge": RequestCounts()}
        self.connections = {"edge": 3, "raw": 0}
        self.overlays = {"app": Overlay(Pool((A, B), name="app", clock=clock), (A, B), parse_upstream)}
        self.limits = ()
        self.limiters = ()
        self.approvals = Approvals(clock)
        self.questions = [("out", self.approvals)]
        self.lag = LoopLag(clock)
        self.failed = FailedExchanges(clock.seconds)

    @property
    def pool(self):
        return self.overlays["app"].pool


@pytest.fixture
def view(clock):
    return View(clock)


@pytest.fixture
def verbs(view, clock):
    """Those that look at it."""
    parts = [*PoolVerbs(view).verbs(), *LimitVerbs(view, clock).verbs(), *QuestionVerbs(view, clock).verbs()]
    status = status_verb(view, clock, parts)
    return [*parts, status, event_verb(status, clock)]
