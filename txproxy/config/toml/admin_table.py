"""``[admin]`` of a configuration file."""

from __future__ import annotations

from collections.abc import Sequence

from txproxy.config.admin_endpoint import AdminConfig, check_place, read_token
from txproxy.config.endpoints import endpoint_text
from txproxy.config.findings import Findings
from txproxy.config.model import AnyListener
from txproxy.config.toml.tables import Table
from txproxy.errors import ConfigError


def read_admin(table: Table) -> AdminConfig | None:
    """Where the admin API is, if a file says so. The file closes the ``table``."""
    inner = table.table("admin")
    if inner is None:
        return None
    listen = inner.need("listen", endpoint_text, None, "an endpoint, such as 'unix:/run/txproxy/admin.sock'")
    file = inner.read("token_file", lambda value: _token_file(inner, value), None)
    inner.close()
    # What is wrong with the file is told; that there is none would be another matter.
    if listen is None or (file is None and "token_file" in inner):
        return None
    try:
        return AdminConfig(listen=listen, token_file=file)
    except ConfigError as fault:
        inner.faults_of(fault)
        return None


def _token_file(table: Table, value: object) -> str:
    file = table.file_name(value)
    read_token(file)
    return file


def see_admin(admin: AdminConfig | None, listeners: Sequence[AnyListener], findings: Findings) -> None:
    """A fault where a listener has the endpoint already."""
    if admin is None:
        return
    try:
        check_place(admin, (text for listener in listeners for text in listener.endpoints))
    except ConfigError as fault:
        for one in fault.findings:
            findings.fault(("admin", *one.path), one.said, one.accepted)
