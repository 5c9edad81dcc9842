"""Host names and the patterns that certificates and SNI routes have for them."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv6Address
from typing import Generic, TypeVar

T = TypeVar("T")


class NameTable(Generic[T]):
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
