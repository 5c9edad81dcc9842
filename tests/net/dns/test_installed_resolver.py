"""A resolver that the embedding program has installed in its reactor."""

from twisted.internet.epollreactor import EPollReactor
from twisted.internet.interfaces import IHostnameResolver
from twisted.internet.testing import MemoryReactorClock
from zope.interface import implementer

from txproxy.net.dns.installed_resolver import ask_installed, installed_names


@implementer(IHostnameResolver)
class Stubborn:
    """Cannot be cancelled, as a thread cannot."""

    def resolveHostName(self, receiver, hostName, portNumber=0, addressTypes=None, transportSemantics="TCP"):
        receiver.resolutionBegan(self)
        self.receiver = receiver
        return self

    def cancel(self):
        raise NotImplementedError


def test_what_a_reactor_begins_with_is_not_installed_by_anybody():
    reactor = EPollReactor()
    assert installed_names(reactor) is None
    names = Stubborn()
    reactor.installNameResolver(names)
    assert installed_names(reactor) is names
    assert installed_names(MemoryReactorClock()) is not None
    assert installed_names(object()) is None


def test_who_cannot_be_cancelled_is_not_listened_to():
    names, results = Stubborn(), []
    asking = ask_installed(names, "a.example")
    asking.addErrback(results.append)
    asking.cancel()
    names.receiver.resolutionComplete()
    assert len(results) == 1
