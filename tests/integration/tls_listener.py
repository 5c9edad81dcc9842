"""A TLS listener whose answers say what it knows of the client: run with its settings, as JSON.

``port`` is where it listens, ``way`` is ``socket`` or ``memory``, the other settings are those of ``ListenerTls``. It
reads its files again at SIGHUP.
"""

import json
import signal
import sys

from twisted.internet import reactor
from twisted.internet.protocol import Factory, Protocol
from twisted.protocols.tls import TLSMemoryBIOFactory

from txproxy.net.transports.listening_ports import serve_tls
from txproxy.net.transports.tls_transports import tls_connection
from txproxy.tls.client_certificates import NO_CERTIFICATE_LINES, peer_certificate
from txproxy.tls.listener_contexts import ListenerTls, ServerConnections, ServerTls


class Teller(Protocol):
    """Answers each request with what is known of its sender."""

    buffer = b""

    def dataReceived(self, data):
        self.buffer += data
        while b"\r\n\r\n" in self.buffer:
            head, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
            peer = peer_certificate(tls_connection(self.transport))
            text = b"\n".join(NO_CERTIFICATE_LINES if peer is None else peer.lines()) + b"\n"
            self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(text), text))
            if b"Connection: close" in head:
                self.transport.loseConnection()


settings = json.loads(sys.argv[1])
port, way = settings.pop("port"), settings.pop("way")
settings["certificates"] = tuple(map(tuple, settings["certificates"]))
tls = ServerTls(ListenerTls(**settings))
factory = Factory.forProtocol(Teller)
if way == "memory":
    reactor.listenTCP(port, TLSMemoryBIOFactory(ServerConnections(tls.context), False, factory), interface="127.0.0.1")
else:
    assert serve_tls(reactor.listenTCP(port, factory, interface="127.0.0.1"), tls.context)


def reload(*_):
    reactor.callFromThread(lambda: print("read again:", tls.check(), flush=True))


signal.signal(signal.SIGHUP, reload)
reactor.run()
