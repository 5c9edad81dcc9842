"""A place at an upstream that is only lent."""

from txproxy.errors import UpstreamClosed
from txproxy.upstreams.waiting.loan import Loan, Loans


class Upstream:
    """Learns how attempts at it went."""

    def __init__(self):
        self.told = []

    def ended(self, fault, status):
        self.told.append((fault, status))


class Exchange:
    """One whose body comes slowly."""

    body_late = True

    def __init__(self):
        self.faults = []

    def abandon(self, fault):
        self.faults.append(fault)


def lent_to(exchange):
    upstream, lent = Upstream(), {}
    loan = Loan(upstream, exchange, lent)
    lent[loan] = None
    return upstream, lent, loan


def test_the_upstream_learns_of_the_end_and_the_place_is_lent_no_longer():
    upstream, lent, loan = lent_to(Exchange())
    fault = UpstreamClosed("gone")
    loan.ended(fault, 502)
    assert upstream.told == [(fault, 502)] and not lent


def test_one_that_was_given_back_before_may_end_all_the_same():
    upstream, lent, loan = lent_to(Exchange())
    lent.clear()
    loan.ended(None, 200)
    assert upstream.told == [(None, 200)]


def test_who_is_slow_is_told_that_others_wait():
    exchange = Exchange()
    upstream, lent, loan = lent_to(exchange)
    loan.revoke()
    (fault,) = exchange.faults
    assert fault.status == 408 and "others wait" in fault.detail
    # The end of the exchange is what gives the place back.
    assert not upstream.told and list(lent) == [loan]


def test_the_first_place_that_is_of_use_is_taken_back_and_no_other():
    upstreams, exchanges, loans = [Upstream() for _ in range(4)], [Exchange() for _ in range(4)], Loans()
    for upstream, exchange in zip(upstreams, exchanges, strict=True):
        loans.lend(upstream, exchange)
    exchanges[1].body_late = False
    loans.call_in((upstreams[0],))
    assert [len(exchange.faults) for exchange in exchanges] == [0, 0, 1, 0]
    # The one whose body has come after all has its place for good; the end of the other is what gives it back.
    assert len(loans) == 3
