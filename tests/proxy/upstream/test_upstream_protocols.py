"""Which protocol talks to an upstream."""

import pytest

from txproxy.interfaces import Address
from txproxy.proxy.upstream.http1 import UpstreamProtocol
from txproxy.proxy.upstream.http2_upstream import Http2Upstream
from txproxy.proxy.upstream.upstream_protocols import build_upstream


@pytest.mark.parametrize(("protocols", "kind"), [((), UpstreamProtocol), (("h2",), Http2Upstream)])
def test_an_address_says_what_is_spoken_there(make, protocols, kind):
    services = make().factory.services
    made = build_upstream(services, Address("10.0.0.1", 80, protocols=protocols))
    assert type(made) is kind


def test_what_is_spoken_there_tells_addresses_apart():
    one, other = Address("10.0.0.1", 80), Address("10.0.0.1", 80, protocols=("h2",))
    assert one.key != other.key and one != other and str(one) == str(other)
