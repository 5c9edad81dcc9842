"""Which exchanges are remembered as failed, and how many."""

import pytest
from twisted.internet.task import Clock

from tests.admin.connections.test_connection_listing import GET, OK, SWITCHED, UPGRADE
from txproxy.admin.connections.failed_exchanges import MOST_KEPT, FailedExchanges, has_failed
from txproxy.errors import ConnectionRefused
from txproxy.interfaces.address import Address
from txproxy.interfaces.allowances import LimitHit
from txproxy.interfaces.attempt import Attempt
from txproxy.interfaces.record import AttemptRecord, ExchangeRecord
from txproxy.testing import context_of
from txproxy.wire.headers import Headers
from txproxy.wire.message import RequestHead


def record(outcome="ok", status=200, attempted=0, limit=None, **known):
    context = context_of()
    context.limit = LimitHit("a", limit) if limit else None
    for name, value in known.items():
        setattr(context, name, value)
    request = RequestHead(b"GET", b"/", Headers.from_lines([]))
    attempt = AttemptRecord(Attempt(Address("a", 80), None), 0, 0, 0, False, None, attempted)
    return ExchangeRecord(request, context, outcome, "", status, 0, 0, (attempt,) if attempted else (), None, 0.0)


@pytest.mark.parametrize(
    ("made", "failed"),
    [
        (record(), False),
        (record(status=404, attempted=404), False),
        (record(status=500, attempted=500), True),
        (record("answered", 503), True),
        (record("answered", 404), False),
        (record("connection_refused", 503), True),
        (record("http_request_error", 400), False),
        (record("http_request_denied", 403), False),
        (record("http_request_denied", 429, limit="refused"), False),
        (record("http_request_denied", 503, limit="refused"), False),
        (record("connection_refused", 503, limit="passed"), True),
        (record("http_response_incomplete", 200, attempted=200), True),
        (record("http_response_incomplete", 404, attempted=404), True),
        (record("connection_terminated", 0), True),
        (record("client-gone", 0), False),
        (record("client-gone", 200, attempted=200), False),
        (record("tunnel", 200), False),
        (record("tunnel", 200, tunnel_ended_by="nothing passed for 3600 s"), True),
    ],
)
def test_what_we_or_an_upstream_have_failed_has_failed(made, failed):
    assert has_failed(made) is failed


def test_the_last_ones_are_kept_the_newest_first():
    clock = Clock()
    failed = FailedExchanges(clock.seconds)
    tell = failed.of("edge")
    for number in range(MOST_KEPT + 5):
        tell(record("connection_refused", 503, rule=str(number)), False)
        clock.advance(1)
    routes = [one["route"] for one in failed]
    assert routes == [str(number) for number in range(MOST_KEPT + 4, 4, -1)] and failed.skipped == 0


def test_those_are_skipped_that_are_too_many_in_a_second():
    clock = Clock()
    failed = FailedExchanges(clock.seconds)
    tell = failed.of("edge")
    for number in range(150):
        tell(record("connection_refused", 503, rule=str(number)), False)
    assert next(iter(failed))["route"] == "99" and failed.skipped == 50
    clock.advance(1)
    tell(record("connection_refused", 503, rule="later"), False)
    assert next(iter(failed))["route"] == "later"


def test_what_goes_well_is_not_kept(balanced, view):
    proxy, _ = balanced
    proxy.exchange(GET, OK + b"abcd")
    proxy.network.script = [ConnectionRefused("no")]
    guest = proxy.connect()
    guest.send(GET)
    proxy.upstream.send(OK + b"abcd")
    assert guest.received.endswith(b"abcd") and list(view.failed) == []


def test_a_tunnel_that_the_proxy_ends_has_failed(balanced, view):
    proxy, _ = balanced
    guest = proxy.connect()
    guest.send(UPGRADE)
    proxy.upstream.send(SWITCHED)
    proxy.advance(3700)
    (one,) = view.failed
    assert guest.closed and one["detail"] == "nothing passed for 3600 s" and one["outcome"] == "tunnel"


def test_so_has_one_that_its_upstream_cuts_off(balanced, view):
    proxy, _ = balanced
    guest = proxy.connect()
    guest.send(UPGRADE)
    proxy.upstream.send(SWITCHED)
    proxy.upstream.drop()
    (one,) = view.failed
    assert guest.reset and one["outcome"] == "connection_terminated"
    assert one["detail"] == "0 bytes from the client; the upstream has cut it off"


@pytest.mark.parametrize("how", ["client cut off", "client closed", "upstream closed", "cut off after a close"])
def test_one_that_ends_in_another_way_has_not(balanced, view, how):
    proxy, _ = balanced
    guest = proxy.connect()
    guest.send(UPGRADE)
    proxy.upstream.send(SWITCHED)
    if how == "client cut off":
        guest.drop()
    elif how == "client closed":
        guest.drop(clean=True)
    elif how == "upstream closed":
        proxy.upstream.drop(clean=True)
    else:
        guest.end()
        proxy.upstream.drop()
    proxy.advance(0)
    assert proxy.upstream.closed and list(view.failed) == []
