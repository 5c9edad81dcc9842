"""Endpoint strings: whether they can be listened on, and which addresses they stand for."""

from __future__ import annotations

import errno
import re
from typing import Any, Final

from twisted.internet import endpoints
from twisted.internet.error import CannotListenError
from twisted.python.failure import Failure

from txproxy.components.values import shown
from txproxy.errors import ConfigError
from txproxy.frozen_values import frozen
from txproxy.matching.hosts import is_literal
from txproxy.matching.ports import read_port

_ACCEPTED: Final = (
    "accepted are 8080, :8080, 127.0.0.1:8080, [::1]:8080, [::]:8080 for both families, unix:/run/x.sock, "
    "and Twisted's own such as tcp:8080:interface=127.0.0.1"
)
# PORT, :PORT, ADDRESS:PORT
_SHORT: Final = re.compile(r"(?:(?:\[([^\[\]]+)\]|([0-9.]+))?:)?([0-9]+)")
# The words that kinds of our own knowledge take by name, and how many without one.
_WORDS: Final = {
    "tcp": ("port", "interface", "backlog"),
    "tcp6": ("port", "interface", "backlog"),
    "unix": ("address", "mode", "backlog", "lockfile"),
}
# A colon that is not escaped
_COLON: Final = re.compile(r"(?<!\\):")
_ESCAPED: Final = "\\:"
_UNIX_MODE: Final = "660"
_LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")
_ANY: Final = ("", "0.0.0.0", "::")
# What Twisted says where the lock beside a UNIX socket is that of a program which runs.
_LOCKED: Final = "Cannot acquire lock"


def server_endpoint(reactor: Any, text: str, unix_mode: str = _UNIX_MODE) -> Any:
    """The endpoint that ``text`` describes; ``ConfigError`` if it describes none. A UNIX socket that says nothing else
    has ``unix_mode``.
    """
    try:
        long = _long(text, unix_mode)
        why = _why_not(long)
        if not why:
            # Twisted takes a kind of text of its own for bytes.
            return endpoints.serverFromString(reactor, str(long))
    except Exception as fault:
        # Kinds of endpoints are plugins, and raise what they like. A ValueError is for people.
        why = str(fault) if isinstance(fault, ValueError) and "Unknown endpoint type" not in str(fault) else ""
        if text.startswith("systemd:"):
            why = "the service manager has opened no such socket"
    raise ConfigError(f"{shown(text)} is no endpoint{f': {why}' if why else ''}", _ACCEPTED)


def listen_at(endpoint: Any, text: str, factory: Any) -> Any:
    """The port on which an ``endpoint``, which ``text`` describes, listens for a ``factory``; ``ConfigError`` if that
    cannot be.
    """
    result: list[Any] = []
    endpoint.listen(factory).addBoth(result.append)
    port = result[0] if result else None
    if isinstance(port, Failure) or port is None:
        raise ConfigError(f"{text}: {_why_not_there(port)}")
    return port


def _why_not_there(failure: Failure | None) -> str:
    if failure is None:
        return "this endpoint does not listen at once"
    fault = failure.value
    if isinstance(fault, CannotListenError) and fault.socketError == _LOCKED:
        return "cannot listen there: another program does already; accepted is a path of its own"
    if isinstance(fault, CannotListenError):
        return not_there(fault.socketError, fault.port)
    return not_there(fault)


def not_there(reason: object, port: object = None) -> str:
    """Why nobody can listen on ``port``, as the system says it."""
    rights = isinstance(reason, OSError) and reason.errno == errno.EACCES and isinstance(port, int)
    accepted = "; accepted is a port from 1024, or who has CAP_NET_BIND_SERVICE" if rights else ""
    return f"cannot listen there: {getattr(reason, 'strerror', None) or reason}{accepted}"


def _long(text: str, unix_mode: str = _UNIX_MODE) -> str:
    """``text`` as Twisted has it. A UNIX socket that says nothing else is for its owner and group; Twisted's own are
    for everybody.
    """
    short = _SHORT.fullmatch(text)
    if short is not None:
        six, four, port = short.groups()
        if six is not None:
            return f"tcp6:{port}:interface={six.replace(':', _ESCAPED)}"
        return f"tcp:{port}:interface={four}" if four else f"tcp:{port}"
    kind, words, named = _words(text)
    return text if kind != "unix" or len(words) > 1 or "mode" in named else f"{text}:mode={unix_mode}"


def endpoint_words(text: str) -> tuple[str, list[str], dict[str, str]]:
    """The kind of an endpoint that is sound, its words without a name, and those with one."""
    return _words(_long(text)) if _SHORT.fullmatch(text) else _words(text)


def _words(text: str) -> tuple[str, list[str], dict[str, str]]:
    """The kind of an endpoint, its words without a name, and those with one."""
    kind, *words = (word.replace(_ESCAPED, ":") for word in _COLON.split(text))
    return kind, [word for word in words if "=" not in word], dict(word.split("=", 1) for word in words if "=" in word)


def _why_not(text: str) -> str:
    """Why Twisted could not listen there, as far as can be told; empty if it can."""
    kind, words, named = _words(text)
    names = _WORDS.get(kind)
    if names is None:
        return ""
    given = dict(zip(names, words, strict=False)) | named
    unknown = sorted(set(given).difference(names))
    if unknown or len(words) > len(names) or any(name in named for name in names[: len(words)]):
        return f"{kind}: takes {', '.join(names)}, each once"
    if kind == "unix":
        if not given.get("address"):
            return "there is no path"
        return "" if re.fullmatch("[0-7]{3,4}", given.get("mode", "660")) else "the mode is none such as 660"
    port = given.get("port", "")
    if port != "0" and not read_port(port):
        return "the port is no number from 0 to 65535"
    address = given.get("interface", "")
    if address and not is_literal(address):
        return f"{address!r} is no address of this machine"
    return f"{address} is no address of IPv6" if kind == "tcp6" and address and ":" not in address else ""


def endpoint_text(value: object) -> str:
    """``value`` as text, if it describes an endpoint, as far as can be told before the program runs."""
    text = str(value) if type(value) is int else value
    if not isinstance(text, str):
        raise ConfigError(f"{shown(value)} is no endpoint", _ACCEPTED)
    # What the service manager has opened is not there for who only reads a configuration.
    if not text.startswith("systemd:"):
        server_endpoint(None, text)
    return text


@frozen
class Bound:
    """What an endpoint takes for itself: a TCP ``port`` of an ``interface`` (empty for all), or a ``path``."""

    interface: str = ""
    port: int = 0
    path: str = ""

    @classmethod
    def of(cls, text: str) -> Bound:
        """From an endpoint string that is sound. Of a kind that is not known, the text itself is the path."""
        kind, bare, named = _words(_long(text))
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
