"""One parent proxy: what it is called, what it is told, and how it fares.

A parent that cannot be reached is left out for half a minute, and for as much longer each time as that repeats itself;
then one request tries it for all. What it does when it has been reached may be due to what a client has asked for: that
it closes, or wants other credentials, counts only where it has not served anybody lately.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from enum import Enum
from typing import Any, Final
from urllib.parse import unquote_to_bytes

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from txproxy.auth.credentials import basic
from txproxy.errors import ConfigError, ExchangeError
from txproxy.interfaces.address import Address, Opening
from txproxy.interfaces.allowances import MOST_WEIGHT
from txproxy.matching.hosts import HostPattern, literal
from txproxy.tls.verification import client_connections
from txproxy.upstreams.ejection import TRIAL, Ejection
from txproxy.wire.connect_client import ConnectClient, wants_credentials
from txproxy.wire.socks.client import SocksClient
from txproxy.wire.target import written_authority

_log = Logger()

# A parent is out at its first failure, for as long as an upstream that is ejected.
_OUT: Final = Ejection(failures=1)
# For so many seconds after it has served somebody, only connections that fail count.
_LATELY: Final = 30.0

_URL: Final = re.compile(r"(http|https|socks5h?)://(?:([^/?#]*)@)?([^/?#@]+)/?")
_ACCEPTED: Final = (
    "accepted are http://USER:PASSWORD@HOST:PORT, https://, socks5://, each with ;host=PATTERN, ;rule=NAME, "
    ";weight=N, ;backup, ;bind=ADDRESS, https also with ;ca=FILE; and direct, also with ;host=PATTERN and ;rule=NAME"
)


class Kind(Enum):
    """How a parent is spoken to."""

    HTTP = "http"
    HTTPS = "https"
    SOCKS5 = "socks5"
    DIRECT = "direct"  # no parent: the origin itself


_PORTS: Final = {Kind.HTTP: 80, Kind.HTTPS: 443, Kind.SOCKS5: 1080}


class Parent:
    """One parent proxy, from ``http://USER:PASSWORD@HOST:PORT`` (``https://``, ``socks5://``; without a port 80, 443,
    1080), then any of

    ``;host=PATTERN`` only for these hosts, ``;rule=NAME`` only for requests that this access rule allows (both may be
    repeated), ``;weight=N`` its share (1), ``;backup`` only while no other works, ``;bind=ADDRESS`` connect to it from
    there, ``;ca=FILE`` verify its certificate with the CAs in this PEM file in place of the system's. User and password
    are percent-encoded where they have to be.

    Or ``direct``, with ``;host=PATTERN`` and ``;rule=NAME``: without a parent. All else is a ``ConfigError`` without
    credentials in it.

    It is a :class:`txproxy.interfaces.Hop`. ``name`` is the URL without credentials.
    """

    __slots__ = (
        "name", "kind", "address", "itself", "key", "patterns", "rules", "weight", "backup", "cause", "since",
        "_login", "_lines", "_clock", "_strikes", "_out_until", "_trial_until", "_served_at",
    )  # fmt: skip

    def __init__(self, text: str) -> None:
        url, *words = text.split(";")
        options = _parameters(text, words)
        self.patterns: tuple[HostPattern, ...] = tuple(options.pop("host", ()))
        self.rules: tuple[str, ...] = tuple(options.pop("rule", ()))
        self._login: tuple[bytes, bytes] | None = None
        self._lines: tuple[bytes, ...] = ()
        if url == "direct" and options:
            raise ConfigError(f"{text!r}: direct is the last resort, and takes no share", _ACCEPTED)
        self.weight: int = options.pop("weight", 1)
        self.backup: bool = options.pop("backup", False)
        if url == "direct":
            self.kind = Kind.DIRECT
            self.address = Address("direct")
        else:
            self._read_url(text, url, options)
        self.name = "direct" if self.kind is Kind.DIRECT else f"{self.kind.value}://{self.address}"
        self.key = f"{self.name} {id(self):x}"
        self.itself = Address(through=self)
        self.cause = ""
        self.since = 0.0
        self._clock: IReactorTime | None = None
        self._strikes = 0
        self._out_until = 0.0
        self._trial_until = 0.0
        # when it last did what it was asked for
        self._served_at = -_LATELY

    def _read_url(self, text: str, url: str, options: dict[str, Any]) -> None:
        match = _URL.fullmatch(url)
        if match is None:
            raise ConfigError(f"{_shown(text)!r} is no parent proxy", _ACCEPTED)
        scheme, login, authority = match.groups()
        # curl's name for SOCKS5 with the names left to the proxy, which is all that there is here
        self.kind = kind = Kind(scheme.removesuffix("h") if scheme == "socks5h" else scheme)
        try:
            host, port = written_authority(authority.encode("ascii", "replace"))
        except ValueError as fault:
            raise ConfigError(f"{_shown(text)!r} is no parent proxy: {fault}", _ACCEPTED) from None
        ca_file = options.pop("ca", None)
        if ca_file is not None and kind is not Kind.HTTPS:
            raise ConfigError(f"{_shown(text)!r}: ca is for https:// alone", _ACCEPTED)
        tls = None
        if kind is Kind.HTTPS:
            try:
                tls = client_connections(host, ca_file, prefix=f"{_shown(text)}: ")
            except UnicodeError:
                raise ConfigError(f"{_shown(text)!r}: the host is no name that a certificate can have") from None
        self.address = Address(host, port or _PORTS[kind], tls=tls, server_name=host if tls else "", **options)
        if login is not None:
            self._login = _login(text, login, kind)
            if kind is not Kind.SOCKS5:
                self._lines = (b"Proxy-Authorization: " + basic(*self._login),)

    def __str__(self) -> str:
        return self.name

    def __repr__(self) -> str:
        return f"<Parent {self.name}>"

    @property
    def direct(self) -> bool:
        """Whether it is no parent at all."""
        return self.kind is Kind.DIRECT

    @property
    def takes_requests(self) -> bool:
        """Whether it is sent requests for ``http`` in absolute form, and not asked for a tunnel."""
        return self.kind is Kind.HTTP or self.kind is Kind.HTTPS

    @property
    def lines(self) -> tuple[bytes, ...]:
        """The field lines that say to it who is asking."""
        return self._lines

    def opening(self, host: str, port: int, lines: Iterable[bytes] = ()) -> Opening:
        """See :class:`txproxy.interfaces.Hop`; ``lines`` are further ones for HTTP."""
        if self.kind is Kind.SOCKS5:
            name, password = self._login or (None, b"")
            return SocksClient(host, port, name, password)
        return ConnectClient(host, port, (*lines, *self._lines))

    def answered(self, status: int) -> None:
        """It has answered a request. A challenge is a ``ParentError``: it is for this proxy, and of no use to a client
        (RFC 9110 section 11.7.1).
        """
        if status == 407:
            fault = wants_credentials(self.name, self._login is not None)
            self.failed(fault)
            raise fault
        if self._clock is not None:
            self._served_at = self._clock.seconds()

    # -- how it fares

    def use_clock(self, clock: IReactorTime) -> None:
        """Tell the time by ``clock``, as long as it serves."""
        self._clock = clock

    @property
    def out(self) -> bool:
        """Whether it gets nothing just now, because it has failed."""
        return self._strikes > 0 and self._clock is not None and self._clock.seconds() < self._out_until

    def usable(self, now: float) -> bool:
        """Whether a request may be sent to it."""
        return not self._strikes or (now >= self._out_until and now >= self._trial_until)

    def taken(self, now: float) -> None:
        """A request is."""
        if self._strikes:
            self._trial_until = now + TRIAL

    @property
    def out_until(self) -> float:
        """When it is tried again."""
        return self._out_until

    def served(self) -> None:
        """See :class:`txproxy.interfaces.Hop`."""
        if self._clock is not None:
            self._served_at = self._clock.seconds()
        self.reached()

    def reached(self) -> None:
        """See :class:`txproxy.interfaces.Hop`."""
        if self._strikes:
            self._strikes = 0
            self._out_until = self._trial_until = 0.0
            self.cause = ""
            self.since = self._clock.seconds() if self._clock is not None else 0.0
            _log.info("the parent proxy {name} works again", name=self.name)

    def failed(self, fault: ExchangeError) -> None:
        """See :class:`txproxy.interfaces.Hop`."""
        clock = self._clock
        if clock is None:
            return
        now = clock.seconds()
        if self._strikes and now < self._out_until:
            # Requests that were under way when it failed tell of the same failure.
            return
        if not fault.connection_failed and now - self._served_at < _LATELY:
            return
        if not self._strikes:
            self.since = now
        self._strikes += 1
        self._out_until = now + _OUT.seconds(self._strikes)
        self.cause = fault.detail
        _log.warn(
            "the parent proxy {name} is left out for {seconds} s: {cause}",
            name=self.name,
            seconds=int(self._out_until - now),
            cause=fault.detail,
        )


def _shown(text: str) -> str:
    """``text`` without its credentials, as well as can be told of what may be malformed."""
    before, at, after = text.rpartition("@")
    if not at:
        return text
    scheme, slashes, _ = before.partition("://")
    return f"{scheme}://***@{after}" if slashes else f"***@{after}"


def _login(text: str, login: str, kind: Kind) -> tuple[bytes, bytes]:
    name, _, password = login.partition(":")
    user, secret = unquote_to_bytes(name), unquote_to_bytes(password)
    if not user or any(byte < 0x20 or byte == 0x7F for byte in user + secret):
        raise ConfigError(f"{_shown(text)!r}: user or password is empty or has control characters", _ACCEPTED)
    if kind is not Kind.SOCKS5 and b":" in user:
        # RFC 7617 section 2
        raise ConfigError(f"{_shown(text)!r}: a user of HTTP has no colon", _ACCEPTED)
    if kind is Kind.SOCKS5 and not (len(user) < 256 and 0 < len(secret) < 256):
        raise ConfigError(f"{_shown(text)!r}: SOCKS5 takes a user and a password of 1 to 255 bytes", _ACCEPTED)
    return user, secret


def _parameters(text: str, words: Sequence[str]) -> dict[str, Any]:
    options: dict[str, Any] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if name == "backup" and not equals and name not in options:
            options[name] = True
        elif name == "weight" and value.isascii() and value.isdigit() and 0 < int(value) <= MOST_WEIGHT:
            options[name] = int(value)
        elif name == "host" and value:
            options.setdefault(name, []).append(_pattern(text, value))
        elif name == "rule" and value:
            options.setdefault(name, []).append(value)
        elif name == "bind" and value:
            options[name] = _bind(text, value)
        elif name == "ca" and value:
            options[name] = value
        else:
            raise ConfigError(f"{_shown(text)!r}: {_shown(word)!r} is no parameter of a parent proxy", _ACCEPTED)
    return options


def _pattern(text: str, pattern: str) -> HostPattern:
    try:
        return HostPattern.parse(pattern)
    except ConfigError as fault:
        raise fault.about(f"{_shown(text)!r}: host: ") from None


def _bind(text: str, address: str) -> str:
    try:
        return literal(address)
    except ConfigError as fault:
        raise fault.about(f"{_shown(text)!r}: bind: ") from None
