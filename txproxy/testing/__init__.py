"""A test kit for proxies: clients, upstreams and a network, all in memory and on a ``Clock``.

A test plays both sides: bytes of the client in, bytes to the upstream out, bytes of the upstream in, bytes to the
client out::

    from txproxy import Pool, ReverseProxyFactory
    from txproxy.testing import ProxyInMemory

    proxy = ProxyInMemory(lambda reactor: ReverseProxyFactory(Pool(["http://10.0.0.1:80"]), reactor=reactor))
    client = proxy.connect()
    client.send(b"GET / HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n")
    upstream = proxy.network.connections[0]
    upstream.send(b"HTTP/1.1 204 No Content\\r\\n\\r\\n")
    assert client.received.startswith(b"HTTP/1.1 204")
    proxy.close()
"""

from txproxy.testing.contexts import context_of
from txproxy.testing.memory_connection import MemoryConnection
from txproxy.testing.memory_network import MemoryNetwork
from txproxy.testing.proxy_in_memory import ProxyInMemory

__all__ = ["MemoryConnection", "MemoryNetwork", "ProxyInMemory", "context_of"]
