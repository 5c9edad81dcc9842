"""Endpoint strings: whether they can be listened on, and which addresses they stand for."""

from __future__ import annotations

import re
from typing import Any, Final

import attrs
from twisted.internet import endpoints

from txproxy.errors import ConfigError

_ACCEPTED: Final = "accepted is a Twisted endpoint such as tcp:8080:interface=127.0.0.1 or unix:/run/x.sock"
# A colon that is not escaped
_COLON: Final = re.compile(r"(?<!\\):")
_UNIX_MODE: Final = "660"
_LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")
_ANY: Final = ("", "0.0.0.0", "::")


def server_endpoint(reactor: Any, text: str) -> Any:
    """The endpoint that ``text`` describes; ``ConfigError`` if it describes none."""
    try:
        return endpoints.serverFromString(reactor, _with_mode(text))
    except Exception as fault:
        # Kinds of endpoints are plugins, and raise what they like.
        raise ConfigError(f"{text}: {fault}; {_ACCEPTED}") from None


def _with_mode(text: str) -> str:
    """A UNIX socket that says nothing else is for its owner and group. Twisted's own are for everybody."""
    kind, *words = _COLON.split(text)
    bare = [word for word in words if "=" not in word]
    if kind != "unix" or not words or len(bare) > 1 or any(word.startswith("mode=") for word in words):
        return text
    return f"{text}:mode={_UNIX_MODE}"


def endpoint_text(text: str) -> str:
    """``text`` if it describes an endpoint, as far as can be told before the program runs."""
    # What the service manager has opened is not there for who only reads a configuration.
    if not text.startswith("systemd:"):
        server_endpoint(None, text)
    return text


@attrs.frozen
class Bound:
    """What an endpoint takes for itself: a TCP ``port`` of an ``interface`` (empty for all), or a ``path``."""

    interface: str = ""
    port: int = 0
    path: str = ""

    @classmethod
    def of(cls, text: str) -> Bound:
        """From an endpoint string that is sound. Of a kind that is not known, the text itself is the path."""
        kind, *words = (word.replace("\\:", ":") for word in _COLON.split(text))
        named = dict(word.split("=", 1) for word in words if "=" in word)
        bare = [word for word in words if "=" not in word]
        if kind in ("tcp", "tcp6"):
            port = named.get("port", bare[0] if bare else "")
            interface = named.get("interface", bare[1] if len(bare) > 1 else "")
            if port.isdigit():
                return cls("" if interface in _ANY else interface, int(port))
        elif kind == "unix":
            return cls(path=named.get("address", bare[0] if bare else ""))
        return cls(path=text)

    def collides(self, other: Bound) -> bool:
        """Whether the system lets only one of the two be opened. Port 0 is a free one each time."""
        if self.path or other.path:
            return self.path == other.path
        if self.port != other.port or not self.port:
            return False
        return self.interface == other.interface or not self.interface or not other.interface

    def hears(self, host: str, port: int) -> bool:
        """Whether who connects to ``host`` and ``port`` comes here, as far as can be told."""
        if self.path or self.port != port or not port:
            return False
        if not self.interface:
            return host in _LOOPBACK or host in _ANY
        return host == self.interface or (host in _LOOPBACK and self.interface in _LOOPBACK)
