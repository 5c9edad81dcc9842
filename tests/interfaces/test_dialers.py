"""Who makes connections is who he says that he is."""

import pytest
from twisted.internet.task import Clock
from zope.interface.verify import verifyObject

from txproxy.forward.access.destinations import Destinations, GuardedDialer
from txproxy.interfaces import IClientDialer, IDialer
from txproxy.net.dialing import Dialer
from txproxy.net.dns.resolver import Resolver
from txproxy.testing import ProxyInMemory


@pytest.mark.parametrize(
    ("make", "interface"),
    [
        (lambda clock, resolver: Dialer(clock, 1.0, resolver), IDialer),
        (lambda clock, resolver: GuardedDialer(clock, Destinations(), 1.0, resolver), IClientDialer),
    ],
)
def test_a_dialer_does_what_it_promises(make, interface):
    clock = Clock()
    assert verifyObject(interface, make(clock, Resolver(clock)))


def test_so_does_that_of_embedders_tests():
    from txproxy import Pool, ReverseProxyFactory

    proxy = ProxyInMemory(lambda reactor: ReverseProxyFactory(Pool(["http://10.0.0.1"]), reactor=reactor))
    assert verifyObject(IDialer, proxy.factory.services.dialer)
    proxy.close()
