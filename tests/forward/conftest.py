"""Forward proxies in memory."""

import pytest
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import IHostnameResolver
from zope.interface import implementer

from txproxy import ForwardPolicy, ForwardProxyFactory
from txproxy.testing import ProxyInMemory


@implementer(IHostnameResolver)
class Names:
    """Knows the addresses of names; those of which it knows none wait until ``answer``."""

    def __init__(self):
        self.known = {}
        self.asked = []

    def resolveHostName(self, receiver, hostName, portNumber=0, addressTypes=None, transportSemantics="TCP"):
        self.asked.append((hostName, receiver))
        receiver.resolutionBegan(self)
        if hostName in self.known:
            self.answer(*self.known[hostName])
        return self

    def answer(self, *addresses):
        """To who has asked last."""
        for text in addresses:
            self.asked[-1][1].addressResolved((IPv6Address if ":" in text else IPv4Address)("TCP", text, 0))
        self.asked[-1][1].resolutionComplete()

    def cancel(self):
        pass


class ForwardInMemory(ProxyInMemory):
    """A forward proxy, with ``names`` for its resolver; ``finished`` are its exchanges."""

    def __init__(self, policy):
        self.names = Names()
        self.finished = []

        def make(clock):
            clock.nameResolver = self.names
            return ForwardProxyFactory(policy, observers=(self.finished.append,), reactor=clock)

        super().__init__(make)

    def ask(self, *requests, host="127.0.0.1"):
        """What a client at ``host`` gets for its ``requests``, until somebody has to wait."""
        client = self.connect(host)
        for request in requests:
            client.send(request)
        return client.received


@pytest.fixture
def forward():
    """Makes forward proxies from what a policy says; they leave nothing behind."""
    made = []

    def make(**policy):
        proxy = ForwardInMemory(ForwardPolicy(**policy))
        made.append(proxy)
        return proxy

    yield make
    for proxy in made:
        proxy.close()


@pytest.fixture
def ads(tmp_path):
    """A block list."""
    path = tmp_path / "ads.txt"
    path.write_text("ads.example\n*://*/banner/*\n")
    return path
