"""What another process has to know to go on with a client's connection. As plain values it goes between programs of
different versions, which may have their classes elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import attrs

from txproxy.frozen_values import frozen
from txproxy.net.transports.handed_transports import HandedSocket

# What is plain here, and what it means. Who knows another version only does not take part.
VERSION: Final = 1


@frozen(kw_only=True)
class CarriedTunnel:
    """A tunnel that stands still: so many bytes were ``received`` from the client and ``sent`` to it, those included
    that were read and are still to be written: ``from_client`` and ``from_upstream``. The end of one side may have been
    read, and told to the other. It may be silent for ``silence`` seconds, or for ever, and be open for ``age``; as it
    is, it ends ``left`` seconds from now, and ``oldest`` seconds from now in any case.
    """

    received: int
    sent: int
    from_client: bytes
    from_upstream: bytes
    client_ended: bool
    upstream_ended: bool
    silence: float | None
    left: float | None
    age: float | None
    oldest: float | None


@frozen(kw_only=True)
class CarriedAddress:
    """See :class:`txproxy.interfaces.address.Address`. ``through`` is the name of a proxy."""

    host: str
    port: int
    path: str
    bind: str
    pinned: tuple[str, ...]
    through: str | None


@frozen(kw_only=True)
class CarriedAttempt:
    """See :class:`txproxy.interfaces.record.AttemptRecord`: ``ended`` is None for the one that the tunnel goes by.
    ``upstream`` is its name in the ``pool``, if it is of one, and ``peer`` who was connected to: a host and a port.
    ``fault`` is a status, a type of RFC 9209, and a sentence.
    """

    address: CarriedAddress
    pool: str | None
    upstream: str | None
    began: float
    connected: float | None
    ended: float | None
    reused: bool
    status: int
    fault: tuple[int, str, str] | None
    peer: tuple[str, int] | None


@frozen(kw_only=True)
class CarriedContext:
    """See :class:`txproxy.interfaces.context.RequestContext`. ``verdict`` is its outcome, rule, reason and list,
    ``limit`` a name and an outcome, ``traced`` a trace, a span and whether it is sampled, and ``places`` are names of
    limits with the key by which it has a place of theirs.
    """

    client_ip: str
    scheme: str
    user: str | None
    groups: tuple[str, ...]
    rule: str
    verdict: tuple[str, str, str, str] | None
    limit: tuple[str, str] | None
    traced: tuple[bytes, bytes, bool] | None
    places: tuple[tuple[str, Any], ...]


@frozen(kw_only=True)
class CarriedExchange:
    """A request that has become a tunnel: its head, its ``context``, the head of its response (``reason`` is None for
    none), and what was noted of it, ``age`` seconds after it began, if anything was. ``fields`` are blocks of lines.
    """

    method: bytes
    path: bytes
    authority: bytes
    scheme: bytes | None
    minor: int
    fields: bytes
    context: CarriedContext
    status: int
    reason: bytes | None
    response_fields: bytes
    age: float | None
    first_byte: float | None
    attempts: tuple[CarriedAttempt, ...]


@frozen(kw_only=True)
class Carried:
    """A client's connection, with the ``peer_ip`` and ``peer_scheme`` that are its. ``exchange``, ``tunnel`` and the
    socket of the ``upstream`` are there for a tunnel; else it rests between two requests, ``early`` bytes of the next
    have come, and it ends ``left`` seconds from now. One that has not ``spoken`` may turn out to speak another protocol
    than HTTP/1. ``server_name`` is that of a raw stream, and ``place`` the number of the one that a tunnel has at its
    upstream, if requests take places there.
    """

    client: HandedSocket
    peer_ip: str
    peer_scheme: str
    upstream: HandedSocket | None = None
    tunnel: CarriedTunnel | None = None
    exchange: CarriedExchange | None = None
    early: bytes = b""
    spoken: bool = True
    left: float | None = None
    server_name: str | None = None
    place: int | None = None

    def plain(self) -> dict[str, Any]:
        """In the words of :data:`VERSION`."""
        plain = attrs.asdict(self)
        if self.place is None:
            # Programs of this version before knew of none.
            del plain["place"]
        return plain

    @classmethod
    def of(cls, plain: Mapping[str, Any]) -> Carried:
        """What ``plain`` values say. Raises ``TypeError`` or ``KeyError`` where they are none of these."""
        upstream, tunnel, exchange = plain["upstream"], plain["tunnel"], plain["exchange"]
        return cls(
            **{
                **plain,
                "client": HandedSocket(**plain["client"]),
                "upstream": HandedSocket(**upstream) if upstream is not None else None,
                "tunnel": CarriedTunnel(**tunnel) if tunnel is not None else None,
                "exchange": _exchange(exchange) if exchange is not None else None,
            }
        )


def _exchange(plain: Mapping[str, Any]) -> CarriedExchange:
    attempts = tuple(
        CarriedAttempt(**{**one, "address": CarriedAddress(**one["address"])}) for one in plain["attempts"]
    )
    return CarriedExchange(**{**plain, "context": CarriedContext(**plain["context"]), "attempts": attempts})
