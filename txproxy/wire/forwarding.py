"""What changes in a head on its way through: hop-by-hop fields, Via, and the fields that tell of the client.

RFC 9110 section 7.6. Functions give lists of field lines, which become the head that is sent on.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Final

from txproxy.errors import RequestError
from txproxy.wire.headers import Headers, Picking, Template, picking
from txproxy.wire.message import VERSIONS, RequestHead

# By which an administrator asks a proxy why, with what is a secret, and is told.
EXPLAIN: Final = b"x-txproxy-explain"
# RFC 9110 7.6.1, and 11.7: the proxy's own credentials and challenges are for one hop, whatever they are for
HOP_BY_HOP: Final = frozenset(
    b"connection keep-alive proxy-connection te transfer-encoding upgrade proxy-authenticate proxy-authorization "
    b"proxy-authentication-info x-txproxy-explain".split()
)
# What a Connection field may not take away: without these the message would be another (RFC 9110 7.6.1 forbids a
# sender to name them).
_NOT_FOR_ONE_HOP: Final = frozenset(b"host content-length content-type content-encoding via".split())
_PLAIN_OPTIONS: Final = frozenset({b"close", b"keep-alive", b"Keep-Alive", b"Close", b"", b"Upgrade", b"upgrade"})

# What must not be said in other letters to those who take them for the same: it would count there, and was not looked
# at here.
NOT_ALIKE: Final = HOP_BY_HOP | {b"content-length", b"host"}

# Fields by which proxies tell of the client. Those of an untrusted client are lies, or soon will be.
CLIENT_FIELDS: Final = frozenset(
    b"forwarded x-forwarded-for x-forwarded-proto x-forwarded-host x-forwarded-port x-forwarded-server "
    b"x-forwarded-prefix x-forwarded-ssl x-forwarded-scheme x-forwarded-by x-real-ip".split()
)
# By which proxies say what was asked of them, before they changed it. Applications and authorization servers go by some
# of these, and not by the target: who believes a client's has its rules for paths gone around.
TARGET_FIELDS: Final = frozenset(
    b"x-original-url x-original-uri x-original-method x-original-host x-rewrite-url x-forwarded-uri x-forwarded-method "
    b"x-forwarded-path".split()
)
# By which frameworks take another method, host or scheme than those of the request.
OVERRIDING_FIELDS: Final = frozenset(
    b"x-http-method-override x-http-method x-method-override x-http-host-override x-host x-forwarded-protocol "
    b"x-url-scheme x-scheme front-end-https x-http-destinationurl".split()
)
# Others by which clients, and proxies before this one, may do so.
TELLING_FIELDS: Final = frozenset(
    b"client-ip x-client-ip true-client-ip x-cluster-client-ip x-originating-ip x-remote-ip x-remote-addr x-forwarded "
    b"x-original-forwarded-for x-real-port cf-connecting-ip fastly-client-ip x-forwarded-user x-remote-user "
    b"x-authenticated-user x-forwarded-client-cert".split()
)
# By which upstreams are told of a client's certificate: ours, and those of RFC 9440 section 2, which whoever terminates
# TLS removes whether it sets them or not.
CERTIFICATE_FIELDS: Final = frozenset(
    b"x-ssl-client-verify x-ssl-client-subject x-ssl-client-issuer x-ssl-client-san x-ssl-client-serial "
    b"x-ssl-client-fingerprint client-cert client-cert-chain".split()
)

# RFC 9110 sections 10.2, 11.6, 11.7, 12.5.5 and 14.3, and others that say something in a response alone
RESPONSE_FIELDS: Final = frozenset(
    b"accept-ranges access-control-allow-credentials access-control-allow-headers access-control-allow-methods "
    b"access-control-allow-origin access-control-expose-headers access-control-max-age age allow alt-svc "
    b"authentication-info cache-status content-security-policy etag last-modified location "
    b"proxy-authenticate proxy-authentication-info proxy-status refresh retry-after server set-cookie "
    b"strict-transport-security vary www-authenticate x-content-type-options x-frame-options".split()
)
# sections 10.1, 11.6.2, 11.7.2, 12.5.2, 12.5.4, 13.1 and 14.2, and others that ask for something
REQUEST_FIELDS: Final = frozenset(
    b"accept-charset accept-language access-control-request-headers access-control-request-method authorization cookie "
    b"from if-match if-modified-since if-none-match if-range if-unmodified-since max-forwards origin "
    b"proxy-authorization range referer user-agent".split()
)


# What a name is usually made of, in lower case; and what each byte becomes for those who know no others.
_USUAL: Final = b"abcdefghijklmnopqrstuvwxyz0123456789-"
_PLAIN: Final = bytes(byte if byte in _USUAL else 0x2D for byte in bytes(range(256)).lower())


def plain(name: bytes) -> bytes:
    """A name as CGI (RFC 3875 section 4.1.18), WSGI, PHP and the like tell names apart: without case, and with all but
    letters and digits the same (``X_Remote.User`` is ``x-remote-user``).
    """
    return name.translate(_PLAIN)


def has_unusual(names: Iterable[bytes]) -> bool:
    """Whether there is one among the lower-case ``names`` that may look like another."""
    return bool(b"".join(names).translate(None, _USUAL))


def end_to_end(headers: Headers, drop: frozenset[bytes]) -> list[bytes]:
    """A new list of the lines without those whose lower-case name is in ``drop`` or named by Connection.

    ``drop`` is to have ``HOP_BY_HOP`` in it.
    """
    index = headers.index
    connection = index.get(b"connection")
    if connection is not None and connection not in _PLAIN_OPTIONS:
        drop = drop.union(headers.tokens(b"connection")) - (_NOT_FOR_ONE_HOP - drop)
    lines = headers.lines
    if drop.isdisjoint(index):
        return lines[:]
    if len(index) == len(lines):
        return [line for line, name in zip(lines, index, strict=True) if name not in drop]
    return [line for line, name in zip(lines, headers.names(), strict=True) if name not in drop]


class Passage:
    """How fields of one form go on: ``kept`` of their lines (one at least) as they came, after the lines ``before`` and
    followed by those ``after``.
    """

    __slots__ = ("form", "_before", "_pick", "_after", "_template", "_text", "_which")

    def __init__(self, headers: Headers, before: list[bytes], kept: list[bytes], after: list[bytes]) -> None:
        self.form = headers.form
        self._pick = picking(headers.lines, kept)
        self._before = b"".join([line + b"\r\n" for line in before])
        self._after = b"".join([b"\r\n" + line for line in after])
        self._template: Template | None = None
        # what gives the block by the values of fields that the template has read
        self._text = b""
        self._which: Picking | None = None

    def of(self, headers: Headers) -> Headers:
        """What goes on of ``headers``, which are of the form."""
        template = headers.template
        if template is None:
            return Headers.of_block(self._before + b"\r\n".join(self._pick(headers.lines)) + self._after)
        if template is not self._template:
            text, self._which = template.written(self._pick)
            self._text = self._before.replace(b"%", b"%%") + text + self._after.replace(b"%", b"%%")
            self._template = template
        which = self._which
        return Headers.of_block(self._text % (headers.values if which is None else which(headers.values)))


def passage(headers: Headers, before: list[bytes], kept: list[bytes], after: list[bytes]) -> Passage | None:
    """The passage of ``headers`` and others of their form; None if they have no form, or all comes anew."""
    return Passage(headers, before, kept, after) if headers.form is not None and kept else None


def replaced(headers: Headers, drop: frozenset[bytes], names: frozenset[bytes], added: list[bytes]) -> Headers:
    """The fields of a request with the ``added`` lines, whose lower-case names are ``names``, and without those in
    ``drop``, which are :func:`plain`. An upstream can take these lines for the proxy's word: what it may read as one
    of ``drop`` goes as well, and no ``Connection`` of the client takes one of ``names`` away.
    """
    if b"connection" in headers.index and not names.isdisjoint(options := headers.tokens(b"connection")):
        # What the client names there is for one hop, and ours would be taken for its own (RFC 9110 7.6.1).
        drop = drop.union(names.intersection(options))
        rest = b", ".join(option for option in options if option not in names)
        lines = [line for line, name in zip(headers.lines, headers.names(), strict=True) if name != b"connection"]
        headers = Headers.from_lines([*lines, b"Connection: " + rest] if rest else lines)
    index, lines = headers.index, headers.lines
    if has_unusual(index):
        going = frozenset(name for name in index if name in drop or plain(name) in drop)
    else:
        going = drop.intersection(index)
    if going:
        lines = [line for line, name in zip(lines, headers.names(), strict=True) if name not in going]
    return Headers.parsed([*lines, *added])


def without_lookalikes(lines: list[bytes], drop: frozenset[bytes], kept: frozenset[bytes] = frozenset()) -> list[bytes]:
    """The lines without those whose :func:`plain` name is in ``drop``, and is not their own: to whom they are the same,
    they say what nobody here has looked at. ``kept`` are lower-case names that stay however they are spelt.
    """
    found = []
    for line in lines:
        name = line.partition(b":")[0].lower()
        if (known := plain(name)) == name or known not in drop or name in kept:
            found.append(line)
    return found


def connection_lines(request: RequestHead) -> list[bytes]:
    """The hop-by-hop lines for the next hop: an Upgrade is offered on, and so is the wish for trailers."""
    upgrade = request.upgrade
    index = request.headers.index
    trailers = b"te" in index and b"trailers" in request.headers.tokens(b"te")
    if upgrade is not None:
        lines = [b"Connection: upgrade", b"Upgrade: " + upgrade]
    else:
        lines = []
    if trailers:
        # RFC 9110 10.1.4: TE is for one hop, and so must be named in Connection.
        lines = [b"Connection: upgrade, TE", *lines[1:]] if lines else [b"Connection: TE"]
        lines.append(b"TE: trailers")
    return lines


def received_in_http10(lines: Iterable[bytes]) -> list[bytes]:
    """The ``lines`` for a response with Via among them, for one that came in HTTP/1.0."""
    return [b"Via: 1.0" + line[8:] if line.startswith(b"Via: 1.1 ") else line for line in lines]


def max_forwards(head: RequestHead) -> int:
    """How many more proxies may pass on an OPTIONS request that says so (RFC 9110 section 7.6.2)."""
    value = head.headers.index[b"max-forwards"]
    if not value.isdigit() or len(value) > 9:
        raise RequestError("Max-Forwards is not a number")
    return int(value)


def one_hop_less(lines: list[bytes], head: RequestHead) -> list[bytes]:
    """The lines for an OPTIONS request with Max-Forwards, counted down."""
    others = [line for line in lines if not line.lower().startswith(b"max-forwards:")]
    return [*others, b"Max-Forwards: %d" % (max_forwards(head) - 1)]


def new_mark() -> bytes:
    """A comment for Via that no other running proxy has."""
    return os.urandom(6).hex().encode("ascii")


class Via:
    """Our entry in Via (RFC 9110 section 7.6.3): pseudonym and, in requests, a comment that no other proxy has. It says
    in which version a message was received.
    """

    __slots__ = ("response_line", "_request_lines", "_mark")

    def __init__(self, pseudonym: bytes, mark: bytes) -> None:
        self._mark = b"(%b)" % mark
        self._request_lines = tuple(b"Via: %b %b (%b)" % (version, pseudonym, mark) for version in VERSIONS)
        self.response_line = b"Via: 1.1 " + pseudonym

    def request_line(self, minor: int = 1) -> bytes:
        """The line for a request that came in the version at this place of ``VERSIONS``."""
        return self._request_lines[minor]

    def is_in(self, headers: Headers) -> bool:
        """Whether a request has been here before."""
        via = headers.index.get(b"via")
        return via is not None and self._mark in via


def via_entry(pseudonym: str | None, mark: str | None = None) -> Via | None:
    """The entry in Via of this running proxy; None for no pseudonym. Several processes that are one proxy have one
    ``mark``.
    """
    if pseudonym is None:
        return None
    return Via(pseudonym.encode("ascii"), mark.encode("ascii") if mark is not None else new_mark())
