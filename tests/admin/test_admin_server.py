"""Where the admin API listens."""

import pytest

from tests.runtime.listening import ListeningReactor
from txproxy.admin.access_checks import Access
from txproxy.admin.admin_server import AdminServer
from txproxy.config.admin_endpoint import AdminConfig
from txproxy.errors import ConfigError


def test_it_listens_when_it_is_opened_and_until_it_is_closed():
    reactor = ListeningReactor()
    server = AdminServer(Access(AdminConfig(listen="127.0.0.1:9090")), None, reactor)
    assert reactor.ports == {} and server.port is None
    server.close()
    server.open()
    client = reactor.connect(9090)
    client.send(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert client.take().startswith(b"HTTP/1.1 200 ")
    server.close()
    reactor.advance(0)
    assert not reactor.ports[9090].listens and client.closed and server.port is None
    assert reactor.getDelayedCalls() == []


def test_where_it_cannot_that_is_told():
    server = AdminServer(Access(AdminConfig(listen="127.0.0.1:9090")), None, ListeningReactor(taken=(9090,)))
    with pytest.raises(ConfigError, match=r"^listen: 127\.0\.0\.1:9090: cannot listen there: Address already in use$"):
        server.open()


def test_a_unix_socket_gets_the_mode_of_another_configuration(tmp_path):
    path = tmp_path / "a.sock"
    path.touch(0o600)
    server = AdminServer(Access(AdminConfig(listen=f"unix:{path}")), None, ListeningReactor())
    server.lead_to(Access(AdminConfig(listen=f"unix:{path}:mode=660")))
    assert path.stat().st_mode & 0o777 == 0o660
    assert server.config.listen.endswith("mode=660")
