"""Asks an authenticator about requests."""

from __future__ import annotations

import base64
import os
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred

from txproxy.auth.authenticator import Authenticator
from txproxy.interfaces import Refusal
from txproxy.testing import context_of
from txproxy.wire.headers import Headers
from txproxy.wire.message import RequestHead

APR1 = "$apr1$r31.....$HqJZimcKQFAMYayBlzkrA/"  # myPassword
HA1 = "d41eb1ff1a4f3d0bd5d2e5b4c5f4a0a3"
RIGHT, WRONG = "bob:myPassword", "bob:guess"
IP = "192.0.2.1"


class Asked:
    """A function that knows everybody by ``right``, and counts how often it was asked."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self, name: str, password: bytes) -> Any:
        self.times += 1
        return name if password == b"right" else None


def basic(login: str) -> bytes:
    return b"Basic " + base64.b64encode(login.encode())


def head(value: bytes | None = None) -> RequestHead:
    fields = [(b"Host", b"a")] + ([(b"Proxy-Authorization", value)] if value is not None else [])
    return RequestHead(b"GET", b"/", Headers(fields), authority=b"a", scheme=b"http")


def ask(made: Authenticator, value: bytes | None = None, ip: str = IP) -> Any:
    """What comes at once, or the list in which it will be."""
    checked = made.check(head(value), context_of(ip))
    if not isinstance(checked, Deferred):
        return checked
    results: list[Any] = []
    checked.addBoth(results.append)
    return results[0] if results else results


def challenges(refusal: Any) -> list[str]:
    assert isinstance(refusal, Refusal)
    assert refusal.status == 407
    assert refusal.error == "http_request_denied"
    start = b"Proxy-Authenticate: "
    assert all(line.startswith(start) for line in refusal.lines)
    return [line[len(start) :].decode() for line in refusal.lines]


def change(path: Path, text: str) -> None:
    before = os.stat(path).st_mtime
    path.write_text(text)
    os.utime(path, (before + 10, before + 10))
