"""Asking name servers by twisted.names, and what their answers amount to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from twisted.internet import error
from twisted.internet.abstract import isIPAddress, isIPv6Address
from twisted.internet.defer import Deferred, TimeoutError, fail, maybeDeferred, succeed
from twisted.internet.interfaces import IReactorTime, IResolver
from twisted.names import client, dns, hosts, resolve
from twisted.names.common import ResolverBase
from twisted.names.error import (
    AuthoritativeDomainError,
    DNSNameError,
    DNSQueryRefusedError,
    DNSServerError,
    DomainError,
)
from twisted.python.filepath import FilePath

from txproxy.errors import TxproxyError

# For how many seconds an answer is made use of, whatever it says itself, and the answer that there is nothing.
LONGEST: Final = 300
_HOSTS_TTL: Final = 30
# How long a server has for its answer at the first, second and third time of asking; and any resolver for all it does.
_PATIENCE: Final = (1, 2, 4)
_AT_MOST: Final = 10.0

# What look-ups end with, apart from answers. A plain DomainError, of none of its kinds, is "I know no such record".
_NO_SUCH_NAME: Final = (DNSNameError, AuthoritativeDomainError)
_FAILURES: Final = (
    DomainError,
    TimeoutError,
    NotImplementedError,
    OSError,
    error.BindError,
    error.ConnectError,
    error.ConnectionClosed,
)


class LookUpFailed(TxproxyError):
    """A name server gave no answer that counts. It may in a while."""


async def look_up(clock: IReactorTime, ask: Callable[..., Any], name: str, what: str) -> tuple[list[dns.RRHeader], int]:
    """The records of an answer, and for how many seconds all of them are good. No record is an answer as well."""
    try:
        asking: Deferred[Any] = maybeDeferred(ask, name.encode("ascii"), _PATIENCE)
        answers, _, _ = await asking.addTimeout(_AT_MOST, clock)
    except _NO_SUCH_NAME:
        return [], LONGEST
    except _FAILURES as fault:
        if type(fault) is DomainError:
            return [], LONGEST
        raise LookUpFailed(f"{what} of {name}: {_reason(fault)}") from fault
    return list(answers), min((int(record.ttl) for record in answers), default=LONGEST)


def _reason(fault: Exception) -> str:
    if isinstance(fault, TimeoutError):
        return "no answer"
    if isinstance(fault, DNSServerError):
        return "the name server failed"
    if isinstance(fault, DNSQueryRefusedError):
        return "the name server refused to answer"
    if isinstance(fault, DomainError):
        return "the name server did not understand"
    return str(fault) or type(fault).__name__


class _HostsFile(ResolverBase):
    """The system's file of hosts. As for the C library, a name that is in it has no other addresses."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self._path = FilePath(path)

    def lookupAddress(self, name: bytes, timeout: object = None) -> Deferred[Any]:
        """For Twisted."""
        return self._look_up(name, isIPAddress, dns.Record_A)

    def lookupIPV6Address(self, name: bytes, timeout: object = None) -> Deferred[Any]:
        """For Twisted."""
        return self._look_up(name, isIPv6Address, dns.Record_AAAA)

    def _look_up(self, name: bytes, fits: Callable[[str], bool], record: Callable[[str, int], Any]) -> Deferred[Any]:
        known = hosts.searchFileForAll(self._path, name)
        if not known:
            return fail(DomainError(name))
        records = [record(address, _HOSTS_TTL) for address in known if fits(address)]
        return succeed(([dns.RRHeader(name, each.TYPE, dns.IN, _HOSTS_TTL, each) for each in records], [], []))


def system_resolver(
    reactor: Any, resolv_conf: str = "/etc/resolv.conf", hosts_file: str = "/etc/hosts", port: int = dns.PORT
) -> IResolver:
    """Resolves as the system does: by its file of hosts, then by its name servers.

    As ``twisted.names.client.createResolver``, but on ``reactor``, and without the timer by which that one reads its
    configuration again for as long as the process lives.
    """
    try:
        with open(resolv_conf, encoding="ascii", errors="replace") as file:
            lines = [line.split() for line in file]
    except OSError:
        lines = []
    # resolv.conf(5): without one, the name server is on this machine.
    servers = [words[1] for words in lines if len(words) > 1 and words[0] == "nameserver"] or ["127.0.0.1"]
    asking = client.Resolver(servers=[(server, port) for server in servers], reactor=reactor)
    return resolve.ResolverChain([_HostsFile(hosts_file), asking])
