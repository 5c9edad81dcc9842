"""Clients, upstreams, time and an administrator do what they want, in any order. Whatever they do, nothing that is
counted stays counted, nobody waits for ever, no request is answered with another's response or sent with another's
fields, and what must not be repeated is not.
"""

from random import Random

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from twisted.logger import globalLogPublisher

from txproxy import Pool, ReverseProxyFactory
from txproxy.errors import ConnectionRefused, ConnectTimeout, RequestError
from txproxy.reverse.actions.subrequests import ForwardAuth, Mirror
from txproxy.reverse.actions.to_pool import ToPool
from txproxy.reverse.actions.treatments import Treated, Treatment, TunnelTo
from txproxy.reverse.client_identity import Trust
from txproxy.reverse.mode import ReverseMode
from txproxy.reverse.routing.matches import Match
from txproxy.reverse.routing.route import Route
from txproxy.testing import ProxyInMemory
from txproxy.upstreams.affinity import affinity_from
from txproxy.upstreams.balancing.strategies import NAMES, strategy_from
from txproxy.upstreams.ejection import Breaker, Ejection
from txproxy.upstreams.health.checks import Checks
from txproxy.upstreams.health.health_check import HealthCheck as Check
from txproxy.upstreams.pool_settings import PoolSettings
from txproxy.upstreams.upstream import State
from txproxy.wire.headers import Headers
from txproxy.wire.http1.client import ClientCodec
from txproxy.wire.http1.server import ServerCodec
from txproxy.wire.message import EndOfMessage, RequestHead, ResponseHead

UPSTREAMS = ["http://10.0.0.1;max=1", "http://10.0.0.2;max=2;weight=3", "http://10.0.0.3;max=1;backup"]
STRATEGIES = [name.replace("NAME", "X-Id") for name in NAMES]
KINDS = ["GET", "GET", "HEAD", "PUT", "POST", "EMPTY", "CHUNKED", "EXPECT", "OLD", "UPGRADE", "CONNECT"]
ANSWERS = ["200"] * 3 + ["404", "500", "503", "204", "close", "chunked", "until close", "begun", "100", "101", "bad"]
ORDERS = ["ill", "well", "well", "passed", "drain", "disable", "enable", "enable", "weigh", "remove", "add", "backup"]
CLIENT_IP = "192.0.2.1"


def forwarded(number):
    """Whom a trusted proxy says that a request is from. Some that follow each other are from the same."""
    return b"6.6.6.%d" % (number // 4 % 250)


def request_bytes(kind, path, number):
    """A request that tells its number in its path, and somewhat in its fields, which may be those of the one before."""
    method, body, more, minor = kind, b"", b"", 1
    if kind in ("PUT", "POST", "EXPECT"):
        method = "POST" if kind == "EXPECT" else kind
        body = b"hello"
        more = b"Content-Length: 5\r\n" + (b"Expect: 100-continue\r\n" if kind == "EXPECT" else b"")
    elif kind == "EMPTY":
        method, more = "POST", b"Content-Length: 0\r\n"
    elif kind == "CHUNKED":
        method, more, body = "POST", b"Transfer-Encoding: chunked\r\n", b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    elif kind == "OLD":
        method, more, minor = "GET", b"Connection: keep-alive\r\n", 0
    elif kind == "UPGRADE":
        method, more = "GET", b"Connection: Upgrade\r\nUpgrade: w\r\n"
    target = b"n%d:1" % number if kind == "CONNECT" else b"%b/%d" % (path, number)
    host = target if kind == "CONNECT" else b"a"
    told = (host, forwarded(number), number // 2, more)
    fields = b"Host: %b\r\nX-Forwarded-For: %b\r\nX-Half: %d\r\n%b\r\n" % told
    if kind == "CONNECT":
        body = b"tunnel"
    return method, b"%b %b HTTP/1.%d\r\n%b" % (method.encode(), target, minor, fields) + body


class Sent:
    """A request of a client."""

    def __init__(self, number, kind, method, data):
        self.number = number
        self.kind = kind
        self.method = method
        self.data = data
        self.left = data

    @property
    def head_sent(self):
        return b"\r\n\r\n" in self.data[: len(self.data) - len(self.left)]


class Asker:
    """A client, and what it has sent and got."""

    def __init__(self, connection):
        self.connection = connection
        self.requests = []
        self.gone = False
        self.tunnel = False
        self._codec = ClientCodec()
        self._asked = 0
        self.got = []

    @property
    def may_ask(self):
        return not self.gone and not self.connection.closed and not any(
            request.kind in ("CONNECT", "UPGRADE") for request in self.requests
        )  # fmt: skip

    @property
    def complete(self):
        return sum(1 for request in self.requests if not request.left)

    def read(self):
        """Take what has come, and see to whose requests it is the answer."""
        data = self.connection.take()
        if self.tunnel or not data:
            return
        self._codec.receive(data)
        while not self.tunnel:
            if self._asked == len(self.got):
                if not self._codec.buffered:
                    return
                assert self._asked < len(self.requests), "an answer that nobody has asked for"
                request = self.requests[self._asked]
                fields = [(b"Upgrade", b"w")] if request.kind == "UPGRADE" else []
                # Whose head has not come to its end has no method.
                method = request.method.encode() if request.head_sent else b"GET"
                self._codec.send_head(RequestHead(method, b"/", Headers(fields)))
                self._asked += 1
            event = self._codec.next_event()
            if event is None:
                return
            if isinstance(event, ResponseHead):
                request = self.requests[self._asked - 1]
                self.tunnel = event.status == 101 or (request.method == "CONNECT" and event.status == 200)
                number = event.headers.get(b"x-number")
                assert number is None or int(number) == request.number, "another request's answer"
            elif isinstance(event, EndOfMessage):
                self.got.append(self._asked)
                self._codec.next_message()
        self.got.append(self._asked)


class Answerer:
    """An upstream connection, and the requests that have come over it."""

    def __init__(self, machine, connection):
        self.connection = connection
        self.open = []
        self.raw = False
        self.cut = False
        self._machine = machine
        self._codec = ServerCodec()

    def read(self):
        """Take what has come."""
        data = self.connection.take()
        if self.raw or not data:
            return
        self._codec.receive(data)
        try:
            while (event := self._codec.next_event()) is not None:
                if isinstance(event, RequestHead):
                    self._head(event)
                elif isinstance(event, EndOfMessage):
                    self._codec.next_message()
        except RequestError:
            assert data.startswith(b"tunnel"), data
            self.raw = True

    def _head(self, head):
        if head.path == b"/hz":
            # It answers by itself, as its upstream is well or ill.
            host = self.connection.address.host
            status = b"503" if host in self._machine.ill else b"200"
            if host not in self._machine.stuck:
                self.connection.send(b"HTTP/1.1 %b X\r\nContent-Length: 0\r\n\r\n" % status)
            return
        number = int(head.path.rpartition(b"/")[2]) if head.path != b"/check" else None
        get = head.headers.get
        if number is None:
            uri = get(b"x-forwarded-uri") or b""
            number = int(uri.rpartition(b"/")[2])
            assert head.body == 0
        else:
            self._machine.sent.append((self.connection.address.host, number, head.method))
        assert get(b"x-half") == b"%d" % (number // 2), "the fields of another request"
        assert get(b"x-forwarded-for") == b"%b, %b" % (forwarded(number), CLIENT_IP.encode()), "another's client"
        assert get(b"host") == get(b"x-forwarded-host") == b"a"
        self.open.append((number, head))

    def answer(self, kind):
        """Answer the oldest request, in some way."""
        number, head = self.open[0]
        last = True
        fields = b"X-Number: %d\r\n" % number
        body = b"" if head.method == b"HEAD" else b"body"
        if kind in ("200", "404", "500", "503"):
            data = b"HTTP/1.1 %b X\r\n%bContent-Length: 4\r\n\r\n%b" % (kind.encode(), fields, body)
        elif kind == "204":
            data = b"HTTP/1.1 204 X\r\n%b\r\n" % fields
        elif kind == "close":
            data = b"HTTP/1.1 200 X\r\n%bConnection: close\r\nContent-Length: 4\r\n\r\n%b" % (fields, body)
        elif kind == "chunked":
            body = b"4\r\nbody\r\n0\r\n\r\n" if body else b""
            data = b"HTTP/1.1 200 X\r\n%bTransfer-Encoding: chunked\r\n\r\n%b" % (fields, body)
        elif kind in ("until close", "begun"):
            length = b"Content-Length: 9\r\n" if kind == "begun" else b""
            data = b"HTTP/1.1 200 X\r\n%b%b\r\n%b" % (fields, length, body)
            self.cut = bool(body)
        elif kind == "101" and head.headers.get(b"upgrade") is not None:
            data = b"HTTP/1.1 101 X\r\n%bUpgrade: w\r\nConnection: upgrade\r\n\r\nhi" % fields
            self.raw = True
        elif kind == "bad":
            data = b"HTTP/1.1 what\r\n\r\n"
            self.cut = True
        else:
            data = b"HTTP/1.1 100 Continue\r\n\r\n"
            last = False
        if last:
            del self.open[0]
        self.connection.send(data)


class InOrder(dict):
    """A set that is gone through in the order in which it was filled."""

    def add(self, item):
        self[item] = None

    def discard(self, item):
        self.pop(item, None)


class Machine(RuleBasedStateMachine):
    @initialize(
        strategy=st.sampled_from(STRATEGIES),
        sticky=st.sampled_from([None, "cookie", "ip"]),
        retries=st.integers(0, 2),
        slow=st.sampled_from([0.0, 10.0]),
        panic=st.sampled_from([0.0, 0.6]),
        ejection=st.sampled_from(
            [
                Ejection(failures=1, base=3, longest=20),
                Ejection(failures=1, base=30, share=1.0, eject_on="5xx"),
                Ejection(failures=3, base=5),
                None,
            ]
        ),
        rise=st.sampled_from([0, 1, 2]),
        clients_leave=st.booleans(),
    )
    def begin(self, strategy, sticky, retries, slow, panic, ejection, rise, clients_leave):
        self.failures = []
        globalLogPublisher.addObserver(self._observe)
        chosen = PoolSettings(
            retries=retries, slow_start=slow, panic=panic, ejection=ejection, queue=3, queue_timeout=3.0
        )
        chooser = strategy_from(strategy, lambda: self.pool.seconds(), Random(1))
        self.pool = Pool(UPSTREAMS, chooser, settings=chosen)
        self.asked = Pool(["http://10.0.1.1;max=2"], settings=PoolSettings(queue=2, queue_timeout=2.0))
        self.copies = Pool(["http://10.0.2.1;max=1", "http://10.0.2.2;max=1"], "least-connections")
        self.clients_leave = clients_leave
        self.pools = [self.pool, self.asked, self.copies]
        affinity = affinity_from(sticky, self.pool) if sticky is not None else None
        action = ToPool(self.pool, affinity=affinity)
        auth, mirror = ForwardAuth(ToPool(self.asked), b"/check"), Mirror(ToPool(self.copies))
        routes = [
            Route("guarded", Match(path="/g"), Treated(action, Treatment(auth=auth, mirror=mirror))),
            Route("copied", Match(path="/m"), Treated(action, Treatment(mirror=mirror))),
            Route("tunnel", Match(methods=("CONNECT",)), TunnelTo(self.pool)),
        ]
        mode = ReverseMode(action, routes, trust=Trust([CLIENT_IP]))
        self.proxy = ProxyInMemory(lambda reactor: ReverseProxyFactory(mode, reactor=reactor))
        # Those that are due at the same time are told in an order that is the same in each run.
        self.proxy.factory.services.deadlines._watched = InOrder()
        # hosts that fail their checks, and those that do not answer them at all
        self.ill = set()
        self.stuck = set()
        self.checks = None
        if rise:
            check = Check(path="/hz", interval=2, timeout=1, rise=rise, fall=2)
            self.checks = Checks(check, self.proxy.clock, self.proxy.network.dial, Random(1))
            self.pool.watch(self.checks.watch, self.checks.forget)
            self.checks.start()
        self.upstreams = [upstream for pool in self.pools for upstream in pool.upstreams]
        self.askers = [Asker(self.proxy.connect(CLIENT_IP)) for _ in range(4)]
        self.answerers = {}
        self.sent = []
        self.number = 0
        self.added = 3

    def _observe(self, event):
        if "log_failure" in event:
            self.failures.append(event["log_failure"])

    def _look(self):
        """Everybody reads."""
        for connection in self.proxy.network.connections:
            if connection not in self.answerers:
                self.answerers[connection] = Answerer(self, connection)
            self.answerers[connection].read()
        for asker in self.askers:
            asker.read()

    # -- clients

    @rule()
    def connect(self):
        if len(self.askers) < 12:
            self.askers.append(Asker(self.proxy.connect(CLIENT_IP)))

    def _some_asker(self, who):
        return self.askers[who % len(self.askers)]

    @rule(
        requests=st.lists(
            st.tuples(
                st.integers(0, 11),
                st.sampled_from(KINDS),
                st.sampled_from([b"/x", b"/x", b"/g", b"/m"]),
                # in bytes; 0: the head alone
                st.sampled_from([0, 10, 70, 1000, 1000, 1000, 1000]),
            ),
            min_size=1,
            max_size=6,
        )
    )
    def ask(self, requests):
        for who, kind, path, size in requests:
            asker = self._some_asker(who)
            if not asker.may_ask and len(self.askers) < 12:
                self.connect()
                asker = self.askers[-1]
            if asker.may_ask and all(not request.left for request in asker.requests):
                self.number += 1
                asker.requests.append(Sent(self.number, kind, *request_bytes(kind, path, self.number)))
                self._go_on(asker, size or asker.requests[-1].data.index(b"\r\n\r\n") + 4)

    def _go_on(self, asker, size):
        for request in asker.requests:
            if request.left and not asker.gone and not asker.connection.paused:
                data, request.left = request.left[:size], request.left[size:]
                asker.connection.send(data)
        self._look()

    @rule(who=st.integers(0, 11), size=st.sampled_from([3, 1000]))
    def send_on(self, who, size):
        self._go_on(self._some_asker(who), size)

    @rule(who=st.integers(0, 11), how=st.sampled_from(["drop", "drop", "end", "stop", "read on"]))
    def move_client(self, who, how):
        asker = self._some_asker(who)
        connection = asker.connection
        if how == "drop":
            asker.gone = True
            connection.drop()
        elif how == "end" and not connection.paused:
            asker.gone = True
            connection.end()
        elif how == "stop":
            connection.stop_reading()
        elif how == "read on":
            connection.read_on()
        self._look()

    # -- upstreams

    @rule(steps=st.lists(st.sampled_from(["ok", "hang", "refused", "timeout"]), max_size=3))
    def script(self, steps):
        errors = {"refused": ConnectionRefused("no"), "timeout": ConnectTimeout("slow"), "ok": None, "hang": "hang"}
        self.proxy.network.script = [errors[step] for step in steps]

    @precondition(lambda self: self.proxy.network.hanging)
    @rule(well=st.booleans())
    def dialed(self, well):
        network = self.proxy.network
        if network.hanging[0][0].called:
            del network.hanging[0]
        elif well:
            network.answer()
        else:
            network.hanging.pop(0)[0].errback(ConnectTimeout("slow"))
        self._look()

    def _busy(self):
        return [one for one in self.answerers.values() if not one.connection.closed and (one.open or one.raw)]

    @rule(answers=st.lists(st.tuples(st.integers(0, 20), st.sampled_from(ANSWERS)), min_size=1, max_size=5))
    def answer(self, answers):
        for which, kind in answers:
            busy = self._busy()
            if busy:
                one = busy[which % len(busy)]
                if one.connection.paused:
                    continue
                if one.raw or one.cut:
                    one.connection.send(b"more")
                else:
                    one.answer(kind)
                self._look()

    @precondition(lambda self: any(not connection.closed for connection in self.proxy.network.connections))
    @rule(which=st.integers(0, 20), how=st.sampled_from(["drop", "reset", "end"]))
    def break_upstream(self, which, how):
        connections = [connection for connection in self.proxy.network.connections if not connection.closed]
        connection = connections[which % len(connections)]
        if how == "end":
            if not connection.paused:
                connection.end()
        else:
            connection.drop(clean=how == "drop")
        self._look()

    @rule(number=st.integers(1, 6), how=st.sampled_from(["ill", "stuck", "well", "well"]))
    def fall_ill(self, number, how):
        host = f"10.0.0.{number}"
        self.ill.discard(host)
        self.stuck.discard(host)
        if how != "well":
            (self.ill if how == "ill" else self.stuck).add(host)

    # -- time, and an administrator

    @rule(seconds=st.sampled_from([0.0, 0.2, 0.2, 1.0, 1.0, 2.0, 4.0, 7.0, 61.0]))
    def wait(self, seconds):
        self.proxy.clock.pump([0.2] * round(seconds * 5))
        self.proxy.clock.advance(0)
        self._look()

    @rule(
        which=st.integers(0, 10),
        what=st.sampled_from(ORDERS),
        value=st.integers(1, 5),
    )
    def administer(self, which, what, value):
        pool = self.pool
        upstream = pool.upstreams[which % len(pool.upstreams)]
        if what in ("ill", "well"):
            upstream.checked(what == "well", "no answer" if what == "ill" else "")
        elif what == "passed":
            upstream.passed(self.proxy.clock.seconds() - value + 1)
        elif what == "drain":
            pool.drain(upstream, value)
        elif what == "disable":
            pool.disable(upstream)
        elif what == "enable":
            pool.enable(upstream)
        elif what == "weigh":
            pool.weigh(upstream, value)
        elif what == "remove" and len(pool.upstreams) > 1:
            pool.remove(upstream)
        elif what in ("add", "backup") and len(pool.upstreams) < 6:
            self.added += 1
            backup = ";backup" if what == "backup" else ""
            self.upstreams.append(pool.add(f"http://10.0.0.{self.added};max={value}{backup}"))
        self._look()

    # -- what holds at all times

    @invariant()
    def counts_are_possible(self):
        for upstream in self.upstreams:
            assert upstream.active >= 0
            assert not upstream.max or upstream.active <= upstream.max
        for pool in self.pools:
            assert len(pool.retries) >= 0
            assert pool.waiting <= pool.settings.queue
            states = [upstream.state for upstream in pool.upstreams if upstream.in_service]
            if State.EJECTED in states and State.HEALTHY not in states:
                assert pool.others(()), "ejection has left nobody"

    @invariant()
    def nobody_waits_while_there_is_room(self):
        for pool in self.pools:
            for waiting in pool._queue._waiting:
                untried = [upstream for upstream in pool._serving if upstream not in waiting.tried]
                # Who has tried all that serve may go to a backup.
                left = untried or [upstream for upstream in pool._spare if upstream not in waiting.tried]
                assert all(upstream.full for upstream in left)
                assert pool._wake > self.proxy.clock.seconds(), "time has passed, and nobody has looked"

    @invariant()
    def who_serves_is_fit(self):
        pool = self.pool
        fit = [upstream for upstream in pool.upstreams if upstream.state is State.HEALTHY]
        assert not set(pool._spare) & set(pool._serving)
        assert all(upstream.backup and upstream in fit for upstream in pool._spare)
        assert not fit or pool._serving, "somebody is well, and nobody serves"
        sound = any(upstream.breaker is Breaker.CLOSED and not upstream.backup for upstream in fit)
        if sound and not pool.settings.panic:
            assert all(upstream in fit and not upstream.backup for upstream in pool._serving)

    @invariant()
    def nothing_is_sent_twice_that_must_not_be(self):
        for hosts in ("10.0.0.", "10.0.2."):
            posts = [number for host, number, method in self.sent if host.startswith(hosts) and method == b"POST"]
            assert len(posts) == len(set(posts))

    @invariant()
    def nothing_fails(self):
        assert not self.failures

    # -- when all is quiet

    def teardown(self):
        if not hasattr(self, "proxy"):
            return
        try:
            self._calm_down()
        finally:
            globalLogPublisher.removeObserver(self._observe)

    def _calm_down(self):
        proxy = self.proxy
        network = proxy.network
        if self.checks is not None:
            self.checks.stop()
        for asker in self.askers:
            asker.connection.read_on()
        for waiting, _, _ in network.hanging:
            if not waiting.called:
                waiting.errback(ConnectTimeout("slow"))
        # Nobody can be reached any more: whoever waits gets to know.
        network.script = [ConnectionRefused("no")] * 1000
        if self.clients_leave:
            self._leave()
            # Copies take until the time limits, and those that are sent again on a kept connection until others.
            proxy.advance(130)
        else:
            for _ in range(10):
                for connection in network.connections:
                    connection.read_on()
                    connection.drop()
                proxy.advance(1)
            self._look()
            for asker in self.askers:
                if not asker.gone and not asker.connection.closed and not asker.connection.disconnecting:
                    assert len(asker.got) == asker.complete, "a client that waits for nothing"
            self._leave()
        assert [upstream.active for upstream in self.upstreams] == [0] * len(self.upstreams)
        assert [len(pool.retries) for pool in self.pools] == [0, 0, 0]
        assert [pool.waiting for pool in self.pools] == [0, 0, 0]
        assert not proxy.factory.services.errands
        proxy.close()
        self.nothing_fails()
        self.nothing_is_sent_twice_that_must_not_be()

    def _leave(self):
        for asker in self.askers:
            asker.connection.drop()
        self.proxy.advance(1)


Machine.TestCase.settings = settings(
    max_examples=100, stateful_step_count=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)
TestPool = pytest.mark.no_cover(Machine.TestCase)
