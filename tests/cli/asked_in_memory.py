"""An admin API in memory, and who asks it as the commands do."""

import json

from twisted.internet.address import IPv4Address
from twisted.internet.task import Clock

from tests.admin.conftest import read
from txproxy.admin.access_checks import Access
from txproxy.admin.admin_resource import AdminResource
from txproxy.admin.admin_site import AdminSite
from txproxy.admin.api_paths import ApiPaths
from txproxy.cli.admin_client import AdminClient
from txproxy.config.admin_endpoint import AdminConfig
from txproxy.testing import MemoryConnection


class ClientInMemory(AdminClient):
    """Asks what serves these ``verbs``; what it has asked for is in ``asked``."""

    def __init__(self, verbs):
        super().__init__("memory", "nowhere")
        self.asked = []
        self._clock = Clock()
        self._site = AdminSite(
            AdminResource(ApiPaths(verbs), Access(AdminConfig(listen="127.0.0.1:9090"))), self._clock
        )

    def _answer(self, method, path, body, patience):
        self.asked.append((method, path, body))
        connection = MemoryConnection(self._clock, self._site.buildProtocol(IPv4Address("TCP", "127.0.0.1", 60000)))
        data = b"" if body is None else json.dumps(body).encode()
        fields = f"Host: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(data)}"
        connection.send(f"{method} {path} HTTP/1.1\r\n{fields}\r\n\r\n".encode() + data)
        self._clock.advance(0)
        (answer,) = read(connection.take())
        connection.drop()
        return answer.status, answer.body
