"""Where the admin API is served, and the token that it asks for."""

from __future__ import annotations

import hmac
import ipaddress
import re
from collections.abc import Iterable
from contextlib import suppress
from typing import Final

from txproxy.config.endpoints import Bound, endpoint_words
from txproxy.errors import ConfigError
from txproxy.file_stamps import Stamp
from txproxy.frozen_values import frozen

# RFC 6750 section 2.1. Who may guess at it all day has no chance with so many characters.
_TOKEN: Final = re.compile(rb"[A-Za-z0-9\-._~+/]{16,512}=*")
_MOST: Final = 4096
_TOKEN_ACCEPTED: Final = (
    "accepted is one line of 16 to 512 letters, digits and -._~+/, such as `openssl rand -hex 32` prints"
)
# Who may use a socket whose endpoint says nothing else: nobody but its owner.
UNIX_MODE: Final = "600"


@frozen(kw_only=True)
class AdminConfig:
    """The admin API on the endpoint ``listen``, with the token in ``token_file``; without one nobody is asked for it.
    Only what no other machine reaches can be without one: else it is a ``ConfigError`` at ``token_file``.
    """

    listen: str
    token_file: str | None = None

    def __attrs_post_init__(self) -> None:
        if self.token_file is None and not self.is_local:
            raise ConfigError(
                f"{self.listen}: what other machines may reach needs a token",
                "accepted are a UNIX socket, an address on loopback, and a token file with it",
                ("listen",),
            )

    @property
    def bound(self) -> Bound:
        """What it takes for itself."""
        return Bound.of(self.listen)

    @property
    def is_unix(self) -> bool:
        """Whether it is a UNIX socket, which no browser reaches."""
        kind, words, named = endpoint_words(self.listen)
        return kind == "unix" or (kind == "systemd" and named.get("domain", *words[:1] or [""]) == "UNIX")

    @property
    def place(self) -> str | tuple[str, int] | None:
        """Where to connect to from this machine: a path, or an address and a port; None if it does not say so."""
        kind, _, _ = endpoint_words(self.listen)
        bound = self.bound
        if kind == "unix":
            return bound.path
        if kind not in ("tcp", "tcp6") or not bound.port:
            return None
        return bound.interface or ("::1" if kind == "tcp6" else "127.0.0.1"), bound.port

    @property
    def trusting(self) -> tuple[str, int] | None:
        """The address and the port where whoever is on this machine may ask; None where a token is asked for, or there
        is no such port.
        """
        place = self.place
        return None if self.token_file is not None or isinstance(place, str) else place

    @property
    def is_loopback(self) -> bool:
        """Whether it is a port that only this machine reaches."""
        address = self.bound.interface
        return bool(address) and ipaddress.ip_address(address).is_loopback

    @property
    def is_local(self) -> bool:
        """Whether no other machine reaches it."""
        return self.is_unix or self.is_loopback

    @property
    def unix_mode(self) -> int:
        """Who may use it, if it is a path."""
        _, words, named = endpoint_words(self.listen)
        return int(named.get("mode", words[1] if len(words) > 1 else UNIX_MODE), 8)


class WatchedToken:
    """The token in a ``file``, which is read again when it has changed; what cannot be read then changes nothing."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._stamp: Stamp | None = None
        self._token: bytes | None = None
        self._look()

    def _look(self) -> None:
        self._stamp = Stamp.now(self._file)
        # Whoever serves the admin API says what is wrong with it.
        with suppress(ConfigError):
            self._token = read_token(self._file)

    def is_it(self, given: bytes) -> bool:
        """Whether that is the token. It takes as long whatever is given."""
        if Stamp.now(self._file) != self._stamp:
            self._look()
        return self._token is not None and hmac.compare_digest(given, self._token)


def check_place(admin: AdminConfig, taken: Iterable[str]) -> None:
    """A ``ConfigError`` at ``listen`` if one of the endpoints that are ``taken`` is there already."""
    if any(admin.bound.collides(Bound.of(text)) for text in taken):
        raise ConfigError(f"{admin.listen}: a listener is there", "accepted is an endpoint of its own", ("listen",))


def read_token(file: str) -> bytes:
    """The token in a file; ``ConfigError`` if there is none."""
    try:
        with open(file, "rb") as opened:
            data = opened.read(_MOST)
    except (OSError, ValueError) as fault:
        why = getattr(fault, "strerror", None) or str(fault)
        raise ConfigError(f"{file}: {why}", "accepted is a file that can be read") from None
    token = data.strip()
    if not _TOKEN.fullmatch(token):
        # What is in it may be a secret, though none of this kind.
        raise ConfigError(f"{file}: there is no token in it", _TOKEN_ACCEPTED)
    return token
