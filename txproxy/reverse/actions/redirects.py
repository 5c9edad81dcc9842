"""Answers that send the client elsewhere."""

from __future__ import annotations

import re
from typing import Final

import attrs

from txproxy.errors import ConfigError, RequestError
from txproxy.frozen_values import frozen
from txproxy.interfaces.context import RequestContext
from txproxy.matching.paths import as_local
from txproxy.plain_values import PlainValue
from txproxy.reverse.rewriting.templates import REQUEST_VARIABLES, Template, parse
from txproxy.wire.message import RequestHead
from txproxy.wire.target import written_authority

TO_HTTPS: Final = "https://$host$path?$query"
STATUSES: Final = (301, 302, 303, 307, 308)

# What may be in a target, with variables between NULs. Where it is absolute, nothing that a client sends may become
# part of its authority, except the host that it asked for.
_ABSOLUTE: Final = re.compile(
    r"(?:https?|\0scheme\0)://((?:[A-Za-z0-9\-._~:\[\]]|\0host\0)+)(?:[/?#].*|\0(?:path|\?query)\0.*)?", re.IGNORECASE
)
_RELATIVE: Final = re.compile(r"(?:/(?![/\\])|\0path\0).*")
_URL: Final = re.compile(r"[\0!\x23-\x3b=\x3f-\x5b\x5d_a-z~]*")


@frozen
class Redirect(PlainValue):
    """Where a request is sent. ``target`` is an absolute ``http`` or ``https`` URL, or a path, with variables (see
    :mod:`txproxy.reverse.rewriting.templates`); :data:`TO_HTTPS` is the usual one. ``status`` is 301, 302, 303, 307 or
    308; the last two keep the method. ``ConfigError`` if one is none of these.
    """

    target: str
    status: int = 302
    _template: Template = attrs.field(init=False, eq=False, repr=False)
    _local: bool = attrs.field(init=False, eq=False, repr=False)
    _needs_host: bool = attrs.field(init=False, eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        if self.status not in STATUSES:
            accepted = ", ".join(map(str, STATUSES))
            raise ConfigError(f"{self.status!r} is none of a redirect", f"accepted are {accepted}", ("status",))
        try:
            pieces = parse(self.target, REQUEST_VARIABLES)
        except ConfigError as fault:
            raise fault.about(f"{self.target!r}: ").at("target") from None
        shape = "".join(literal.decode("latin-1") + (f"\0{name}\0" if name else "") for literal, name in pieces)
        absolute = _ABSOLUTE.fullmatch(shape)
        if "\0" in self.target or not _URL.fullmatch(shape) or not (absolute or _RELATIVE.fullmatch(shape)):
            raise ConfigError(
                f"{self.target!r} is no place to go to",
                "accepted are URLs such as https://$host$path?$query, with no other variable in the host, and paths "
                "such as /new$path, both in ASCII and escaped",
                ("target",),
            )
        if absolute is not None:
            try:
                written_authority(absolute[1].replace("\0host\0", "host.example").encode("ascii"))
            except ValueError as fault:
                raise ConfigError(
                    f"{self.target!r}: {fault}", "accepted is HOST or HOST:PORT in it", ("target",)
                ) from None
        object.__setattr__(self, "_template", Template(self.target))
        object.__setattr__(self, "_local", absolute is None)
        object.__setattr__(self, "_needs_host", any(name == "host" for _, name in pieces))

    def location(self, head: RequestHead, context: RequestContext) -> bytes:
        """The value of ``Location``; ``RequestError`` if the target has a host in it, and the client sent none."""
        if self._needs_host and not head.authority:
            raise RequestError("Host is missing, and the answer would have it in it")
        location = self._template.render(head, context)
        return as_local(location) if self._local else location

    def lines(self, head: RequestHead, context: RequestContext) -> tuple[bytes, ...]:
        """The field lines of the answer."""
        return (b"Location: " + self.location(head, context),)
