"""Asks a TLS upstream several times, each over a connection of its own, and prints the answers.

Run with the settings of ``client_connections`` as JSON, and ``address``, ``port`` and ``times``.
"""

import json
import sys

from twisted.internet import reactor
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.interfaces import IHandshakeListener
from twisted.internet.protocol import Protocol
from zope.interface import implementer

from txproxy.errors import DialError
from txproxy.interfaces import Address
from txproxy.net.dialing import Dialer
from txproxy.tls.verification import client_connections


@implementer(IHandshakeListener)
class Asker(Protocol):
    """Sends one request, and keeps what comes until the end."""

    handshake_done = None

    def connectionMade(self):
        self.answer = b""
        self.ended = Deferred()

    def handshakeCompleted(self):
        self.handshake_done(None)

    def dataReceived(self, data):
        self.answer += data
        if self.answer.endswith(b"\n"):
            self.transport.loseConnection()

    def connectionLost(self, reason):
        if self.handshake_done is not None:
            self.handshake_done(reason)
        self.ended.callback(None)


async def main():
    settings = json.loads(sys.argv[1])
    address, port, times = settings.pop("address"), settings.pop("port"), settings.pop("times")
    for _ in range(times):
        creator = client_connections(**settings)
        try:
            asker = await Dialer(reactor, 10).dial(Address(address, port, tls=creator), Asker)
        except DialError as fault:
            print(f"{fault.error}: {fault}")
            continue
        asker.transport.write(b"GET / HTTP/1.0\r\n\r\n")
        await asker.ended
        print(asker.answer.decode().partition("\r\n\r\n")[2], end="")


ensureDeferred(main()).addErrback(lambda failure: print(failure.getTraceback())).addBoth(lambda _: reactor.stop())
reactor.run()
