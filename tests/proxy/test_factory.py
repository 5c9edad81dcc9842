"""What stands behind a listener."""

from twisted.internet.address import IPv4Address
from twisted.internet.task import Clock
from zope.interface import implementer

from txproxy import Pool, ProxyFactory, ReverseProxyFactory
from txproxy.interfaces import Answer, IInnerMiddleware, IMiddleware, IMode
from txproxy.testing import ProxyInMemory

CLIENT = IPv4Address("TCP", "192.0.2.7", 1234)


@implementer(IMode)
class Silent:
    """Answers everything with nothing."""

    def plan(self, head, context):
        return Answer(204)


@implementer(IMiddleware)
class Around:
    def handle(self, request, context, proceed):
        return proceed(request, context)


@implementer(IInnerMiddleware)
class Within(Around):
    pass


class Counts(ProxyFactory):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.told = []

    def begin(self):
        self.told.append("begin")

    def end(self):
        self.told.append("end")


def test_it_begins_with_its_first_port_and_ends_with_its_last():
    factory = Counts(Silent(), reactor=Clock())
    factory.doStart()
    factory.doStart()
    factory.doStop()
    assert factory.told == ["begin"]
    factory.doStop()
    factory.doStart()
    assert factory.told == ["begin", "end", "begin"]


def test_a_client_is_known_by_its_address_and_by_how_it_speaks():
    factory = ProxyFactory(Silent(), reactor=Clock())
    assert factory.buildProtocol(CLIENT).connection.peer_ip == "192.0.2.7"
    assert factory.buildProtocol(CLIENT).connection.peer_scheme == "http"
    assert factory.build(CLIENT, "https").connection.peer_scheme == "https"


def test_none_is_taken_once_it_has_stopped():
    factory = ProxyFactory(Silent(), reactor=Clock())
    factory.stop()
    assert factory.buildProtocol(CLIENT) is None


def test_what_is_cut_off_as_it_stops_has_not_been_left_by_its_client():
    ended = []
    pool = Pool(["http://10.0.0.1"])
    proxy = ProxyInMemory(lambda reactor: ReverseProxyFactory(pool, observers=[ended.append], reactor=reactor))
    left, cut = proxy.connect(), proxy.connect()
    for client in (left, cut):
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    left.drop()
    proxy.factory.stop()
    said = [(record.outcome, record.detail) for record in ended]
    assert said == [("client-gone", "the client closed the connection"), ("stopped", "the proxy has stopped")]
    proxy.close()


def test_what_stands_within_the_mode_does_not_stand_around_it():
    within, around = Within(), Around()
    factory = ReverseProxyFactory(Pool(["http://10.0.0.1"]), middleware=[within, around], reactor=Clock())
    assert factory.services.inner_middleware == (within,)
    assert factory.handle.args == (around.handle, factory.mode.plan)
    assert ProxyFactory(Silent(), middleware=[within], reactor=Clock()).handle.__name__ == "plan"


def test_two_of_them_share_nothing_but_what_they_are_given():
    proxies = [ProxyInMemory(lambda reactor: ProxyFactory(Silent(), reactor=reactor)) for _ in range(2)]
    proxies[0].factory.stop()
    client = proxies[1].connect()
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert client.received.startswith(b"HTTP/1.1 204 ")
    for proxy in proxies:
        proxy.close()
