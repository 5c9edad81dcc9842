"""What there is on this machine for a first configuration: ports that are free, certificates, files of users."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable, Iterator
from typing import Final

import attrs

from txproxy.auth.htpasswd import UserFile, read_passwords
from txproxy.errors import ConfigError
from txproxy.tls.certificates import load_pair, read_certificates

_LOOPBACK: Final = "127.0.0.1"
# So many ports from the usual one on are asked for.
_NEIGHBOURS: Final = 100
_USERS: Final = ("htpasswd", ".htpasswd", "users.htpasswd", "users")


@attrs.frozen
class FoundCertificate:
    """A PEM chain in the file ``cert`` with its ``key`` (None: in the same), and the ``names`` that it is for."""

    cert: str
    key: str | None
    names: tuple[str, ...]


def free_port(usual: int, taken: Iterable[int] = ()) -> int:
    """The first port of 127.0.0.1 from the ``usual`` one on that nobody listens on, and that is not ``taken``;
    ``ConfigError`` if there is none among a hundred.
    """
    for port in range(usual, usual + _NEIGHBOURS):
        if port not in taken and _is_free(port):
            return port
    said = f"no port from {usual} to {usual + _NEIGHBOURS - 1} is free"
    raise ConfigError(said, "accepted is --listen with one that is")


def _is_free(port: int) -> bool:
    with socket.socket() as asked:
        # As who will listen there: what a connection has left behind for a minute is in nobody's way.
        asked.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            asked.bind((_LOOPBACK, port))
        except OSError:
            return False
    return True


def certificates_in_folder(folder: str) -> list[FoundCertificate]:
    """Those of ``*.pem`` and ``*.crt`` whose keys are there as well, in the same file or in another one."""
    names = _files(folder)
    chains = [name for name in names if name.endswith((".pem", ".crt"))]
    keys = [name for name in names if name.endswith((".pem", ".key"))]
    return [found for chain in chains for found in _first(folder, chain, keys)]


def _first(folder: str, chain: str, keys: list[str]) -> Iterator[FoundCertificate]:
    path = os.path.join(folder, chain)
    try:
        read_certificates(path, "")
    except ConfigError:
        return
    for key in (None, *keys):
        if key == chain:
            continue
        try:
            yield found_certificate(path, None if key is None else os.path.join(folder, key))
        except ConfigError:
            continue
        return


def found_certificate(cert: str, key: str | None) -> FoundCertificate:
    """The one in these files; ``ConfigError`` if there is none."""
    return FoundCertificate(cert, key, load_pair(cert, key, "--cert", "--key").names)


def users_in_folder(folder: str) -> str | None:
    """The file of users that is there, in the format of htpasswd; None if there is none."""
    names = _files(folder)
    likely = [name for name in _USERS if name in names] + [name for name in names if name.endswith(".htpasswd")]
    return next((path for name in likely if _has_users(path := os.path.join(folder, name))), None)


def _has_users(path: str) -> bool:
    try:
        UserFile(path, read_passwords)
    except ConfigError:
        return False
    return os.path.getsize(path) > 0


def _files(folder: str) -> list[str]:
    try:
        return sorted(name for name in os.listdir(folder) if os.path.isfile(os.path.join(folder, name)))
    except OSError:
        return []
