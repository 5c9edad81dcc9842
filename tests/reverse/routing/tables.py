"""Tables of routes, and what is asked of them."""

from txproxy.reverse.routing.matches import Match
from txproxy.reverse.routing.route import Route
from txproxy.reverse.routing.routes import Routes
from txproxy.testing import context_of
from txproxy.wire.headers import Headers
from txproxy.wire.message import RequestHead

CLIENT = context_of("192.0.2.7")


def request(target="/", host="a.example", method="GET", fields=()):
    return RequestHead(method.encode(), target.encode(), Headers(fields), authority=host.encode())


def routes(*matches, **options):
    """Routes named by their number."""
    return Routes([Route(str(number), match, None) for number, match in enumerate(matches)], **options)


def taken(table, *args, **kwargs):
    found = table.find(request(*args, **kwargs), CLIENT)
    return found and found.name


def shares(*weights, **options):
    """Routes that match the same, with these weights."""
    return routes(*(Match("a.example", weight=weight) for weight in weights), **options)
