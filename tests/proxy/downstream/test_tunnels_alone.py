"""Clients that ask for tunnels alone are streams of exchanges, without a word for responses."""

import inspect

import pytest

from txproxy.interfaces.streams import ClientStream
from txproxy.proxy.downstream.socks5 import SocksProtocol
from txproxy.proxy.downstream.tunnels_alone import TunnelsAlone
from txproxy.stream.stream_client import StreamProtocol

SAID = [name for name in vars(TunnelsAlone) if inspect.isfunction(vars(TunnelsAlone)[name])]


@pytest.mark.parametrize("name", SAID)
def test_it_takes_what_an_exchange_says_and_does_nothing(name):
    asked = inspect.signature(getattr(ClientStream, name))
    client = TunnelsAlone()
    assert getattr(client, name)(*[b""] * (len(asked.parameters) - 1)) is None


@pytest.mark.parametrize("kind", [SocksProtocol, StreamProtocol])
@pytest.mark.parametrize("name", [name for name in vars(ClientStream) if not name.startswith("_")])
def test_those_that_build_on_it_are_whole(kind, name):
    assert hasattr(kind, name)
