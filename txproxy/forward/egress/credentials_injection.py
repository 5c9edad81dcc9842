"""For programs that are not trusted: secrets that they never hold, and tunnels that go where they say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Final

import attrs

from txproxy.errors import ConfigError
from txproxy.forward.access.refusals import Blocked, denied
from txproxy.forward.request.privacy import Mask, Privacy, field_line, field_lines, mask_of
from txproxy.forward.request.targets import Target
from txproxy.interfaces.context import RequestContext
from txproxy.matching.hosts import is_literal, named_host, normal_host
from txproxy.plain_values import PlainValue
from txproxy.wire.client_hello import read_hello
from txproxy.wire.grammar import ABSOLUTE
from txproxy.wire.target import DEFAULT_PORTS, written_authority

# RFC 8446 section 6: a fatal alert, access_denied
_ACCESS_DENIED: Final = b"\x15\x03\x01\x00\x02\x02\x31"
_HANDSHAKE: Final = b"\x16"
_SAME: Final = {b"ws": b"http", b"wss": b"https"}


class AgreedName:
    """The gate of a tunnel to ``host`` and ``port`` (see :class:`txproxy.interfaces.Gatekeeper`): what goes through it
    is TLS, for the host that the tunnel was asked for. Nothing is decrypted.

    A ClientHello with an encrypted one in it is refused: whom it is for, only its recipient could say. So is one
    without a name, unless the host is an address, of which none is to be expected.
    """

    def __init__(self, host: str, port: int, context: RequestContext) -> None:
        self.farewell = b""
        self._host = host
        self._port = port
        self._client = context

    def opens(self, data: bytes) -> bool:
        """See :class:`txproxy.interfaces.Gatekeeper`."""
        self.farewell = _ACCESS_DENIED if data[:1] == _HANDSHAKE else b""
        try:
            hello = read_hello(data)
        except ValueError as fault:
            raise self._refused(f"it does not begin as TLS does: {fault}") from None
        if hello is None:
            return False
        if hello.has_ech:
            raise self._refused("its ClientHello is encrypted, or pretends to be (ECH)")
        name = hello.server_name
        if name is None:
            if not is_literal(self._host):
                raise self._refused("its ClientHello names no host")
        elif named_host(name) != self._host:
            raise self._refused(f"its ClientHello asks for {name}")
        return True

    def _refused(self, why: str) -> Blocked:
        verdict = denied(f"a tunnel to {self._host} was asked for, and {why}", "agree_names")
        self._client.verdict = verdict
        return Blocked(verdict, f"{self._host}:{self._port}")


def _texts(values: Iterable[str] | str) -> tuple[str, ...]:
    return (values,) if isinstance(values, str) else tuple(values)


def _place(origin: str) -> tuple[bytes, str, int]:
    match = ABSOLUTE.fullmatch(origin.encode("utf-8"))
    if match is not None and match[1].lower() in (b"http", b"https") and match[3] in (b"", b"/"):
        scheme = match[1].lower()
        try:
            host, port = written_authority(match[2])
        except ValueError:
            pass
        else:
            return scheme, normal_host(host), port or DEFAULT_PORTS[scheme]
    raise ConfigError(f"{origin!r} is no origin", "accepted is one such as https://api.example.com")


@attrs.frozen(kw_only=True)
class Injection(PlainValue):
    """Field lines (``Authorization``, ``Cookie``, ...) that requests to one ``origin`` get from the proxy, so that no
    client has to hold what is in them. What a client sends under these names, and its Authorization, goes nowhere.

    ``origin`` has a scheme, and a port that is not its usual one: a secret for ``https://api.example.com`` is never
    sent to ``http://api.example.com``. Tunnels are not looked into: clients ask the proxy itself for the https URL.
    ``rules``: only for requests that one of these rules allows; empty for all.
    """

    origin: str
    headers: tuple[tuple[str, str], ...] = attrs.field(converter=field_lines, repr=False)
    rules: tuple[str, ...] = attrs.field(default=(), converter=_texts)
    place: tuple[bytes, str, int] = attrs.field(init=False, eq=False, repr=False)

    @place.default
    def _make_place(self) -> tuple[bytes, str, int]:
        if not self.headers:
            raise ConfigError(f"{self.origin}: there is nothing to send", "accepted is Authorization = '...'")
        return _place(self.origin)


class Masks:
    """What changes in the fields of requests, by target and by the rule that allowed it: ``privacy``, and then what is
    injected. It is false if nothing ever changes.
    """

    def __init__(self, privacy: Sequence[Privacy], injections: Sequence[Injection]) -> None:
        self._privacy = tuple(privacy)
        self._injections: Mapping[tuple[bytes, str, int], list[Injection]] = {}
        for one in injections:
            self._injections.setdefault(one.place, []).append(one)
        self.find = lru_cache(maxsize=4096)(self._find)

    def __bool__(self) -> bool:
        return bool(self._privacy or self._injections)

    def _find(self, target: Target, rule: str) -> Mask | None:
        mask = mask_of(self._privacy, target.host)
        place = (_SAME.get(target.scheme, target.scheme), target.host, target.port)
        for one in self._injections.get(place, ()):
            if not one.rules or rule in one.rules:
                names = {name.lower().encode() for name, _ in one.headers} | {b"authorization"}
                others = tuple(line for line in mask.lines if line.partition(b":")[0].lower() not in names)
                lines = tuple(field_line(name, value) for name, value in one.headers)
                mask = attrs.evolve(mask, drop=mask.drop | names, lines=others + lines)
        return mask if mask != Mask() else None
