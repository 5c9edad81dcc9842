"""One request to the admin API, and what is said to it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final
from urllib.parse import parse_qsl

import attrs

from txproxy.components.values import duration, hint, shown, whole
from txproxy.errors import ConfigError

JSON: Final = "application/json"
_MOST_QUERY: Final = 64


class ApiFault(Exception):
    """It cannot be done: ``status``, and what is wrong for who has asked. ``more`` goes into the answer as well."""

    def __init__(self, status: int, text: str, **more: object) -> None:
        super().__init__(text)
        self.status = status
        self.text = text
        self.more = more


@attrs.frozen
class Text:
    """An answer that is no JSON, of a media ``type``, with further ``fields`` of its head."""

    type: str
    text: str
    fields: tuple[tuple[str, str], ...] = ()


@attrs.frozen
class Streamed:
    """An answer of a media ``type`` that goes on until its reader leaves: ``begin`` gets twisted.web's request, and
    writes to that from then on.
    """

    type: str
    begin: Callable[[Any], None]


@attrs.frozen
class ApiCall:
    """A request: the ``names`` in its path, its ``query``, and its ``body``, which is a table of JSON where there is
    one. ``trusted`` is whether who asks has shown the token, if there is one. ``accept`` is the field of that name.
    """

    names: tuple[str, ...] = ()
    query: Mapping[str, str] = attrs.field(factory=dict)
    body: Mapping[str, Any] = attrs.field(factory=dict)
    trusted: bool = True
    accept: str = ""

    def number(self, name: str, default: int, least: int, most: int) -> int:
        """A whole number of the query."""
        given = self.query.get(name)
        if given is None:
            return default
        if not given.isascii() or not given.isdigit() or len(given) > 10 or not least <= int(given) <= most:
            raise ApiFault(400, f"{name}: {shown(given)} is no number; accepted is {least} to {most}")
        return int(given)

    def duration(self, name: str) -> float | None:
        """So many seconds, of the body: a number, or a text such as ``5m``; None without it."""
        if name not in self.body:
            return None
        try:
            return duration(self.body[name])
        except ConfigError as fault:
            raise ApiFault(400, f"{name}: {fault}") from None

    def whole(self, name: str, least: int, most: int) -> int | None:
        """A whole number of the body; None without it."""
        if name not in self.body:
            return None
        try:
            return whole(least, most)(self.body[name])
        except ConfigError as fault:
            raise ApiFault(400, f"{name}: {fault}") from None

    def word(self, name: str, known: Sequence[str]) -> str | None:
        """A text of the body that is one of those ``known``; None without it."""
        if name not in self.body:
            return None
        given = self.body[name]
        if not isinstance(given, str) or given not in known:
            better = hint(given, known) if isinstance(given, str) else ""
            raise ApiFault(400, f"{name}: {shown(given)} is none{better}; accepted: {', '.join(known)}")
        return given

    def flag(self, name: str) -> bool:
        """True or false of the body; false without it."""
        given = self.body.get(name, False)
        if not isinstance(given, bool):
            raise ApiFault(400, f"{name}: {shown(given)} is neither; accepted: true, false")
        return given

    def text(self, name: str) -> str:
        """A text of the body."""
        given = self.body.get(name)
        if not isinstance(given, str) or not given:
            raise ApiFault(400, f"{name}: {shown(given)} is no text; accepted is one that is not empty")
        return given


def read_query(query: bytes, known: Iterable[str]) -> dict[str, str]:
    """The parameters of a query, each of which is ``known``, and is there once."""
    known = tuple(known)
    found: dict[str, str] = {}
    try:
        pairs = parse_qsl(query.decode("ascii"), keep_blank_values=True, max_num_fields=_MOST_QUERY, errors="strict")
    except ValueError:
        raise ApiFault(400, "the query cannot be read; accepted are NAME=VALUE and &") from None
    for name, value in pairs:
        _known(name, known, "parameter of the query")
        if name in found:
            raise ApiFault(400, f"{name}: it is there twice; accepted is each once")
        found[name] = value
    return found


def read_body(kind: str, data: bytes, known: Iterable[str]) -> dict[str, Any]:
    """The keys of a body that is a table of JSON, each of which is ``known``."""
    # A form of another site can be sent without asking, and JSON cannot: https://fetch.spec.whatwg.org/#simple-header
    if kind.partition(";")[0].strip().lower() != JSON:
        raise ApiFault(415, f"the body is no JSON; accepted is Content-Type: {JSON}")
    try:
        found = json.loads(data.decode("utf-8"))
    except (ValueError, RecursionError):
        raise ApiFault(400, "the body cannot be read; accepted is a table of JSON") from None
    if not isinstance(found, dict):
        raise ApiFault(400, f"{shown(found)} is no table; accepted is a table of JSON")
    known = tuple(known)
    for name in found:
        _known(name, known, "key of the body")
    return found


def _known(name: str, known: tuple[str, ...], what: str) -> None:
    if name not in known:
        accepted = f"accepted: {', '.join(known)}" if known else "accepted is none"
        raise ApiFault(400, f"{shown(name)} is no {what}{hint(name, known)}; {accepted}")


def written(value: object) -> bytes:
    """``value`` as JSON, on one line."""
    return json.dumps(value).encode("ascii") + b"\n"
