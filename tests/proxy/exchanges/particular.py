"""Modes whose attempts, or filters, have a word of their own to say."""

from zope.interface import implementer

from txproxy.errors import RequestDenied
from txproxy.interfaces import Address, Attempt, IMode, Plan, ResponseFilter


@implementer(IMode)
class Particular:
    """Sends all to one place, but lets no teapot through."""

    def __init__(self, how, head=True):
        self.how = how
        self.head = head

    def plan(self, head, context):
        answered = self.judge if self.how == "answered" else None
        if self.how == "filter":
            context.filter_responses(Judged(self.judge))
        return Plan.of(Attempt(Address("10.0.0.1", 80), head if self.head else None, answered=answered))

    def judge(self, status):
        if status == 418:
            raise RequestDenied("no teapots")


class Judged(ResponseFilter):
    """Asks somebody whether it may pass."""

    def __init__(self, judge):
        self.judge = judge

    def head(self, response, context):
        self.judge(response.status)
        return response
