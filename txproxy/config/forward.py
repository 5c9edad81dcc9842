"""What a forward listener has of its own in a configuration file."""

from __future__ import annotations

from txproxy.config.tables import Table
from txproxy.config.values import texts
from txproxy.forward.access import LOOPBACK_CLIENTS, HostPatterns, Ports, network
from txproxy.forward.destinations import Destinations
from txproxy.forward.mode import ForwardPolicy, forwarded_for_mode


def forward_policy(table: Table, via: str | None) -> ForwardPolicy:
    """The policy of the listener whose ``table`` it is. The listener closes the table."""
    allow_clients = table.all("allow_clients", texts(_client))
    allow_ports = table.all("allow_ports", _ports)
    allow_hosts = table.all("allow_hosts", texts(_host))
    return ForwardPolicy(
        allow_clients=LOOPBACK_CLIENTS if allow_clients is None else allow_clients,
        allow_ports=allow_ports,
        allow_destinations=table.all("allow_destinations", texts(_destination)) or (),
        allow_hosts=allow_hosts,
        via=via,
        forwarded_for=table.read("forwarded_for", texts(forwarded_for_mode), "delete"),
    )


def _client(text: str) -> str:
    network(text)
    return text


def _ports(value: object) -> str:
    Ports([value])  # type: ignore[list-item]  # it looks at the text of it, whatever it is
    return str(value)


def _destination(text: str) -> str:
    Destinations([text])
    return text


def _host(text: str) -> str:
    HostPatterns([text])
    return text
