"""Paths in the one form that routes are matched on, and prefixes of them.

Routes see a path as RFC 3986 section 6.2.2 has it: escapes of unreserved characters are decoded, the others written in
upper case, and dot segments removed (section 5.2.4). So ``/api/%2e%2e/admin`` is what an upstream will take it for,
``/admin``, and gets by no route. Nothing else is changed, since nothing else is the same to all who may read it: ``//``
is not ``/``, ``%2F`` is no slash, a backslash is no slash, and ``..;`` is a name. An upstream that takes one of these
for a separator must guard its paths itself.

What is sent upstream is the path as the client wrote it, unless a route rewrites it: then it is made from this form.
"""

from __future__ import annotations

import re
from typing import Final

from txproxy.errors import ConfigError

_ESCAPE: Final = re.compile(rb"%[0-9A-Fa-f]{2}")
_DOTS: Final = re.compile(rb"/\.\.?(?:/|\Z)")
# RFC 3986 2.3
_UNRESERVED: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
_NORMAL: Final = {
    b"%" + high + low: bytes((code,)) if (code := int(high + low, 16)) in _UNRESERVED else b"%%%02X" % code
    for high in (b"%c" % digit for digit in b"0123456789ABCDEFabcdef")
    for low in (b"%c" % digit for digit in b"0123456789ABCDEFabcdef")
}
# What a path may hold as it is; the wire lets more pass, but who writes a configuration should escape it.
_PATH: Final = re.compile(rb"/(?:[!$&-;=@-Z\[\]_a-z~]|%[0-9A-Fa-f]{2})*")


def canonical(path: bytes) -> bytes:
    """``path``, without a query, in the form that routes are matched on. ``*`` and an empty path stay as they are."""
    if b"%" in path:
        path = _ESCAPE.sub(_normal_escape, path)
    if b"/." in path and _DOTS.search(path) is not None:
        path = _without_dot_segments(path)
    return path


def _normal_escape(match: re.Match[bytes]) -> bytes:
    return _NORMAL[match[0]]


def _without_dot_segments(path: bytes) -> bytes:
    """RFC 3986 section 5.2.4, for a path that begins with a slash."""
    segments = path.split(b"/")[1:]
    kept: list[bytes] = []
    for segment in segments:
        if segment == b"..":
            if kept:
                kept.pop()
        elif segment != b".":
            kept.append(segment)
    if segments[-1] in (b".", b".."):
        kept.append(b"")
    return b"/" + b"/".join(kept)


def split_path(target: bytes) -> tuple[bytes, bytes]:
    """The path of an origin-form target, and its query with the question mark, or nothing."""
    path, mark, query = target.partition(b"?")
    return path, mark + query


def configured_path(text: str) -> bytes:
    """A path from a configuration, in canonical form; ``ConfigError`` if it is none. What is not ASCII is escaped."""
    path = b"".join(
        b"%%%02X" % byte if byte > 0x7E else b"%c" % byte for byte in text.encode("utf-8", "surrogateescape")
    )
    accepted = "accepted is a path such as /api, without a query, spaces, or . and .. as segments"
    if not _PATH.fullmatch(path):
        raise ConfigError(f"{text!r} is no path; {accepted}")
    path = _ESCAPE.sub(_normal_escape, path)
    if _DOTS.search(path):
        raise ConfigError(f"{text!r} has dot segments; {accepted}")
    return path


def has_prefix(path: bytes, prefix: bytes) -> bool:
    """Whether ``path`` is ``prefix`` or below it; a prefix with a slash at its end has below it only what follows."""
    return path.startswith(prefix) and (len(path) == len(prefix) or prefix[-1:] == b"/" or path[len(prefix)] == 0x2F)


def as_local(path: bytes) -> bytes:
    """A path as a reference to the same server: one that begins with ``//`` would name another (RFC 3986 section 4.2),
    and browsers take a backslash for a slash.
    """
    return b"/." + path if path[:1] == b"/" and path[1:2] in (b"/", b"\\") else path
