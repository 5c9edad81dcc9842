"""Who may use a forward proxy, and to which ports, where nobody says."""

from __future__ import annotations

from typing import Final

LOOPBACK_CLIENTS: Final = ("127.0.0.0/8", "::1")
REQUEST_PORTS: Final = ("80", "443", "1024-65535")
CONNECT_PORTS: Final = ("443",)
