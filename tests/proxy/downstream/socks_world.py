"""A proxy that speaks HTTP and SOCKS5 at one port, and what clients say to it."""

from zope.interface import implementer

from txproxy import Limits
from txproxy.interfaces import Address, IMode, Plan
from txproxy.proxy.downstream.negotiate import protocol_class, spoken
from txproxy.proxy.factory import ProxyFactory
from txproxy.testing import ProxyInMemory

FREE = b"\x05\x01\x00"
WITH_LOGIN = b"\x05\x02\x00\x02"
LOGIN = b"\x01\x03bob\x06secret"
BY_NAME = b"\x05\x01\x00\x03\x0bexample.com\x01\xbb"
STANDS = b"\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00"
CONNECT = b"CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n"


@implementer(IMode)
class Mode:
    """Leads tunnels where they want, or does what it is told to."""

    def __init__(self):
        self.heads = []
        self.schemes = []
        self.decision = None

    def plan(self, head, client):
        self.heads.append(head)
        self.schemes.append((client.scheme, client.peer_scheme))
        if isinstance(self.decision, Exception):
            raise self.decision
        host, _, port = head.authority.decode().rpartition(":")
        return self.decision or Plan(Address(host.strip("[]"), int(port)), None if head.method == b"CONNECT" else head)


class Factory(ProxyFactory):
    protocols = frozenset({"http", "socks5"})

    def build(self, addr, scheme):
        return self.build_as(protocol_class(self.protocols), addr, scheme)


class World(ProxyInMemory):
    def __init__(self, protocols=("http", "socks5"), login=None, **limits):
        self.mode = Mode()
        self.seen = []

        def make(reactor):
            factory = Factory(self.mode, limits=Limits(**limits), observers=(self.seen.append,), reactor=reactor)
            factory.protocols = spoken(protocols, None)
            factory.login = login
            return factory

        super().__init__(make)
