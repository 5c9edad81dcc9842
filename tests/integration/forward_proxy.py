"""A forward proxy from Python: run with its settings, as JSON.

``port`` is where it listens, ``policy`` are settings of ``ForwardPolicy``; ``protocols`` are spoken there. With
``certificate`` (files), TLS is spoken at ``tls_port``, or at the same port if that is not given. ``socks_port`` speaks
SOCKS5 alone. ``password_file`` says who may come. ``names`` maps host names to addresses. Each exchange is a line of
the log: method, authority, status, outcome, user.
"""

import json
import sys

from twisted.application.reactors import installReactor

settings = json.loads(sys.argv[1])
installReactor(settings.pop("reactor", "epoll"))

from twisted.internet import reactor  # noqa: E402
from twisted.internet.address import IPv4Address  # noqa: E402
from twisted.internet.interfaces import IHostnameResolver  # noqa: E402
from twisted.internet.protocol import Factory  # noqa: E402
from twisted.logger import globalLogBeginner, textFileLogObserver  # noqa: E402
from zope.interface import implementer  # noqa: E402

from txproxy import ForwardPolicy, ForwardProxyFactory  # noqa: E402
from txproxy.auth.auth_policy import AuthPolicy  # noqa: E402
from txproxy.forward.access.content_policy import ContentRules  # noqa: E402
from txproxy.forward.egress.credentials_injection import Injection  # noqa: E402
from txproxy.forward.parents.selection import Parents  # noqa: E402
from txproxy.forward.request.privacy import Privacy  # noqa: E402
from txproxy.forward.request.url_rewrites import Rewrite  # noqa: E402
from txproxy.net.transports.listening_ports import serve_tls  # noqa: E402
from txproxy.observe.audit import AuditLog  # noqa: E402
from txproxy.tls.listener_contexts import server_context  # noqa: E402

globalLogBeginner.beginLoggingTo([textFileLogObserver(sys.stdout)], redirectStandardIO=False)


class TlsClients(Factory):
    """Those of the TLS listener."""

    def buildProtocol(self, addr):
        return factory.build(addr, "https")


def say(exchange):
    request = exchange.request
    words = (
        request.method.decode(),
        request.authority.decode(),
        exchange.status,
        exchange.outcome,
        exchange.context.user,
    )
    print("exchange:", *words, flush=True)


@implementer(IHostnameResolver)
class Names:
    """Those that the settings name, and no others."""

    def __init__(self, known):
        self.known = known

    def resolveHostName(self, receiver, hostName, portNumber=0, addressTypes=None, transportSemantics="TCP"):
        receiver.resolutionBegan(self)
        if hostName in self.known:
            receiver.addressResolved(IPv4Address("TCP", self.known[hostName], portNumber))
        receiver.resolutionComplete()
        return self


# What a policy has values of its own for.
MAKE = {
    "auth": lambda value: AuthPolicy(**value),
    "content": lambda value: ContentRules(**value),
    "audit": AuditLog,
    "privacy": lambda values: [Privacy(**value) for value in values],
    "inject": lambda values: [Injection(**value) for value in values],
    "rewrites": lambda values: [Rewrite(**value) for value in values],
}

policy = settings.pop("policy")
policy = {key: MAKE[key](value) if key in MAKE else value for key, value in policy.items()}
if "names" in settings:
    reactor.installNameResolver(Names(settings.pop("names")))
if "password_file" in settings:
    policy["auth"] = AuthPolicy(password_file=settings.pop("password_file"))
if "check_interval" in settings:
    policy["parents"] = Parents(policy["parents"], check_interval=settings.pop("check_interval"))
context = server_context(*settings["certificate"]) if "certificate" in settings else None
tls_port = settings.get("tls_port")
factory = ForwardProxyFactory(
    ForwardPolicy(**policy),
    protocols=settings.get("protocols", ("http", "socks5")),
    tls_context=context if tls_port is None else None,
    observers=(say,),
    reactor=reactor,
)
reactor.listenTCP(settings["port"], factory, interface="127.0.0.1")
if tls_port is not None:
    serve_tls(reactor.listenTCP(tls_port, TlsClients(), interface="127.0.0.1"), context)
if "socks_port" in settings:
    reactor.listenTCP(settings["socks_port"], factory.speaking("socks5"), interface="127.0.0.1")
reactor.run()
