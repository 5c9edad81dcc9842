"""Asks the admin endpoint of a running proxy."""

from __future__ import annotations

import json
import socket
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException, HTTPResponse
from typing import Any, Final

from txproxy.config.admin_endpoint import AdminConfig, read_token
from txproxy.config.endpoints import endpoint_text
from txproxy.config.toml.file import load_admin
from txproxy.errors import ConfigError

DEFAULT: Final = "unix:/run/txproxy/admin.sock"
# For an answer, in seconds. To fetch many pages takes as long as it takes.
_PATIENCE: Final = 60.0
_CONNECT: Final = 10.0
_NOBODY: Final = "what answers there is no admin endpoint"


class AdminFault(Exception):
    """The proxy could not be asked, or has refused."""


class AdminClient:
    """Asks at ``place``, a path or an address and a port, and shows the ``token`` if there is one."""

    def __init__(self, listen: str, place: str | tuple[str, int], token: bytes | None = None) -> None:
        self.listen = listen
        self.place = place
        self.token = token

    def ask(self, method: str, path: str, body: object = None, patience: float | None = _PATIENCE) -> Any:
        """What is answered; ``AdminFault`` if that is no success, or nobody answers within so many seconds."""
        status, data = self._answer(method, path, body, patience)
        if status >= 400:
            raise self._refusal(status, data)
        try:
            return json.loads(data)
        except ValueError:
            raise AdminFault(f"{self.listen}: {_NOBODY}") from None

    def text(self, path: str) -> str:
        """What is answered that is no JSON; ``AdminFault`` as well."""
        status, data = self._answer("GET", path, None, _PATIENCE)
        if status >= 400:
            raise AdminFault(f"{self.listen}: {status}")
        return data.decode("utf-8", "replace")

    def events(self, path: str) -> Iterator[tuple[str, Any]]:
        """What a stream of server-sent events tells, each with what kind it is, for as long as that lasts.
        ``AdminFault`` where it cannot be read, or ends.
        """
        with self._asked("GET", path, None, _PATIENCE) as response:
            if response.status >= 400:
                raise self._refusal(response.status, response.read())
            kind = ""
            try:
                for line in response:
                    name, _, value = line.decode("utf-8").rstrip("\n").partition(": ")
                    if name == "event":
                        kind = value
                    elif name == "data":
                        yield kind, json.loads(value)
            except ValueError:
                raise AdminFault(f"{self.listen}: {_NOBODY}") from None
        raise AdminFault(f"{self.listen}: it has ended")

    def _refusal(self, status: int, data: bytes) -> AdminFault:
        try:
            answer = json.loads(data)
        except ValueError:
            return AdminFault(f"{self.listen}: {_NOBODY}")
        said = answer.get("error") if isinstance(answer, dict) else None
        found = answer.get("findings") if isinstance(answer, dict) else None
        return AdminFault("\n".join([f"{self.listen}: {said or status}", *(found or ())]))

    def _answer(self, method: str, path: str, body: object, patience: float | None) -> tuple[int, bytes]:
        with self._asked(method, path, body, patience) as response:
            return response.status, response.read()

    @contextmanager
    def _asked(self, method: str, path: str, body: object, patience: float | None) -> Iterator[HTTPResponse]:
        """What is answered, as long as somebody reads it."""
        fields = {} if self.token is None else {"Authorization": f"Bearer {self.token.decode('ascii')}"}
        data = None
        if body is not None:
            data, fields["Content-Type"] = json.dumps(body).encode("ascii"), "application/json"
        connection = _Connection(self.place)
        try:
            connection.connect()
            connection.sock.settimeout(patience)
            connection.request(method, path, data, fields)
            yield connection.getresponse()
        except TimeoutError:
            raise AdminFault(f"{self.listen}: no answer in time") from None
        except OSError as fault:
            raise AdminFault(f"{self.listen}: {fault.strerror or fault}; is a proxy running with --admin?") from None
        except (HTTPException, ValueError):
            raise AdminFault(f"{self.listen}: {_NOBODY}") from None
        finally:
            connection.close()


class _Connection(HTTPConnection):
    """One to a path, or to an address and a port."""

    def __init__(self, place: str | tuple[str, int]) -> None:
        host, port = ("localhost", 80) if isinstance(place, str) else place
        super().__init__(host, port, timeout=_CONNECT)
        self._path = place if isinstance(place, str) else None

    def connect(self) -> None:
        """See ``http.client.HTTPConnection``."""
        if self._path is None:
            super().connect()
            return
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(_CONNECT)
        self.sock.connect(self._path)


def add_arguments(parser: ArgumentParser) -> None:
    """What says whom to ask."""
    parser.add_argument("--admin", metavar="ENDPOINT", help=f"where it is [default: that of --config, or {DEFAULT}]")
    parser.add_argument("--config", metavar="FILE", help="the TOML file that says where it is [default: none]")
    parser.add_argument("--token-file", metavar="FILE", help="its token [default: that of --config, or none]")
    parser.add_argument("--json", action="store_true", help="print the answer as it comes")


def client_of(given: Namespace) -> AdminClient:
    """Who asks where the arguments say; ``ConfigError`` if they do not."""
    found = load_admin(given.config) if given.config is not None else None
    if found is None and given.config is not None and given.admin is None:
        raise ConfigError(f"{given.config}: it has no admin endpoint", "accepted is a file with [admin], or --admin")
    try:
        listen = (
            endpoint_text(given.admin) if given.admin is not None else found.listen if found is not None else DEFAULT
        )
    except ConfigError as fault:
        raise ConfigError(one._replace(place="--admin") for one in fault.findings) from None
    token_file = given.token_file or (found.token_file if found is not None else None)
    # Where others could ask as well, it is the proxy that insists on a token.
    place = AdminConfig(listen=listen, token_file=token_file or "").place
    if place is None:
        raise ConfigError(f"--admin {listen}: that is nowhere to connect to", "accepted are unix:PATH and ADDRESS:PORT")
    return AdminClient(listen, place, read_token(token_file) if token_file is not None else None)
