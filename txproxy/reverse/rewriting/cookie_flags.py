"""Attributes of cookies that a route puts in the place of an upstream's: ``Secure``, ``HttpOnly``, ``SameSite``."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from txproxy.errors import ConfigError
from txproxy.frozen_values import frozen
from txproxy.matching.regular_expressions import EXPRESSION_MARK, bytes_expression
from txproxy.wire import grammar

FLAGS: Final = (
    "secure", "nosecure", "httponly", "nohttponly", "samesite=strict", "samesite=lax", "samesite=none", "nosamesite"
)  # fmt: skip
_WRITTEN: Final = {"secure": b" Secure", "httponly": b" HttpOnly", "samesite": b" SameSite="}


@frozen
class CookieFlags:
    """What becomes of the cookies that ``names`` matches whole: the attributes in ``drop`` go, and those of ``lines``
    come.
    """

    names: re.Pattern[bytes]
    drop: frozenset[bytes]
    lines: tuple[bytes, ...]

    @classmethod
    def parse(cls, name: str, flags: Iterable[str]) -> CookieFlags:
        """For the cookie ``name`` (``*``: any; ``~regex``: those that it matches whole), with words of
        :data:`FLAGS`; ``ConfigError`` if they are none.
        """
        if name == "*":
            names = re.compile(rb".*", re.S)
        elif name.startswith(EXPRESSION_MARK):
            names = bytes_expression(name)
        elif grammar.TOKEN.fullmatch(name.encode()):
            names = re.compile(re.escape(name.encode()))
        else:
            raise ConfigError(f"{name!r} is no name of a cookie", "accepted is a token, ~regex, or * for all")
        drop, lines = [], []
        for flag in flags:
            word = flag.lower()
            if word not in FLAGS:
                raise ConfigError(f"{flag!r} is no flag of a cookie", f"accepted: {', '.join(FLAGS)}")
            kind, _, value = word.partition("=")
            bare = kind.removeprefix("no")
            if bare.encode() in drop:
                raise ConfigError(f"{name}: {bare} is there more than once", "accepted is one word for each")
            drop.append(bare.encode())
            if bare == kind:
                lines.append(_WRITTEN[kind] + value.capitalize().encode())
        return cls(names, frozenset(drop), tuple(lines))


def flagged(line: bytes, known: Iterable[CookieFlags]) -> bytes:
    """A line of ``Set-Cookie`` as the first of ``known`` has it that is for its cookie."""
    field, _, value = line.partition(b":")
    pair, *attributes = value.split(b";")
    name = pair.partition(b"=")[0].strip(b" \t")
    for one in known:
        if one.names.fullmatch(name) is not None:
            kept = [said for said in attributes if said.partition(b"=")[0].strip(b" \t").lower() not in one.drop]
            return b"%b:%b" % (field, b";".join([pair, *kept, *one.lines]))
    return line
