"""What a configuration file says, with names of a test's own: ``imported_proxy.py FILE NAMES``, the latter as JSON."""

import json
import sys

from twisted.application.reactors import installReactor

installReactor("epoll")

from twisted.internet import reactor  # noqa: E402
from twisted.internet.address import IPv4Address  # noqa: E402
from twisted.internet.interfaces import IHostnameResolver  # noqa: E402
from zope.interface import implementer  # noqa: E402

from txproxy.config import load  # noqa: E402
from txproxy.service import make_service  # noqa: E402

known = json.loads(sys.argv[2])


@implementer(IHostnameResolver)
class Names:
    """Those that the test names, and no others."""

    def resolveHostName(self, receiver, hostName, portNumber=0, addressTypes=None, transportSemantics="TCP"):
        receiver.resolutionBegan(self)
        if hostName in known:
            receiver.addressResolved(IPv4Address("TCP", known[hostName], portNumber))
        receiver.resolutionComplete()
        return self


reactor.installNameResolver(Names())
service = make_service(load(sys.argv[1]), reactor)
service.privilegedStartService()
service.startService()
reactor.run()
