"""Hosts in one spelling, and the one grammar of host patterns that all modes have.

``example.com`` is that host alone, ``*.example.com`` is every name below it, however deep, without itself, and
``.example.com`` is both, as in nginx and Squid. An address is a pattern of itself. Case does not count, nor does a dot
at the end; names that are not in ASCII are what IDNA makes of them. Anything else is a ``ConfigError``.

What is compared with them is a host in normal form. For who is to look it up that is :func:`normal_host`, in which each
spelling that a resolver takes for the same host is the same: a rule that another spelling goes around is worth nothing.
For who is asked for a host of its own, by Host or in TLS, it is :func:`named_host`: what the servers behind would not
take for the name of a host of theirs is none here either, and gets nothing that only this host has.

What others have defined means something else by the same words, and has a name of its own for it:

- :func:`listed_host` is an entry of a block list, in which each of the three forms has the host and all below it
- :meth:`HostPattern.parse_exception` is a word of NO_PROXY, in which a bare name has those below it too
- :mod:`txproxy.matching.certificate_hosts` are those of certificates, whose asterisk is one label
- :func:`glob_host` is the host of a URL pattern, whose asterisk is any characters
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Iterable
from functools import lru_cache
from typing import Final, Generic, TypeVar
from urllib.parse import unquote

from txproxy.errors import ConfigError
from txproxy.frozen_values import frozen
from txproxy.matching.networks import embedded, read_address

T = TypeVar("T")

_ACCEPTED: Final = "example.com, *.example.com (all below it), .example.com (both) or an address"
# Underscores are common in DNS, and hyphens stand in odd places; one that comes first is an option gone astray.
_NAME: Final = re.compile(r"(?!-)[a-z0-9_-]+(?:\.[a-z0-9_-]+)*")
# RFC 1035 section 2.3.4, without the length of the root and the first label
_LONGEST: Final = 253
_LONGEST_LABEL: Final = 63
_SHOWN: Final = 60


# -- one spelling


@lru_cache(maxsize=4096)
def normal_host(host: str) -> str:
    """``host`` (a name or literal, brackets allowed) in the spelling that all policy is written in.

    ``0x7f.1`` and ``2130706433`` are 127.0.0.1 to every resolver, and ``::ffff:7f00:1`` is to every stack.
    """
    name = host.strip("[]").rstrip(".").lower()
    if "%" in name and ":" not in name:
        # RFC 3986 section 3.2.2: escapes of a name are those of its UTF-8.
        name = unquote(name, errors="surrogateescape").rstrip(".").lower()
    if not name.isascii():
        try:
            name = name.encode("idna").decode("ascii")
        except UnicodeError:
            return name
    if ":" in name:
        return _normal_ipv6(name)
    if name.rpartition(".")[2][:1].isdigit():
        # No top-level domain begins with a digit: this is an IPv4 address in one of the spellings of inet_aton(3).
        try:
            return socket.inet_ntoa(socket.inet_aton(name))
        except (OSError, ValueError):
            return name
    return name


def named_host(host: str) -> str:
    """``host`` (a name or literal, without brackets) as a server is asked for it: without regard to case and a dot at
    the end, and with an IPv6 address in its usual spelling. Nobody looks it up, so nothing is decoded.
    """
    name = host.removesuffix(".").lower()
    return _normal_ipv6(name) if ":" in name else name


def _normal_ipv6(name: str) -> str:
    try:
        address = ipaddress.IPv6Address(name)
    except ValueError:
        return name
    return str(address.ipv4_mapped or address)


def spellings(host: str) -> tuple[str, ...]:
    """A normal ``host``, and the addresses that it carries, if it is such a one (NAT64 and its likes): who refuses one
    of these refuses the ways to it.
    """
    if ":" not in host:
        return (host,)
    try:
        return tuple(map(str, embedded(read_address(host))))
    except ValueError:
        return (host,)


def is_literal(host: str) -> bool:
    """Whether a normal ``host`` is an IP address."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def literal(text: str) -> str:
    """The address that somebody has written down for this machine, IPv6 with brackets or without, and with a zone where
    it needs one; ``ConfigError`` if it is none.
    """
    bare = text[1:-1] if text[:1] == "[" and text[-1:] == "]" and ":" in text else text
    if not is_literal(bare):
        raise ConfigError(f"{_shown(text)} is no address", "accepted is one such as 192.0.2.1 or 2001:db8::1")
    return bare


def host_name(text: str) -> str:
    """The host that somebody has written down, a name or an address (IPv6 with brackets or without), in normal form;
    ``ConfigError`` if it is none, or has more to it.
    """
    try:
        return _host(text)
    except ValueError as fault:
        raise ConfigError(f"{_shown(text)} is no host: {fault}", "accepted are example.com or an address") from None


def listed_host(text: str) -> str | None:
    """The host that an entry of a block list names, for which all below it is listed as well, whether that is said
    (``.ads.example``, ``*.ads.example``) or not; None if it names none.
    """
    try:
        return _host(text.removeprefix("*.").removeprefix("."))
    except ValueError:
        return None


def glob_host(text: str) -> str:
    """A host with wildcards in it, as a glob over normal ones; ``ConfigError`` if no host can have its form."""
    labels = text.lower().removesuffix(".").split(".")
    try:
        spelled = [label if label.isascii() else label.encode("idna").decode("ascii") for label in labels]
    except UnicodeError:
        spelled = [""]
    if not all(spelled) or any("*" in label and not label.isascii() for label in labels):
        raise ConfigError(
            f"{_shown(text)} is no host: wildcards stand beside ASCII alone, and something between two dots; accepted "
            "are *.example.com and ads.*"
        )
    return ".".join(spelled)


def why_no_host(text: str) -> str:
    """Why ``text`` is no host; empty if it is one."""
    try:
        _host(text)
    except ValueError as fault:
        return str(fault)
    return ""


def _host(text: str) -> str:
    """The same as :func:`host_name`; ``ValueError`` says why it is none."""
    if text.count(":") > 1 or text[:1] == "[":
        bare = text[1:-1] if text[:1] == "[" and text[-1:] == "]" else text
        try:
            # A zone is for one machine alone, and ipaddress would take it.
            return _normal_ipv6(str(ipaddress.IPv6Address(bare.replace("%", "/"))))
        except ValueError:
            raise ValueError(_why_not(text) or "this is no IPv6 address") from None
    name = text.removesuffix(".").lower()
    if not name.isascii():
        try:
            name = name.encode("idna").decode("ascii")
        except UnicodeError:
            raise ValueError(_why_not(text) or "IDNA has no such name") from None
    if _NAME.fullmatch(name) is None:
        raise ValueError(_why_not(text) or "a name has letters, digits, - and _, with single dots between")
    labels = name.split(".")
    if len(name) > _LONGEST or max(map(len, labels)) > _LONGEST_LABEL:
        raise ValueError(f"a name has at most {_LONGEST} characters, and {_LONGEST_LABEL} between dots")
    if labels[-1][0].isdigit():
        # WHATWG URL section 3.5: it is an address or nothing. A short one (10.0) would mean 10.0.0.0, which nobody
        # means who writes it.
        try:
            return str(ipaddress.IPv4Address(name))
        except ValueError:
            raise ValueError("what ends in a number is an address, and this is none of four parts") from None
    for label in labels:
        _check_punycode(label)
    return name


def _check_punycode(label: str) -> None:
    if label.startswith("xn--"):
        try:
            whole = label[4:].encode("ascii").decode("punycode")
        except (UnicodeError, IndexError, ValueError, OverflowError):
            whole = ""
        if whole.isascii() or not all(map(str.isprintable, whole)):
            raise ValueError(f"{label} is no Punycode")


def _why_not(text: str) -> str:
    """What somebody may have taken for a host; empty if there is no telling."""
    if not text.strip():
        return "it is empty"
    if "://" in text:
        return "this is a URL"
    if "," in text or ";" in text or any(character.isspace() for character in text):
        return "this is more than one, or has blanks in it"
    if "/" in text:
        return "a host has no slash"
    if "*" in text:
        return "an asterisk stands in front of a dot and a name alone"
    if re.fullmatch(r"[^:]+:[0-9]*|\[[^\]]*\]:[0-9]*", text):
        return "a port has no place here"
    return "there is nothing between two dots" if ".." in text or text[0] == "." else ""


def _shown(text: str) -> str:
    said = repr(text)
    return said if len(said) <= _SHOWN else f"{said[: _SHOWN - 3]}..."


# -- patterns


@frozen
class HostPattern:
    """``name`` is in normal form; ``sign`` is empty, ``*.`` or ``.`` (see the module)."""

    name: str
    sign: str = ""

    @classmethod
    def parse(cls, text: str) -> HostPattern:
        """From a configuration; ``ConfigError`` if it is none."""
        sign = "*." if text.startswith("*.") else "." if text.startswith(".") else ""
        try:
            name = _host(text.removeprefix(sign))
            if sign and is_literal(name):
                raise ValueError("an address has nothing below it")
        except ValueError as fault:
            raise ConfigError(f"{_shown(text)} is no host pattern: {fault}", f"accepted are {_ACCEPTED}") from None
        return cls(name, sign)

    @classmethod
    def parse_exception(cls, text: str) -> HostPattern:
        """From NO_PROXY, where a bare name has all below it too, as curl and most others have it."""
        pattern = cls.parse(text)
        return pattern if pattern.sign or is_literal(pattern.name) else cls(pattern.name, ".")

    def holds(self, host: str) -> bool:
        """Whether ``host``, in normal form, is meant."""
        if host == self.name:
            return self.sign != "*."
        return bool(self.sign) and host.endswith("." + self.name)

    def covers(self, other: HostPattern) -> bool:
        """Whether all that ``other`` means is meant."""
        if self.name == other.name:
            return self.sign in (".", other.sign)
        return bool(self.sign) and other.name.endswith("." + self.name)

    def __str__(self) -> str:
        return self.sign + self.name


def host_pattern(text: str) -> str:
    """``text``, normalised, if it is a host pattern; else ``ConfigError``."""
    return str(HostPattern.parse(text))


class HostPatterns:
    """A set of host patterns, which is asked for hosts in normal form."""

    __slots__ = ("_exact", "_under")

    def __init__(self, patterns: Iterable[str | HostPattern] = ()) -> None:
        parsed = [HostPattern.parse(one) if isinstance(one, str) else one for one in patterns]
        self._exact = frozenset(one.name for one in parsed if one.sign != "*.")
        self._under = frozenset(one.name for one in parsed if one.sign)

    def __contains__(self, host: str) -> bool:
        name = host.rstrip(".")
        if name in self._exact:
            return True
        while self._under:
            _, dot, name = name.partition(".")
            if not dot:
                return False
            if name in self._under:
                return True
        return False


class HostTable(Generic[T]):
    """Finds what belongs to a host by patterns: by its own name, else by ``.name`` of it, else by the longest name that
    it is below. Two patterns that are for the same hosts are a ``ConfigError``.
    """

    __slots__ = ("_exact", "_under")

    def __init__(self, entries: Iterable[tuple[str, T]] = ()) -> None:
        self._exact: dict[str, T] = {}
        self._under: dict[str, T] = {}
        seen: dict[tuple[str, bool], str] = {}
        own: dict[str, T] = {}
        for text, value in entries:
            pattern = HostPattern.parse(text)
            place = pattern.name, bool(pattern.sign)
            if place in seen:
                raise ConfigError(f"{text!r} and {seen[place]!r} are for the same hosts", "accepted is each once")
            seen[place] = text
            if pattern.sign:
                self._under[pattern.name] = value
            if pattern.sign == ".":
                self._exact[pattern.name] = value
            elif not pattern.sign:
                own[pattern.name] = value
        self._exact |= own

    def find(self, host: str) -> T | None:
        """What belongs to ``host``, which is in normal form; None if nothing does."""
        found = self._exact.get(host)
        if found is not None or not self._under:
            return found
        _, dot, name = host.partition(".")
        while dot:
            found = self._under.get(name)
            if found is not None:
                return found
            _, dot, name = name.partition(".")
        return None
