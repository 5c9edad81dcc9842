"""Ports."""

import pytest

from txproxy.errors import ConfigError
from txproxy.forward.access.client_access import Ports


def test_ports_are_numbers_and_ranges():
    ports = Ports(["80", "8000-8002", 443])
    assert [port for port in (79, 80, 443, 7999, 8000, 8002, 8003) if port in ports] == [80, 443, 8000, 8002]


@pytest.mark.parametrize("text", ["0", "65536", "a", "", "9-8", "1-", "-1", "8_0", " 80", "+80", "\u0663", "1" * 5000])
def test_what_is_no_port_is_refused(text):
    with pytest.raises(ConfigError, match="accepted"):
        Ports([text])
