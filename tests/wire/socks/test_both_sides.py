"""The two sides with each other."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from txproxy.wire.socks.client import SocksClient
from txproxy.wire.socks.server import SocksLogin, SocksRequest, SocksServer


@given(st.binary(min_size=1, max_size=255), st.binary(min_size=1, max_size=255), st.integers(1, 65535), st.data())
def test_both_sides_understand_each_other(name: bytes, password: bytes, port: int, data: Any) -> None:
    host = data.draw(st.sampled_from(["example.com", "a." * 120 + "test", "192.0.2.1", "2001:db8::1"]))
    client = SocksClient(host, port, name, password)
    server = SocksServer(login=True)
    events = []
    while not client.open:
        server.receive(client.take_output())
        event = server.next_event()
        if event is not None:
            events.append(event)
        if isinstance(event, SocksLogin):
            server.accept_login()
        elif isinstance(event, SocksRequest):
            server.accept("192.0.2.1", 1)
        client.receive(server.take_output())
    assert events == [SocksLogin(name, password), SocksRequest(host, port)]
