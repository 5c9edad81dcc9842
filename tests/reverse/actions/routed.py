"""A reverse proxy in memory whose routes have actions."""

from txproxy import Pool
from txproxy.reverse.actions.to_pool import ToPool

OK = b"HTTP/1.1 200 OK\r\nDate: D\r\nContent-Length: 2\r\n\r\nok"


def to(address, host=None, **options):
    return ToPool(Pool([f"http://{address}"], name=address, **options), host=host)


def get(path, *lines):
    return b"\r\n".join([b"GET %b HTTP/1.1" % path, b"Host: a.example", *lines, b"", b""])


def at(proxy, host):
    """The connections to an upstream."""
    return [one for one in proxy.network.connections if one.address.host == host]
