"""``python -m benchmarks.policy``: what the whole policy of a forward proxy adds to a small request, in CPU time.

Both ends are in memory, so that there is no system's share in it, which is more than half of what a request takes.
"""

from __future__ import annotations

import argparse
import base64
import gc
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock

from benchmarks.filtering import TWENTY, names
from benchmarks.machine import processor
from txproxy import ForwardPolicy, ForwardProxyFactory
from txproxy.auth.auth_policy import AuthPolicy
from txproxy.net.transports.turn_writes import TurnWrites

ROUNDS = 15
REQUESTS = 64
REPEATED = 150
_LOGIN = b"Proxy-Authorization: Basic " + base64.b64encode(b"bob:secret")
_REQUEST = b"GET http://www.example.com/%b HTTP/1.1\r\nHost: www.example.com\r\nAccept: */*\r\n" + _LOGIN + b"\r\n\r\n"
_RESPONSE = (
    b"HTTP/1.1 200 OK\r\nServer: nginx\r\nDate: Wed, 25 Nov 2026 17:00:00 GMT\r\nContent-Type: text/plain\r\n"
    b"Content-Length: 13\r\nConnection: keep-alive\r\n\r\nHello, world!"
)


class _Transport:
    """Takes what is written."""

    disconnecting = False

    def write(self, data: bytes) -> None:
        """Away with it."""

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *_: None


class _Network:
    """Makes one connection."""

    def __init__(self) -> None:
        self.protocol: Any = None

    def dial(self, address: object, build: Callable[[], Any]) -> Deferred[Any]:
        """Connect."""
        self.protocol = build()
        self.protocol.makeConnection(_Transport())
        return succeed(self.protocol)


def exchanges(policy: ForwardPolicy, requests: Sequence[bytes]) -> Callable[[], float]:
    """A function that sends ``requests`` through a proxy again and again, and gives the CPU time of one in seconds."""
    reactor: Any = Clock()
    reactor.turn_writes = TurnWrites()
    factory = ForwardProxyFactory(policy, reactor=reactor)
    network: Any = _Network()
    factory.services.dialer = network
    client = factory.buildProtocol(IPv4Address("TCP", "127.0.0.1", 50000))
    assert client is not None
    client.makeConnection(_Transport())
    for request in requests:
        client.dataReceived(request)
        network.protocol.dataReceived(_RESPONSE)
    ask, answer = client.dataReceived, network.protocol.dataReceived

    def once() -> float:
        began = time.process_time()
        for _ in range(REPEATED):
            for request in requests:
                ask(request)
                answer(_RESPONSE)
        return (time.process_time() - began) / (REPEATED * len(requests))

    return once


def main() -> None:
    """Each policy beside none, in turns, so that both have the same machine."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.policy", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--entries", type=int, default=1_000_000, metavar="N", help="hosts on the list (1000000)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "list.txt")
        path.write_text("".join(f"{host}\n" for host in names(options.entries, 0)))
        auth = AuthPolicy(passwords=lambda name, password: name)
        policies = {
            "none": ForwardPolicy(),
            "remembered users": ForwardPolicy(auth=auth),
            f"a list of {options.entries:,} hosts": ForwardPolicy(filters=[str(path)]),
            "20 rules": ForwardPolicy(rules=TWENTY, lists={"list": str(path)}),
            "all of these": ForwardPolicy(
                auth=auth, filters=[str(path)], rules=TWENTY, lists={"list": str(path)}
            ),
        }  # fmt: skip
        print(f"{processor()}, Python {sys.version.split()[0]}; CPU time of a request, best of {ROUNDS} rounds")
        for what, requests in (
            ("the same request again and again", [_REQUEST % b"small"] * REQUESTS),
            ("other paths each time", [_REQUEST % str(number).encode() for number in range(REQUESTS)]),
        ):
            ways = {name: exchanges(policy, requests) for name, policy in policies.items()}
            gc.collect()
            best = dict.fromkeys(ways, float("inf"))
            for _ in range(ROUNDS):
                for name, once in ways.items():
                    best[name] = min(best[name], once())
            print(what)
            for name, seconds in best.items():
                print(f"  {name:<32} {seconds * 1e6:6.2f} us  {seconds / best['none'] - 1:+7.1%}", flush=True)


if __name__ == "__main__":
    main()
