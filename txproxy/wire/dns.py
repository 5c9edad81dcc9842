"""Messages of DNS: questions, and what is in their answers (RFC 1035 section 4, RFC 3596, RFC 2782).

An answer is somebody else's word, over a protocol that anybody can forge: what does not fit the question is left out,
and what cannot be read is a ``ValueError``.
"""

from __future__ import annotations

from collections.abc import Iterable
from socket import AF_INET6, inet_ntop
from struct import Struct
from struct import error as StructError
from typing import Final

from txproxy.frozen_values import frozen

A: Final = 1
CNAME: Final = 5
AAAA: Final = 28
SRV: Final = 33
_IN: Final = 1

NO_ERROR: Final = 0
NO_SUCH_NAME: Final = 3

_HEADER: Final = Struct(">HHHHHH")
_QUESTION_END: Final = Struct(">HH")
_RECORD: Final = Struct(">HHIH")
_SERVICE: Final = Struct(">HHH")
_RESPONSE: Final = 0x8000
_OPCODE: Final = 0x7800
_TRUNCATED: Final = 0x0200
_RECURSION_DESIRED: Final = 0x0100
_RCODE: Final = 0x000F

# RFC 1035 2.3.4
_LONGEST_LABEL: Final = 63
_LONGEST_NAME: Final = 253
# More would be of no use to anybody, and reading takes time.
_MOST_RECORDS: Final = 512
_MOST_ALIASES: Final = 16
# RFC 2181 8: of 31 bits; one that seems negative is zero.
_LONGEST_TTL: Final = 2**31


@frozen
class Service:
    """What an SRV record says."""

    priority: int
    weight: int
    port: int
    target: str


@frozen
class Record:
    """One record: ``data`` is an address as text, a :class:`Service`, or the name that an alias stands for."""

    name: str
    kind: int
    ttl: int
    data: str | Service


@frozen
class Response:
    """An answer to the question with the number ``ident``: for records of ``kind`` that ``name`` has. These are None
    if it does not say what was asked.
    """

    ident: int
    name: str | None
    kind: int | None
    rcode: int
    truncated: bool
    records: tuple[Record, ...]


def encode_name(name: str) -> bytes:
    """``name``, complete and without a dot at its end, as it stands in messages; ``ValueError`` if DNS can have no such
    name. Characters beyond ASCII are as in IDNA.
    """
    try:
        text = name.encode("ascii")
    except UnicodeEncodeError:
        text = name.encode("idna")
    labels = text.split(b".")
    if len(text) > _LONGEST_NAME or not all(0 < len(label) <= _LONGEST_LABEL for label in labels):
        raise ValueError(f"{name} is no name that DNS can have")
    return b"".join(bytes((len(label),)) + label for label in labels) + b"\0"


def question(ident: int, name: str, kind: int) -> bytes:
    """Ask for records of ``kind`` that ``name`` has."""
    return _HEADER.pack(ident, _RECURSION_DESIRED, 1, 0, 0, 0) + encode_name(name) + _QUESTION_END.pack(kind, _IN)


def read_response(data: bytes) -> Response:
    """The answer in ``data``: the records that lead from the name that was asked for to what it stands for."""
    try:
        ident, flags, questions, answers, _, _ = _HEADER.unpack_from(data)
        if not flags & _RESPONSE or flags & _OPCODE or questions > 1:
            raise ValueError("this is no answer")
        name, kind, at = None, None, _HEADER.size
        if questions:
            name, at = _read_name(data, at)
            kind, of_class = _QUESTION_END.unpack_from(data, at)
            at += _QUESTION_END.size
            if of_class != _IN:
                raise ValueError("this is of another class")
        truncated = bool(flags & _TRUNCATED)
        records: tuple[Record, ...] = ()
        if name is not None and kind is not None and not truncated:
            records = _of_question(name, kind, _read_records(data, at, min(answers, _MOST_RECORDS)))
        return Response(ident, name, kind, flags & _RCODE, truncated, records)
    except (StructError, IndexError):
        raise ValueError("the message is cut") from None


def _of_question(name: str, kind: int, records: list[Record]) -> tuple[Record, ...]:
    """Of all ``records``, the aliases on the way from ``name``, and the records of ``kind`` at its end."""
    aliases = {record.name: record for record in records if record.kind == CNAME}
    way: list[Record] = []
    while name in aliases:
        # RFC 1034 3.6.2: loops and long chains are faults, and are not followed.
        if len(way) >= _MOST_ALIASES:
            return ()
        way.append(aliases[name])
        name = str(aliases[name].data)
    found = [record for record in records if record.kind == kind and record.name == name]
    return (*way, *found) if found else ()


def _read_records(data: bytes, at: int, count: int) -> list[Record]:
    records = []
    for _ in range(count):
        name, at = _read_name(data, at)
        kind, of_class, ttl, length = _RECORD.unpack_from(data, at)
        at += _RECORD.size
        if at + length > len(data):
            raise ValueError("the message is cut")
        if of_class == _IN:
            said = _read_data(data, at, kind, length)
            if said is not None:
                records.append(Record(name, kind, ttl if ttl < _LONGEST_TTL else 0, said))
        at += length
    return records


def _read_data(data: bytes, at: int, kind: int, length: int) -> str | Service | None:
    if kind == A:
        if length != 4:
            raise ValueError("an address has another length")
        return "{}.{}.{}.{}".format(*data[at : at + 4])
    if kind == AAAA:
        if length != 16:
            raise ValueError("an address has another length")
        return inet_ntop(AF_INET6, data[at : at + 16])
    if kind == CNAME:
        return _read_name(data, at)[0]
    if kind == SRV:
        priority, weight, port = _SERVICE.unpack_from(data, at)
        return Service(priority, weight, port, _read_name(data, at + _SERVICE.size)[0])
    return None


def _read_name(data: bytes, at: int) -> tuple[str, int]:
    """The name at ``at``, in lower case, and where the message goes on after it."""
    labels: list[bytes] = []
    size = end = 0
    limit = at
    while True:
        length = data[at]
        if length >= 0xC0:
            # RFC 1035 4.1.4: the rest is at a prior place. Each of these is before the last, so there is an end.
            place = (length & 0x3F) << 8 | data[at + 1]
            end = end or at + 2
            if place >= limit:
                raise ValueError("a name is compressed in a way that has no end")
            at = limit = place
        elif length > _LONGEST_LABEL:
            raise ValueError("a label of an unknown kind")
        elif length:
            size += length + 1
            label = data[at + 1 : at + 1 + length]
            if size > _LONGEST_NAME + 1 or len(label) < length:
                raise ValueError("a name is too long, or cut")
            labels.append(label)
            at += length + 1
        else:
            return _text(labels), end or at + 1


def _text(labels: Iterable[bytes]) -> str:
    # A dot within a label is none that parts labels.
    return b".".join(label.lower().replace(b".", b"\\.") for label in labels).decode("ascii", "backslashreplace")
