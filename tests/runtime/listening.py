"""A service that listens in memory, and clients of it."""

from twisted.internet.address import IPv4Address
from twisted.internet.error import CannotListenError
from twisted.internet.testing import MemoryReactorClock

from txproxy.testing import MemoryConnection

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


class Port:
    """One that listens, until it does not."""

    def __init__(self, number):
        self.number = number
        self.listens = True

    def getHost(self):
        """Where it listens."""
        return IPv4Address("TCP", "127.0.0.1", self.number)

    def stopListening(self):
        """At once."""
        self.listens = False


class ListeningReactor(MemoryReactorClock):
    """Where nobody can listen on the ports in ``taken``. ``ports`` are all that ever were, by their numbers."""

    def __init__(self, taken=()):
        super().__init__()
        self.taken = taken
        self.ports = {}

    def listenTCP(self, port, factory, backlog=50, interface=""):
        """As a reactor does."""
        if port in self.taken:
            raise CannotListenError(interface, port, OSError(98, "Address already in use"))
        number = port or 50000 + len(self.ports)
        self.ports[number] = listening = Port(number)
        listening.factory = factory
        return listening

    def addSystemEventTrigger(self, phase, event, call, *words):
        """As a reactor does."""
        super().addSystemEventTrigger(phase, event, call, *words)
        return phase, event, (call, words, {})

    def removeSystemEventTrigger(self, there):
        """As a reactor does."""
        phase, event, call = there
        self.triggers[phase][event].remove(call)

    def connect(self, number):
        """A client of that port."""
        protocol = self.ports[number].factory.buildProtocol(IPv4Address("TCP", "127.0.0.1", 60000))
        return MemoryConnection(self, protocol)


def answer(client, request=GET):
    """The body of the answer that a client gets."""
    client.received = b""
    client.send(request)
    return client.received.partition(b"\r\n\r\n")[2]
