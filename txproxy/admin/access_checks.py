"""Who may ask the admin API: by the token, and by what a browser says of the page that asks."""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

import attrs

from txproxy.admin.api_call import ApiFault
from txproxy.config.admin_endpoint import AdminConfig, read_token
from txproxy.errors import ConfigError
from txproxy.file_stamps import Stamp

_BEARER: Final = "bearer"


@attrs.frozen
class Access:
    """Who may ask: what a ``config`` says, with the ``token`` that was in its file, and the ``stamp`` of that."""

    config: AdminConfig
    token: bytes | None = attrs.field(default=None, repr=False)
    stamp: Stamp | None = None

    @classmethod
    def of(cls, config: AdminConfig) -> Access:
        """With the token that is there now; ``ConfigError`` if that cannot be read."""
        if config.token_file is None:
            return cls(config)
        stamp = Stamp.now(config.token_file)
        try:
            return cls(config, read_token(config.token_file), stamp)
        except ConfigError as fault:
            raise fault.at("token_file") from None

    @property
    def changed(self) -> bool:
        """Whether the token's file is another by now."""
        return self.config.token_file is not None and Stamp.now(self.config.token_file) != self.stamp

    def check_origin(self, hosts: Sequence[str], origins: Sequence[str], minor: int) -> None:
        """Refuse what a page of another site has made a browser send: an ``ApiFault`` if it is that.

        A page whose name leads to this machine, by an answer of DNS that changes, is known by its name in Host; one
        that asks across sites by its Origin. ``hosts`` and ``origins`` are what the request has in these fields, and
        HTTP/1.``minor`` its version. No browser reaches a UNIX socket.
        """
        if self.config.is_unix:
            return
        if len(hosts) > 1 or (not hosts and minor):
            # RFC 9112 section 3.2.
            raise ApiFault(400, "there is not one Host; accepted is one")
        if hosts and self.config.is_loopback and not _is_loopback(hosts[0]):
            raise ApiFault(403, "this Host is not served here; accepted are localhost and addresses of loopback")
        for origin in origins:
            if not hosts or origin.partition("://")[2].lower() != hosts[0].lower():
                raise ApiFault(403, "a page of another site has sent this; accepted is an Origin that is the Host")

    def has_token(self, credentials: Sequence[str]) -> bool:
        """Whether the fields Authorization of a request have the token (RFC 6750 section 2.1), if there is one."""
        if self.token is None:
            return True
        if len(credentials) != 1:
            return False
        scheme, _, given = credentials[0].partition(" ")
        # It takes as long whatever is given.
        same = hmac.compare_digest(given.strip().encode("utf-8", "surrogateescape"), self.token)
        return same and scheme.lower() == _BEARER


def _is_loopback(host: str) -> bool:
    try:
        name = urlsplit(f"//{host}").hostname or ""
        return name == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
