"""What is done by all short cuts there are, and by none of them: all that is seen is to be the same."""

import random

from tests.proxy.exchanges.test_recording import told
from txproxy import Limits, Pool, ReverseProxyFactory
from txproxy.interfaces.record import ExchangeRecord, momentary
from txproxy.testing import ProxyInMemory


def known(record):
    facts = [record.outcome, record.detail, record.status, record.sent, record.received, record.seconds]
    return [*facts, record.first_byte, record.client_ip, record.context.rule, record.response is None, told(record)]


def noting(kinds, records):
    """An observer that has of what kind an exchange was, and what is known of it, in these lists."""

    @momentary
    def note(exchange):
        kinds.append(type(exchange))
        records.append(known(ExchangeRecord.of(exchange)))

    return note


def assert_same(short, slow):
    """Both have seen the same."""
    assert len(short.seen) == len(slow.seen)
    for one, other in zip(short.seen, slow.seen, strict=True):
        assert one == other


class Sides:
    """Clients of a proxy and its one ``upstream``, and what may happen between them. ``seen`` is all that anybody has
    seen.
    """

    # of so many pieces of data one is cut
    mostly_whole = 2

    def __init__(self, seed, short, observed, upstream, pool=None, **options):
        self.chosen = random.Random(seed)
        self.short = short
        self.seen = []
        self.kinds = []
        self.pool = Pool([upstream], settings=pool)
        self.proxy = ProxyInMemory(
            lambda reactor: ReverseProxyFactory(
                self.pool,
                via=None,
                observers=(noting(self.kinds, self.seen),) if observed else (),
                limits=Limits(response_timeout=2000),
                reactor=reactor,
                **options,
            )
        )
        if not short:
            self.proxy.factory.standing_for = None
        self.clients = [self.proxy.connect() for _ in range(3)]

    def wait(self):
        # Not for so long that several are late at once, of whom any may be the first.
        self.proxy.advance(self.chosen.choice([0.1, 3]))

    def send(self, connection, data):
        while data:
            size = self.chosen.choice([len(data)] * self.mostly_whole + [self.chosen.randint(1, len(data))])
            connection.send(data[:size])
            data = data[size:]

    def end_all(self):
        """All clients leave."""
        for client in self.clients:
            client.drop()
        self.look()
        (upstream,) = self.pool.upstreams
        self.seen.append((upstream.active, upstream.served, upstream.failures))
        self.proxy.close()
