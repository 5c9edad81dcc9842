"""Bandwidth, through a proxy in memory and on a clock."""

import pytest
from twisted.internet.task import Clock

from txproxy.errors import ConfigError
from txproxy.interfaces import Bounds
from txproxy.limits.shaping import Bandwidth, Shaping

MB = 1_000_000
CHUNKED = b"HTTP/1.1 200 OK\r\nDate: D\r\nTransfer-Encoding: chunked\r\n\r\n"


def request(method="GET", user="", rule="", more=""):
    target = "a:443" if method == "CONNECT" else "/"
    fields = (f"User: {user}\r\n" if user else "") + (f"Rule: {rule}\r\n" if rule else "") + more
    return f"{method} {target} HTTP/1.1\r\nHost: a\r\n{fields}\r\n".encode()


class Flow:
    """Sends without end whenever it is read; ``got`` is what has arrived."""

    def __init__(self, source, sink, piece=65536, chunked=False):
        self.source, self.sink, self.got = source, sink, 0
        self._data = b"%x\r\n%b\r\n" % (piece, bytes(piece)) if chunked else bytes(piece)

    def feed(self, most=20):
        for _ in range(most):
            if self.source.paused or self.source.closed:
                break
            self.source.send(self._data)
        self.got += len(self.sink.take())


def run(proxy, flows, seconds, step=0.005):
    for _ in range(round(seconds / step)):
        for flow in flows:
            flow.feed()
        proxy.clock.advance(step)


@pytest.fixture
def shape(proxy):
    def use(*bandwidths):
        shaping = Shaping(bandwidths, proxy.clock)
        proxy.mode.bounds = lambda *who: Bounds(shaper=shaping.shaper(*who))
        return shaping

    return use


@pytest.fixture
def download(proxy):
    def begin(host="127.0.0.1", piece=65536, **words):
        client = proxy.connect(host)
        client.send(request(**words))
        proxy.upstream.send(CHUNKED)
        client.take()
        return Flow(proxy.upstream, client, piece, chunked=True)

    return begin


@pytest.fixture
def tunnel(proxy):
    def begin(**words):
        client = proxy.connect()
        client.send(request("CONNECT", **words))
        client.take()
        return Flow(proxy.upstream, client), Flow(client, proxy.upstream)

    return begin


@pytest.mark.parametrize("rate", [5_000, 100_000, 5 * MB])
def test_a_response_comes_at_the_rate(proxy, shape, download, rate):
    shape(Bandwidth(down=rate))
    flow = download()
    run(proxy, [flow], 10)
    assert flow.got == pytest.approx(10 * rate, rel=0.05)


@pytest.mark.parametrize("rate", [5_000, 100_000, 5 * MB])
def test_a_request_goes_at_the_rate(proxy, shape, rate):
    shape(Bandwidth(up=rate))
    client = proxy.connect()
    client.send(request("POST", more="Content-Length: 1000000000\r\n"))
    flow = Flow(client, proxy.upstream)
    run(proxy, [flow], 10)
    assert flow.got == pytest.approx(10 * rate, rel=0.05)


def test_a_tunnel_passes_each_direction_at_its_own_rate(proxy, shape, tunnel):
    shape(Bandwidth(down=2 * MB, up=MB))
    down, up = tunnel()
    run(proxy, [down, up], 10)
    assert down.got == pytest.approx(20 * MB, rel=0.05)
    assert up.got == pytest.approx(10 * MB, rel=0.05)


def test_a_burst_comes_on_top_and_is_saved_up_again(proxy, shape, download):
    shape(Bandwidth(down=100_000, burst=500_000))
    flow = download()
    run(proxy, [flow], 0.1)
    assert flow.got >= 500_000
    run(proxy, [flow], 9.9)
    assert flow.got == pytest.approx(1_500_000, rel=0.05)
    proxy.advance(5)
    before = flow.got
    flow.source.resumeProducing()
    run(proxy, [flow], 0.1)
    assert flow.got - before >= 500_000


def test_without_a_bound_a_direction_passes_as_it_comes(proxy, shape, tunnel):
    shape(Bandwidth(up=1000))
    down, _ = tunnel()
    run(proxy, [down], 0.1)
    assert down.got == 20 * 20 * 65536


def test_who_is_meant_by_nothing_has_no_shaper():
    shaping = Shaping([Bandwidth(per="user", down=1000, only=("bob",))], Clock())
    assert shaping.shaper("10.0.0.1", "alice", "") is None
    assert shaping.shaper("10.0.0.1", None, "") is None
    assert shaping.shaper("10.0.0.1", "bob", "") is not None


def test_all_that_a_client_does_shares_its_bandwidth(proxy, shape, download, tunnel):
    shape(Bandwidth(down=MB))
    flows = [download(), download(piece=3000), tunnel()[0]]
    run(proxy, flows, 10)
    for flow in flows:
        assert flow.got == pytest.approx(10 * MB / 3, rel=0.08)
    assert sum(flow.got for flow in flows) == pytest.approx(10 * MB, rel=0.05)


def test_other_clients_have_their_own(proxy, shape, download):
    shape(Bandwidth(down=MB))
    flows = [download("10.0.0.1"), download("10.0.0.2")]
    run(proxy, flows, 10)
    for flow in flows:
        assert flow.got == pytest.approx(10 * MB, rel=0.05)


def test_a_client_has_one_bandwidth_from_however_many_addresses():
    shaping = Shaping([Bandwidth(down=1000)], Clock())
    one, other = (shaping.shaper(ip, None, "") for ip in ("2001:db8::1", "2001:db8::2"))
    assert one._down == other._down != shaping.shaper("2001:db8:0:1::1", None, "")._down
    assert shaping.shaper("::ffff:192.0.2.1", None, "")._down == shaping.shaper("192.0.2.1", None, "")._down


def test_one_client_with_any_number_of_addresses_fills_no_memory():
    shaping = Shaping([Bandwidth(down=1000)], Clock())
    using = shaping.shaper("2001:db8::1", None, "").down(lambda: None)
    while using.take(1000):
        pass
    for number in range(70_000):
        shaping.shaper(f"2001:db8::{number >> 16:x}:{number & 0xFFFF:x}", None, "")
    assert len(shaping._shapers) <= 65536 and len(shaping._buckets) == 1
    assert shaping.shaper("2001:db8::1", None, "").down(lambda: None)._buckets == using._buckets


def test_any_number_of_clients_without_a_bound_fills_no_memory():
    shaping = Shaping([Bandwidth(per="user", down=1000)], Clock())
    bob = shaping.shaper("192.0.2.1", "bob", "")
    assert all(shaping.shaper(f"10.0.{number >> 8}.{number & 255}", None, "") is None for number in range(70_000))
    assert len(shaping._shapers) <= 65536 and shaping.shaper("192.0.2.1", "bob", "")._down == bob._down


def test_a_user_has_one_bandwidth_from_everywhere(proxy, shape, download):
    shape(Bandwidth(per="user", down=MB))
    flows = [download("10.0.0.1", user="alice"), download("10.0.0.2", user="alice"), download("10.0.0.3", user="bob")]
    run(proxy, flows, 10)
    assert flows[0].got + flows[1].got == pytest.approx(10 * MB, rel=0.05)
    assert flows[2].got == pytest.approx(10 * MB, rel=0.05)


def test_a_rule_has_one_bandwidth_for_all_whom_it_allows(proxy, shape, download):
    shape(Bandwidth(per="rule", down=MB, only=("guests",)))
    flows = [download(f"10.0.0.{number}", rule="guests") for number in range(4)]
    free = download("10.0.0.9", rule="staff")
    run(proxy, flows, 10)
    assert sum(flow.got for flow in flows) == pytest.approx(10 * MB, rel=0.05)
    run(proxy, [free], 0.1)
    assert free.got > 10 * MB


def test_bandwidths_of_client_and_rule_hold_together(proxy, shape, download):
    shape(Bandwidth(per="client", down=MB), Bandwidth(per="rule", down=1_500_000))
    flows = [download(f"10.0.0.{number}", rule="guests") for number in range(3)]
    run(proxy, flows[:1], 10)
    assert flows[0].got == pytest.approx(10 * MB, rel=0.05)
    before = flows[0].got
    run(proxy, flows, 10)
    got = [flows[0].got - before, flows[1].got, flows[2].got]
    assert sum(got) == pytest.approx(15 * MB, rel=0.05)
    for one in got:
        assert one == pytest.approx(5 * MB, rel=0.1)


def test_where_both_of_two_bounds_are_scarce_nobody_starves(proxy, shape, download):
    shape(Bandwidth(per="client", down=MB), Bandwidth(per="rule", down=MB))
    flows = [download("10.0.0.1", rule="guests") for _ in range(2)] + [download("10.0.0.2", rule="guests")]
    run(proxy, flows, 20)
    assert sum(flow.got for flow in flows) == pytest.approx(20 * MB, rel=0.05)
    assert min(flow.got for flow in flows) > 3 * MB


def test_the_first_bandwidth_that_fits_holds(proxy, shape, download):
    shape(Bandwidth(down=MB, only=("10.0.0.0/8",)), Bandwidth(down=2 * MB))
    flows = [download("10.0.0.1"), download("192.0.2.1")]
    run(proxy, flows, 10)
    assert flows[0].got == pytest.approx(10 * MB, rel=0.05)
    assert flows[1].got == pytest.approx(20 * MB, rel=0.05)


def test_an_idle_bound_costs_no_timer(proxy, shape, tunnel):
    shape(Bandwidth(down=MB, up=MB))
    down, up = tunnel()
    before = len(proxy.clock.getDelayedCalls())
    down.source.send(b"x")
    up.source.send(b"x")
    assert len(proxy.clock.getDelayedCalls()) == before
    for _ in range(50):
        down.feed()
        up.feed()
    assert len(proxy.clock.getDelayedCalls()) == before + 2


def test_a_bucket_is_kept_while_somebody_uses_it_and_forgotten_after(proxy, shape, download):
    shaping = shape(Bandwidth(down=MB))
    flow = download("10.0.0.1")
    run(proxy, [flow], 1)
    for number in range(20_000):
        shaping.shaper(f"10.{number // 250 + 1}.{number % 250}.1", None, "")
    assert len(shaping._shapers) <= 8192 and len(shaping._buckets) <= 8192
    other = download("10.0.0.1")
    before = flow.got
    run(proxy, [flow, other], 10)
    assert flow.got - before + other.got == pytest.approx(10 * MB, rel=0.05)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ({"per": "host"}, "per: 'host' shares nothing; accepted: client, user, rule"),
        ({"down": 0}, "down: 0 is no number of bytes; accepted is a whole number above 0"),
        ({"up": "1M"}, "up: '1M' is no number of bytes; accepted is a whole number above 0"),
        ({"burst": True}, "burst: True is no number of bytes; accepted is a whole number above 0"),
    ],
)
def test_a_wrong_bandwidth_says_why(words, says):
    with pytest.raises(ConfigError) as caught:
        Bandwidth(**words)
    assert str(caught.value) == says
