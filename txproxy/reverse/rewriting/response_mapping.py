"""URLs and cookies of an upstream, as its client must see them.

A route that takes a prefix from the path, or adds one, and an upstream that has another name than the proxy, make what
an upstream says of itself wrong for the client. What is mapped back:

- ``Location``, ``Content-Location`` and the URL of ``Refresh``, where they name the upstream itself: by its own
  authority (also as ``https`` without a port, where it is no other than the client's host), or that of the Host that it
  was sent, which becomes the client's scheme and authority; or by the client's authority, if that is what it was told.
  There ``http`` becomes ``https`` where the client speaks that: an upstream behind TLS does not always know. The other
  way round it stays, or a redirect to ``https`` would never arrive.
- Their path, and paths alone: what is below the prefix that the route adds is put below the one that it strips. A path
  that is below that one already comes from an upstream that knows of it, and stays, as does one relative to the
  request's.
- ``Set-Cookie``: ``Path`` likewise. ``Domain`` is replaced as told; else it is taken away where it fits the upstream
  and not the client's host, so that the cookie is the client's host's alone.

All else is left as it is, such as a URL with userinfo. What a regular expression has made of a path cannot be undone.

A response that is kept is mapped in two steps, as nobody knows later which upstream has sent it: what names that is
mapped before it is kept (:class:`WayToKeep`), and all that depends on the route when a client gets it, which may have
come by another one by then.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, TypeAlias

from txproxy.interfaces.context import RequestContext
from txproxy.matching.hosts import named_host
from txproxy.matching.paths import as_local, has_prefix
from txproxy.reverse.rewriting.location_mapping import LocationMapping, mapped_location
from txproxy.reverse.routing.matches import host_of
from txproxy.wire.message import RequestHead
from txproxy.wire.target import DEFAULT_PORTS, split_authority

_Map: TypeAlias = "Callable[[bytes, RequestHead, RequestContext, bytes, bytes], bytes]"

_REFERENCE: Final = re.compile(rb"(?:([A-Za-z][A-Za-z0-9+.\-]*):)?//([^/?#\\]*)([/?#].*)?")
_PATH: Final = re.compile(rb"([^?#]*)(.*)")
# WHATWG HTML, "shared declarative refresh steps"
_REFRESH: Final = re.compile(rb"([0-9.]+[ \t]*[;,][ \t]*(?:[Uu][Rr][Ll][ \t]*=[ \t]*)?[\"']?)([^\"']*)(.*)")


class WayBack:
    """Maps the fields of a response. ``strip`` and ``add`` are the prefixes that the route took from the path, and put
    before it; they have no slash at the end, and may be empty. ``domains`` maps a cookie's domain to another, or to
    nothing: none. ``paths`` are prefixes of a cookie's path, and what they become; ``locations`` are URLs that become
    others, before any of them is mapped back.
    """

    __slots__ = ("_strip", "_add", "_domains", "_paths", "_locations", "_maps")

    def __init__(
        self,
        strip: bytes = b"",
        add: bytes = b"",
        domains: Mapping[bytes, bytes] | None = None,
        paths: Iterable[tuple[bytes, bytes]] = (),
        locations: Iterable[LocationMapping] = (),
    ) -> None:
        self._strip = strip
        self._add = add
        self._domains = dict(domains or {})
        self._paths = tuple(paths)
        self._locations = tuple(locations)
        self._maps: dict[bytes, _Map] = {
            b"location": self.reference,
            b"content-location": self.reference,
            b"refresh": self.refresh,
            b"set-cookie": self.cookie,
        }

    def lines(
        self, lines: list[bytes], head: RequestHead, context: RequestContext, authority: bytes, told: bytes = b""
    ) -> list[bytes]:
        """The field lines of a response to ``head``, as the client sent it, from the upstream of that ``authority``,
        who was ``told`` another one as its own.
        """
        mapped = []
        for line in lines:
            name, _, value = line.partition(b": ")
            change = self._maps.get(name.lower())
            mapped.append(line if change is None else name + b": " + change(value, head, context, authority, told))
        return mapped

    # -- URLs

    def reference(
        self, value: bytes, head: RequestHead, context: RequestContext, authority: bytes, told: bytes = b""
    ) -> bytes:
        """A URL, or a reference relative to one (RFC 3986 section 4.2)."""
        if self._locations and (made := mapped_location(value, self._locations, head, context)) is not None:
            return made
        if value[:1] == b"/" and value[1:2] not in (b"/", b"\\"):
            return as_local(self._path(value))
        found = _REFERENCE.fullmatch(value)
        if found is None:
            return value
        scheme, theirs, path = found[1], found[2], found[3] or b""
        if scheme is not None and scheme.lower() not in (b"http", b"https"):
            return value
        default = DEFAULT_PORTS[scheme.lower()] if scheme is not None else None
        host = head.authority
        if _same(theirs, host, default):
            if context.scheme == "https" and scheme is not None:
                scheme = b"https"
            else:
                host = theirs
        elif (
            _same(theirs, authority, default)
            or _same(theirs, told, default)
            or (default == 443 and _names(theirs, authority) and not _names(theirs, host))
        ):
            scheme = scheme and context.scheme.encode("ascii")
        else:
            return value
        path = self._path(path)
        if not host:
            # HTTP/1.0, where the client named no host
            return as_local(path if path[:1] == b"/" else b"/" + path)
        return (scheme + b"://" if scheme is not None else b"//") + host + path

    def _path(self, reference: bytes) -> bytes:
        """A path with or without query and fragment; nothing before it."""
        strip, add = self._strip, self._add
        path, rest = reference, b""
        if b"?" in reference or b"#" in reference:
            found = _PATH.fullmatch(reference)
            assert found is not None, "it matches anything"
            path, rest = found.groups()
        if add:
            if has_prefix(path, add):
                return (strip + path[len(add) :] or b"/") + rest
        elif strip and not has_prefix(path, strip):
            return strip + path + rest
        return reference

    def refresh(
        self, value: bytes, head: RequestHead, context: RequestContext, authority: bytes, told: bytes = b""
    ) -> bytes:
        """Seconds, and a URL or none."""
        found = _REFRESH.fullmatch(value)
        if found is None:
            return value
        before, url, after = found.groups()
        return before + self.reference(url, head, context, authority, told) + after

    # -- cookies

    def cookie(
        self, value: bytes, head: RequestHead, context: RequestContext, authority: bytes, told: bytes = b""
    ) -> bytes:
        """A cookie with its attributes, as user agents read them (RFC 6265 section 5.2): the last of a name counts."""
        pair, *attributes = value.split(b";")
        # Such a cookie is only taken with the path "/" and no domain (RFC 6265bis 4.1.3.2).
        if not attributes or pair.strip(b" \t").lower().startswith(b"__host-"):
            return value
        kept = [pair]
        domain = None
        for attribute in attributes:
            name, _, text = attribute.partition(b"=")
            kind, text = name.strip(b" \t").lower(), _unquoted(text.strip(b" \t"))
            if kind == b"domain" and text:
                domain = text
            elif kind == b"path" and text[:1] == b"/" and (path := self._cookie_path(text)) != text:
                kept.append(name + b"=" + path)
                continue
            kept.append(attribute)
        if domain is not None and (other := self._domain(domain, head, (authority, told))) != domain:
            kept = [pair, *(attribute for attribute in kept[1:] if not _is_domain(attribute))]
            if other:
                kept.append(b" Domain=" + other)
        return b";".join(kept)

    def _cookie_path(self, path: bytes) -> bytes:
        for prefix, other in self._paths:
            if has_prefix(path, prefix):
                return other + path[len(prefix) :] or b"/"
        strip, add = self._strip, self._add
        if not strip and not add:
            return path
        if not add:
            if has_prefix(path, strip):
                return path
            rest = path
        elif has_prefix(path, add):
            rest = path[len(add) :]
        elif has_prefix(add, path):
            # for more than the client can see of the upstream
            rest = b""
        else:
            return path
        # Not "/api/": RFC 6265 5.1.4 would not send it with /api.
        return strip + rest if rest not in (b"", b"/") else strip or b"/"

    def _domain(self, domain: bytes, head: RequestHead, theirs: tuple[bytes, ...]) -> bytes:
        name = domain.lower().removeprefix(b".")
        other = self._domains.get(name)
        if other is not None:
            return other
        if not _fits(host_of(head.authority), name) and any(_fits(host_of(other), name) for other in theirs if other):
            return b""
        return domain


def _same(theirs: bytes, ours: bytes, default: int | None) -> bool:
    """Whether two authorities are one, for a scheme with that ``default`` port."""
    try:
        host, port = split_authority(theirs)
        name, number = split_authority(ours)
    except ValueError:
        # with userinfo, or none at all
        return False
    return named_host(host) == named_host(name) and (port or default) == (number or default)


def _names(theirs: bytes, ours: bytes) -> bool:
    """Whether a URL of https, at its own port, names the host of an authority that has whatever port."""
    name = host_of(ours)
    return bool(name) and _same(theirs, b"[%b]" % name.encode() if ":" in name else name.encode(), 443)


def _unquoted(text: bytes) -> bytes:
    """What an attribute says. RFC 2109 had servers quote it, and some user agents take the quotes for part of it."""
    return text[1:-1] if len(text) > 1 and text[:1] == text[-1:] == b'"' else text


def _is_domain(attribute: bytes) -> bool:
    return attribute.partition(b"=")[0].strip(b" \t").lower() == b"domain"


def _fits(host: str, domain: bytes) -> bool:
    """RFC 6265 section 5.1.3."""
    name = domain.decode("latin-1")
    return host == name or host.endswith("." + name)


class WayToKeep(WayBack):
    """Maps what names an upstream in a response that is kept, and what names its domains. URLs that one of the
    ``locations`` is for stay, as that knows them by what the upstream has said.
    """

    __slots__ = ("_staying",)

    def __init__(self, domains: Mapping[bytes, bytes] | None = None, locations: Iterable[LocationMapping] = ()) -> None:
        super().__init__(domains=domains)
        self._staying = tuple(locations)

    def reference(
        self, value: bytes, head: RequestHead, context: RequestContext, authority: bytes, told: bytes = b""
    ) -> bytes:
        """See :class:`WayBack`."""
        if self._staying and mapped_location(value, self._staying, head, context) is not None:
            return value
        return super().reference(value, head, context, authority, told)

    def map(self, attempt: Any, head: RequestHead, context: RequestContext, lines: list[bytes]) -> list[bytes]:
        """See ``map_back`` of :class:`txproxy.interfaces.Plan`."""
        return self.lines(lines, head, context, attempt.upstream.authority, attempt.head.authority)


_WITHOUT_PREFIXES: Final = WayToKeep()


def map_back(attempt: Any, head: RequestHead, context: RequestContext, lines: list[bytes]) -> list[bytes]:
    """The lines of a response to ``head`` where no route has changed the path; see :class:`txproxy.interfaces.Plan`."""
    return _WITHOUT_PREFIXES.map(attempt, head, context, lines)
