"""Paths, in each way in which a server may read them, and prefixes of them.

Servers do not agree on what a path means. Most decode its escapes once, remove its dot segments and merge slashes that
stand together; but some do these in another order, or leave one out, take a backslash for a slash, cut parameters
(``;x``) off segments, end at an encoded NUL, ``?`` or ``#`` or before white space, or decode twice. A rule about
``/admin`` is worth nothing to an upstream that finds it in ``/x/..%2fadmin`` where the proxy does not. So all that
depends on a path is decided for each of its :func:`readings`, and where these disagree, a client gets no benefit of it.

All readings, and the paths of configurations, are in one form: what can be said without an escape is, where it does not
separate anything; other escapes are in upper case. Case is not changed, and a slash at the end makes another path, as
both do for nearly all servers.

What is sent on is the path as the client wrote it, unless a route rewrites it: then it is made from :func:`normal`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Final

import attrs

from txproxy.errors import AmbiguousPath, ConfigError
from txproxy.frozen_values import frozen
from txproxy.matching.octets import as_bytes, shown
from txproxy.matching.regular_expressions import EXPRESSION_MARK, bytes_expression

# A target whose path is read alike by everyone, and that path as its only group. Most are such.
PLAIN: Final = re.compile(rb"((?:/[^%\\;/.?][^%\\;/?]*)*/?)(?:\?.*)?", re.S)

_ESCAPE: Final = re.compile(rb"%[0-9A-Fa-f]{2}")
_DOTS: Final = re.compile(rb"/\.\.?(?:/|\Z)")
_SLASHES: Final = re.compile(rb"//+")
_SEPARATOR: Final = re.compile(rb"%(?:2F|5C|3B)")
_TWICE: Final = re.compile(rb"%25(?=[0-9A-Fa-f]{2})")
_PARAMETERS: Final = re.compile(rb";[^/]*")
_WHITE_END: Final = re.compile(rb"(?:%(?:20|09|0A|0D))+\Z")
# what makes readings differ, in a path whose escapes are only those that it needs
_UNSURE: Final = re.compile(rb"%(?:2[35F]|3[BF]|5C|0[09AD]|20\Z)|//|/\.|[\\;]")
_ENDS: Final = (b"%00", b"%3F", b"%23")
# So many only come of what combines everything that servers disagree about.
_MOST_READINGS: Final = 64
# RFC 3986 2.3
_UNRESERVED: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
_HEX: Final = b"0123456789ABCDEFabcdef"


def _table(plain: bytes) -> dict[bytes, bytes]:
    """Of each escape what stands for it, where the characters of ``plain`` need none."""
    codes = [(high, low, int(b"%c%c" % (high, low), 16)) for high in _HEX for low in _HEX]
    return {b"%%%c%c" % (high, low): b"%c" % code if code in plain else b"%%%02X" % code for high, low, code in codes}


_NORMAL: Final = _table(_UNRESERVED)
# All that is visible, but for what separates, or would be the beginning of an escape.
_PLAINEST: Final = _table(bytes(code for code in range(0x21, 0x7F) if code not in b"/\\;?#%"))
# What a path may hold as it is; the wire lets more pass, but who writes a configuration should escape it.
_PATH: Final = re.compile(rb"/(?:[!$&-)+-;=@-Z\[\]_a-z~]|%[0-9A-Fa-f]{2})*")


def readings(path: bytes) -> tuple[bytes, ...]:
    """Each path that a server may take ``path``, without a query, for. The first is the canonical one: decoded once,
    slashes merged and dot segments removed. ``*`` and an empty path are read as they are.

    ``AmbiguousPath`` if there are more than anybody can mean.
    """
    if path[:1] != b"/" or PLAIN.fullmatch(path) is not None:
        return (path,)
    stands = _plainest(path)
    if _UNSURE.search(stands) is None:
        return (stands,)
    decoded = _SEPARATOR.sub(_separator, stands)
    forms = {decoded, stands}
    if b"%25" in decoded:
        forms.add(_SEPARATOR.sub(_separator, _plainest(_TWICE.sub(b"%", decoded))))
    for end in _ENDS:
        forms.update([form.partition(end)[0] for form in forms if end in form])
    if b"%" in decoded:
        forms.update([_WHITE_END.sub(b"", form) for form in forms])
    forms.update([form.replace(b"\\", b"/") for form in forms if b"\\" in form])
    forms.update([_PARAMETERS.sub(b"", form) for form in forms if b";" in form])
    canonical = _without_dot_segments(_merged(decoded))
    read = dict.fromkeys([canonical])
    for form in sorted(forms):
        read[form] = None
        if b"//" in form or b"/." in form:
            merged, undotted = _merged(form), _without_dot_segments(form)
            read.update(dict.fromkeys((merged, undotted, _without_dot_segments(merged), _merged(undotted))))
        if len(read) > _MOST_READINGS:
            raise AmbiguousPath("the path can be read in too many ways")
    return tuple(read)


def normal(path: bytes) -> bytes:
    """``path``, without a query, as RFC 3986 section 6.2.2 has it: escapes of unreserved characters are decoded, the
    others in upper case, and dot segments removed. To the RFC it is the same path. ``*`` and an empty one stay.
    """
    path = normal_escapes(path)
    return _without_dot_segments(path) if b"/." in path else path


def normal_escapes(text: bytes) -> bytes:
    """A path or a query with the escapes of unreserved characters decoded, and the others in upper case."""
    return _ESCAPE.sub(_normal_escape, text) if b"%" in text else text


def escaped(text: str) -> str:
    """``text`` of a configuration with its characters beyond ASCII as they come over the wire: the escapes of their
    UTF-8 (RFC 3987 section 3.1).
    """
    if text.isascii():
        return text
    return "".join(f"%{byte:02X}" if byte > 0x7E else chr(byte) for byte in as_bytes(text))


def plainest(path: bytes) -> bytes:
    """``path`` with its escapes as those of :func:`readings` are, and nothing else changed."""
    return _plainest(path) if b"%" in path else path


def _plainest(path: bytes) -> bytes:
    return _ESCAPE.sub(_plain_escape, path)


def _normal_escape(match: re.Match[bytes]) -> bytes:
    return _NORMAL[match[0]]


def _plain_escape(match: re.Match[bytes]) -> bytes:
    return _PLAINEST[match[0]]


def _separator(match: re.Match[bytes]) -> bytes:
    return {b"%2F": b"/", b"%5C": b"\\", b"%3B": b";"}[match[0]]


def _merged(path: bytes) -> bytes:
    return _SLASHES.sub(b"/", path)


def _without_dot_segments(path: bytes) -> bytes:
    """RFC 3986 section 5.2.4, for a path that begins with a slash."""
    if _DOTS.search(path) is None:
        return path
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


def configured_path(text: str, *, alike: bool = True) -> bytes:
    """A path from a configuration, in the form of :func:`readings`; ``ConfigError`` if it is none, or if it has to be
    read ``alike`` by all servers and is not. What is not ASCII is escaped.
    """
    path = escaped(text).encode("ascii")
    accepted = "accepted is a path such as /api, without a query, spaces, or . and .. as segments"
    if "*" in text:
        raise ConfigError(f"{text!r} has a *, which stands for nothing here", f"{accepted}: /api is for all below it")
    if not _PATH.fullmatch(path):
        raise ConfigError(f"{text!r} is no path", accepted)
    read = readings(path)
    if any(_DOTS.search(reading) for reading in read):
        raise ConfigError(f"{text!r} has dot segments", accepted)
    if not alike:
        return _plainest(path)
    if len(read) > 1:
        raise ConfigError(f"{text!r} is not read alike by all servers", f"{accepted}, //, ;, and escapes of separators")
    return read[0]


def has_prefix(path: bytes, prefix: bytes) -> bool:
    """Whether ``path`` is ``prefix`` or below it; a prefix with a slash at its end has below it only what follows."""
    return path.startswith(prefix) and (len(path) == len(prefix) or prefix[-1:] == b"/" or path[len(prefix)] == 0x2F)


def in_one_place(path: bytes, place: Callable[[bytes], bool]) -> bool:
    """Whether ``place`` holds for ``path``; ``AmbiguousPath`` if it does for some of its readings and not for all."""
    held = {place(reading) for reading in readings(path)}
    if len(held) > 1:
        raise AmbiguousPath("the path leads to different places by different readings")
    return held.pop()


def check_within(path: bytes, prefix: bytes) -> None:
    """``AmbiguousPath`` if ``path`` is not ``prefix`` or below it by all of its readings."""
    if not all(has_prefix(reading, prefix) for reading in readings(path)):
        raise AmbiguousPath("the path leads out of where it has to be")


def prefix_of(prefix: bytes) -> re.Pattern[bytes]:
    """What matches a ``prefix`` in the form of :func:`readings`, and the end of a segment, at the beginning of a path,
    whichever of its characters are escaped there.
    """
    escapable: Iterable[bytes] = re.findall(rb"%..|.", prefix, re.S)
    return re.compile(
        b"".join(
            re.escape(one) if len(one) == 3 or one == b"/" else b"(?:%b|%%%02X)" % (re.escape(one), ord(one))
            for one in escapable
        )
        + rb"(?=/|\Z)"
    )


def as_local(path: bytes) -> bytes:
    """A path as a reference to the same server: one that begins with ``//`` would name another (RFC 3986 section 4.2),
    and browsers take a backslash for a slash.
    """
    return b"/." + path if path[:1] == b"/" and path[1:2] in (b"/", b"\\") else path


@frozen
class PathPattern:
    """A path or prefix as readings have it, or the text of a regular expression, which has to match the whole path;
    ``kind`` is one of ``=``, ``/``, ``~`` and empty, for any path.
    """

    kind: str = ""
    text: bytes = b""
    fullmatch: Callable[[bytes], object] | None = attrs.field(default=None, eq=False)

    @classmethod
    def parse(cls, text: str) -> PathPattern:
        """From ``/prefix``, ``=/exact`` or ``~regex``; ``ConfigError`` if it is none of them."""
        if text.startswith(EXPRESSION_MARK):
            pattern = bytes_expression(text)
            return cls("~", pattern.pattern, pattern.fullmatch)
        if text.startswith("="):
            return cls("=", configured_path(text[1:]))
        if text in ("", "/"):
            # All that is below the root is all that there is; OPTIONS * is for it as well.
            return cls()
        if not text.startswith("/"):
            raise ConfigError(f"{text!r} is no path", "accepted are /prefix, =/exact and ~regex")
        return cls("/", configured_path(text))

    def holds(self, path: bytes) -> bool:
        """Whether a reading of a path is meant (see the module)."""
        if self.kind == "=":
            return path == self.text
        if self.kind == "/":
            return has_prefix(path, self.text)
        return self.fullmatch is None or self.fullmatch(path) is not None

    def why(self, path: bytes) -> str:
        """Why it is not."""
        wanted = {"=": "is not {}", "/": "is not under {}", "~": "does not match ~{}"}[self.kind]
        return f"path {shown(path)} " + wanted.format(shown(self.text))
