"""The admin API in memory."""

import json

import attrs
import pytest
from twisted.internet.address import IPv4Address
from twisted.internet.task import Clock

from txproxy.admin.access_checks import Access
from txproxy.admin.admin_resource import AdminResource
from txproxy.admin.admin_site import AdminSite
from txproxy.admin.api_paths import ApiPaths
from txproxy.config.admin_endpoint import AdminConfig
from txproxy.testing import MemoryConnection


@attrs.frozen
class Answer:
    status: int
    fields: dict
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)


def read(data):
    """The answers in ``data``, each of which says how long it is."""
    answers = []
    while data:
        head, _, rest = data.partition(b"\r\n\r\n")
        line, *lines = head.decode().split("\r\n")
        fields = dict(one.lower().split(": ", 1) for one in lines)
        length = int(fields["content-length"])
        answers.append(Answer(int(line.split()[1]), fields, rest[:length]))
        data = rest[length:]
    return answers


class Client:
    """One of a site, over a connection in memory."""

    def __init__(self, clock, site):
        self.connection = MemoryConnection(clock, site.buildProtocol(IPv4Address("TCP", "127.0.0.1", 60000)))

    def ask(self, method, path, *lines, body=None):
        """The answer; None if there is none yet."""
        if body is not None and not isinstance(body, bytes):
            body, lines = json.dumps(body).encode(), ("Content-Type: application/json", *lines)
        if not any(line.lower().startswith("host:") for line in lines):
            lines = ("Host: localhost:9090", *lines)
        if body is not None:
            lines = (*lines, f"Content-Length: {len(body)}")
        head = "\r\n".join([f"{method} {path} HTTP/1.1", *lines, "", ""]).encode("utf-8", "surrogateescape")
        self.connection.send(head + (body or b""))
        answers = read(self.connection.take())
        assert len(answers) < 2
        return answers[0] if answers else None


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def serve(clock):
    """A client of what serves these verbs."""
    served = []

    def serve(verbs, listen="127.0.0.1:9090", token=None):
        access = Access(AdminConfig(listen=listen, token_file="token" if token else None), token)
        site = AdminSite(AdminResource(ApiPaths(verbs), access), clock)
        served.append(site)
        return Client(clock, site)

    yield serve
    for site in served:
        site.abort()
    clock.advance(1)
    assert clock.getDelayedCalls() == []
