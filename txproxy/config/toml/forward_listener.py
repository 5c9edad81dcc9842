"""What a forward listener has of its own in a configuration file."""

from __future__ import annotations

from typing import Any, Final

from txproxy.components.values import duration, flag, one_of, text, texts
from txproxy.config.toml.bounds import no_usage
from txproxy.config.toml.policy_tables import (
    made,
    read_auth,
    read_binds,
    read_content,
    read_filters,
    read_injections,
    read_lists,
    read_privacy,
    read_rewrites,
    read_rules,
)
from txproxy.config.toml.tables import Table
from txproxy.errors import Path
from txproxy.forward.access.client_access import LOOPBACK_CLIENTS
from txproxy.forward.access.destinations import Destinations
from txproxy.forward.mode import ForwardPolicy, forwarded_for_mode
from txproxy.forward.parents.no_proxy import NoProxy
from txproxy.forward.parents.parent import Parent
from txproxy.forward.parents.parent_urls import ParentUrls
from txproxy.forward.request.targets import bind_address
from txproxy.forward.request.url_rewrites import SAFE_SEARCH
from txproxy.matching.hosts import host_pattern
from txproxy.matching.networks import peer_network
from txproxy.matching.ports import port_range

_DEFAULTS: Final = ForwardPolicy()


def forward_policy(table: Table, via: str | None) -> ForwardPolicy:
    """The policy of the listener whose ``table`` it is. The listener closes the table."""
    allow_clients = table.some("allow_clients", texts(peer_network))
    auth, by_rules = read_auth(table.table("auth"))
    lists = read_lists(table)
    values: dict[str, Any] = {
        "allow_clients": LOOPBACK_CLIENTS if allow_clients is None else allow_clients,
        "allow_ports": table.some("allow_ports", _ports),
        "allow_destinations": table.all("allow_destinations", texts(_destination)) or (),
        "allow_hosts": table.all("allow_hosts", texts(host_pattern)),
        "deny_hosts": table.all("deny_hosts", texts(host_pattern)) or (),
        "filters": read_filters(table).files,
        "lists": lists.files,
        "auth": auth,
        "auth_by_rules": by_rules,
        # Where there are faults already, users may be meant to be known.
        "rules": read_rules(table, lists, authenticates="auth" in table, usage=no_usage),
        "ask_timeout": table.read("ask_timeout", duration, _DEFAULTS.ask_timeout),
        "rewrites": read_rewrites(table),
        "safe_search": table.all("safe_search", one_of(tuple(SAFE_SEARCH))) or (),
        "content": read_content(table.table("content")),
        "agree_names": table.read("agree_names", flag, False),
        "privacy": read_privacy(table),
        "inject": read_injections(table),
        "via": via,
        "forwarded_for": table.read("forwarded_for", texts(forwarded_for_mode), _DEFAULTS.forwarded_for),
        "parents": _parents(table),
        "no_proxy": table.all("no_proxy", texts(_no_proxy)) or (),
        "bind": table.read("bind", texts(bind_address), ""),
        "binds": read_binds(table),
        "pac": table.read("pac", flag, _DEFAULTS.pac),
    }
    if table.findings.faults:
        # What is left of it might contradict itself.
        return ForwardPolicy()
    called: dict[str, Path] = {"auth_by_rules": ("auth", "by_rules")}
    return made(table, ForwardPolicy, called=called, **values) or ForwardPolicy()


def _parents(table: Table) -> ParentUrls | None:
    parents = table.all("parents", texts(_parent)) or ()
    interval = table.read("parent_check_interval", duration, None)
    if not parents:
        if interval is not None:
            table.fault(
                "there are no parents to check", "parent_check_interval", accepted="accepted is parents with it"
            )
        return None
    called: dict[str, Path] = {"check_interval": ("parent_check_interval",)}
    return made(table, ParentUrls, parents, called=called, check_interval=interval)


def read_audit(table: Table) -> str | None:
    """Where the audit log goes, if there is one."""

    def audit(value: object) -> str:
        where = text(value)
        return where if where == "-" else table.written_name(where)

    return table.read("audit", audit, None)


def _parent(text: str) -> str:
    Parent(text)
    return text


def _ports(value: object) -> str:
    port_range(value)
    return str(value)


def _destination(text: str) -> str:
    Destinations([text])
    return text


def _no_proxy(text: str) -> str:
    NoProxy([text])
    return text
