"""The hosts that certificates are for, whose patterns are others than those of :mod:`txproxy.matching.hosts`.

They are not ours to define: clients compare what they have asked for with what is in a certificate, and are to get the
one that they will take. ``*.example.com`` is for one label in place of the asterisk (RFC 9525 section 6.3), an address
is compared as its bytes are (section 6.4), so that ``::ffff:192.0.2.1`` is another than ``192.0.2.1``, and a name is in
its ASCII form already.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv6Address
from typing import Generic, TypeVar

T = TypeVar("T")


class CertificateHosts(Generic[T]):
    """Finds what belongs to a host name: by the whole name, else by a wildcard.

    ``entries`` are names and what belongs to them, the first of two with the same name. ``*.example.com`` stands for
    one label in place of the asterisk, which is a label of its own (RFC 9525 section 6.3); a pattern with an asterisk
    anywhere else never matches. Addresses are names that no wildcard stands for.
    """

    __slots__ = ("_exact", "_wild")

    def __init__(self, entries: Iterable[tuple[str, T]] = ()) -> None:
        self._exact: dict[str, T] = {}
        self._wild: dict[str, T] = {}
        for name, value in entries:
            name = plain_name(name)
            if not name.startswith("*."):
                self._exact.setdefault(name, value)
            elif not name.rpartition(".")[2].isdigit():
                # A name that ends in a number is an IPv4 address (WHATWG URL 3.5).
                self._wild.setdefault(name[2:], value)

    def find(self, host: str) -> T | None:
        """What belongs to ``host`` (a name in any case, or an address without brackets); None if nothing does."""
        found = self._exact.get(host)
        if found is None:
            host = plain_name(host)
            found = self._exact.get(host)
            if found is None and self._wild:
                label, _, parent = host.partition(".")
                if label:
                    found = self._wild.get(parent)
        return found


def plain_name(host: str) -> str:
    """``host`` in the form in which names are compared: lower case, no dot at its end, IPv6 at its shortest."""
    host = host.lower()
    if ":" in host:
        try:
            return str(IPv6Address(host))
        except ValueError:
            return host
    return host[:-1] if host.endswith(".") else host
