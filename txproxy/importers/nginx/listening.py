"""Where nginx listens, and which server gets a request there, as listeners and hosts of routes."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from typing import Any, Final

import attrs

from txproxy.errors import ConfigError
from txproxy.importers.nginx.syntax.blocks import Directive
from txproxy.importers.nginx.syntax.nginx_expressions import marked, whole_expression
from txproxy.importers.nginx.syntax.nginx_scopes import Notes, Scope
from txproxy.importers.notes import Untranslatable
from txproxy.matching.hosts import HostPattern, is_literal
from txproxy.matching.ports import read_port

# What tells how a socket is, and not what is done with its connections.
_OF_SOCKETS: Final = frozenset(
    {"reuseport", "deferred", "bind", "backlog", "rcvbuf", "sndbuf", "fastopen", "so_keepalive", "setfib",
     "accept_filter", "ipv6only"}
)  # fmt: skip
_ALL_IPV4: Final = "0.0.0.0"
_ALL_IPV6: Final = "[::]"


@attrs.define(eq=False)
class Server:
    """A ``server`` block, the names that it has, and where it listens."""

    scope: Scope
    names: tuple[str, ...]
    listens: list[Directive]


@attrs.define(eq=False)
class Socket:
    """One address that is listened at: the ``servers`` in their order, and which of them is for all other hosts."""

    address: str
    port: str
    servers: list[Server] = attrs.field(factory=list)
    default: Server | None = None
    tls: bool = False
    http2: bool = False
    proxy_protocol: bool = False

    @property
    def chosen(self) -> Server:
        """The one for hosts that none has."""
        return self.default or self.servers[0]

    @property
    def shape(self) -> tuple[Any, ...]:
        """Sockets that are equal in this are one listener."""
        return tuple(self.servers), self.chosen, self.tls, self.http2, self.proxy_protocol


@attrs.define(eq=False)
class Listening:
    """A listener: some sockets with the same servers."""

    name: str
    sockets: list[Socket]

    @property
    def first(self) -> Socket:
        """Any of them, as all are the same in what counts."""
        return self.sockets[0]

    @property
    def port(self) -> str:
        """The port, if there is one for all."""
        ports = {socket.port for socket in self.sockets}
        return ports.pop() if len(ports) == 1 else ""

    def endpoints(self, notes: Notes) -> list[str]:
        """Where it listens, in our words."""
        found = []
        addresses = {(socket.address, socket.port) for socket in self.sockets}
        for socket in self.sockets:
            if socket.address == _ALL_IPV4 and (_ALL_IPV6, socket.port) in addresses:
                continue
            if socket.address == _ALL_IPV6 and (_ALL_IPV4, socket.port) not in addresses:
                for server in socket.servers:
                    for one in server.listens:
                        notes.say(one, "[::] is IPv4 as well here")
            found.append(_endpoint(socket))
        return found


def _endpoint(socket: Socket) -> str:
    return f"unix:{socket.address}" if not socket.port else f"{socket.address}:{socket.port}"


def server_of(scope: Scope) -> Server:
    """A server, from its block."""
    names = [word for one in scope.own("server_name") for word in one.words]
    return Server(scope, tuple(names), scope.own("listen"))


def listenings(servers: Iterable[Server], notes: Notes) -> list[Listening]:
    """The listeners that the servers make."""
    sockets: dict[tuple[str, str], Socket] = {}
    for server in servers:
        directives = server.listens or [
            Directive(server.scope.directive.file, server.scope.directive.line, "listen", ("80",))
        ]
        for directive in directives:
            try:
                _listen(directive, server, sockets, notes)
            except Untranslatable as fault:
                notes.say(directive, f"it is left out: {fault}")
    by_shape: dict[tuple[Any, ...], list[Socket]] = {}
    for socket in sockets.values():
        by_shape.setdefault(socket.shape, []).append(socket)
    made = [Listening("", group) for group in by_shape.values()]
    for one in made:
        kind = "tls" if one.first.tls else "plain"
        places = dict.fromkeys(socket.port or socket.address for socket in one.sockets)
        one.name = f"{kind} {' '.join(places)}"
    for number, one in enumerate(made):
        if any(other.name == one.name for other in made[:number]):
            one.name += f" at {one.first.address}"
    return made


def _listen(directive: Directive, server: Server, sockets: dict[tuple[str, str], Socket], notes: Notes) -> None:
    place = place_of(directive.first)
    # Looked at first: what is left out makes no socket.
    for word in directive.words[1:]:
        if word in ("quic", "http3", "udp"):
            raise Untranslatable(f"{word} is not spoken here")
    socket = sockets.setdefault(place, Socket(*place))
    if server not in socket.servers:
        socket.servers.append(server)
    for word in directive.words[1:]:
        name = word.partition("=")[0]
        if name in ("default_server", "default"):
            socket.default = server
        elif name == "ssl":
            socket.tls = True
        elif name in ("http2", "spdy"):
            socket.http2 = True
        elif name == "proxy_protocol":
            socket.proxy_protocol = True
        elif name not in _OF_SOCKETS:
            notes.say(directive, f"{word} is not known here")
    for one in server.scope.all("http2"):
        socket.http2 = socket.http2 or one.first == "on"


def place_of(text: str) -> tuple[str, str]:
    """Address and port of ``listen``; the port is empty for a UNIX socket, whose address is its path."""
    if text.startswith("unix:"):
        return text.removeprefix("unix:"), ""
    if text.isdigit():
        host, port = "*", text
    elif text.startswith("["):
        host, _, port = text.partition("]")
        host, port = host + "]", port.removeprefix(":") or "80"
    else:
        host, colon, port = text.partition(":")
        port = port if colon else "80"
    if not read_port(port):
        raise Untranslatable(f"{text or 'nothing'} is no place to listen at")
    if host == "*":
        host = _ALL_IPV4
    elif host == "localhost":
        host = "127.0.0.1"
    elif not is_literal(host.strip("[]")):
        raise Untranslatable(f"{host} is a name; an address of this machine is wanted")
    return host, port


# -- names


def hosts_of(server: Server, notes: Notes) -> list[str]:
    """The hosts of its routes. Expressions come last, and ``www.shop.*`` is one."""
    found: list[str] = []
    for directive in server.scope.own("server_name"):
        for word in directive.words:
            try:
                host = _host(word)
            except Untranslatable as fault:
                notes.say(directive, f"{word}: {fault}")
                continue
            if host:
                found.append(host)
    return list(dict.fromkeys(found))


def _host(word: str) -> str:
    if word in ("", "_", "-", "--", "$hostname", "!@#"):
        # Names that no client asks for.
        if word == "$hostname":
            raise Untranslatable("the name of this machine has to be written down")
        return ""
    if word.startswith("~"):
        return marked(whole_expression(word[1:], ignore_case=True))
    if word.endswith(".*"):
        return marked(f"(?i){re.escape(word[:-2])}\\..+")
    try:
        return str(HostPattern.parse(word))
    except ConfigError as fault:
        raise Untranslatable(fault.said) from None


def order_of(hosts: Sequence[str]) -> tuple[bool, int]:
    """By which servers are sorted for their expressions to be asked in nginx's order: those with an asterisk at the
    end first, the longest before the others.
    """
    ends = [len(one) for one in hosts if one.startswith("~(?i)") and one.endswith("\\..+")]
    return not ends, -max(ends, default=0)


# -- TLS


def tls_of(listening: Listening, notes: Notes) -> dict[str, Any]:
    """``certificates`` and ``tls`` of a listener, which are those of all its servers."""
    certificates: list[dict[str, str]] = []
    first = listening.first.chosen
    servers = [first, *(server for server in listening.first.servers if server is not first)]
    for server in servers:
        certs, keys = server.scope.all("ssl_certificate"), server.scope.all("ssl_certificate_key")
        for cert, key in zip(certs, keys, strict=False):
            pair = {name: os.path.join(notes.folder, one.first) for name, one in (("cert", cert), ("key", key))}
            if "$" in cert.first + key.first:
                notes.say(cert, "a name of a file with variables is not known before a request comes")
            elif pair not in certificates:
                certificates.append(pair)
    found: dict[str, Any] = {"certificates": certificates}
    tls = _versions(first, notes)
    if ciphers := first.scope.word("ssl_ciphers"):
        tls["ciphers"] = ciphers
    odd = at_odds(listening)
    files = " and ".join(dict.fromkeys(_authorities(server) or "none" for server in odd))
    for server in odd:
        why = f"a listener has one file of authorities, and these are {files}: its server answers 403"
        notes.say(server.scope.last("ssl_verify_client") or server.scope.directive, why)
    if not odd:
        tls |= _clients(servers, notes)
    return found | ({"tls": tls} if tls else {})


def _versions(server: Server, notes: Notes) -> dict[str, Any]:
    directive = server.scope.last("ssl_protocols")
    if directive is None:
        return {}
    old = [word for word in directive.words if word not in ("TLSv1.2", "TLSv1.3")]
    if old:
        notes.say(directive, f"{' '.join(old)} is not spoken here: it is 1.2 at least")
    newest = "TLSv1.3" in directive.words and "TLSv1.2" not in directive.words and not old
    if directive.words and "TLSv1.3" not in directive.words:
        notes.say(directive, "TLSv1.3 is spoken as well")
    return {"min_version": "1.3"} if newest else {}


def at_odds(listening: Listening) -> list[Server]:
    """The servers that ask for certificates, where these are of different authorities for one than for another: a
    listener has one file of them, and nobody is to come in by another's.
    """
    asking = [server for server in listening.first.servers if _asks(server)] if listening.first.tls else []
    return asking if len({_authorities(server) for server in asking}) > 1 else []


def _asks(server: Server) -> bool:
    return server.scope.word("ssl_verify_client", "off") != "off"


def _authorities(server: Server) -> str:
    return server.scope.file("ssl_client_certificate") or server.scope.file("ssl_trusted_certificate")


def _clients(servers: Sequence[Server], notes: Notes) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for server in servers:
        verify = server.scope.last("ssl_verify_client")
        if verify is None or not _asks(server):
            continue
        ca = _authorities(server)
        if len(servers) > 1:
            notes.say(verify, "it is for all servers of the listener here")
        if verify.first == "optional_no_ca" or not ca:
            notes.say(verify, "certificates are verified here, or not asked for; taken over as required")
        if ca:
            found["client_ca"] = ca
            required = found.get("client_auth") == "require" or verify.first != "optional"
            found["client_auth"] = "require" if required else "optional"
        if depth := server.scope.word("ssl_verify_depth"):
            found["client_depth"] = int(depth) if depth.isdigit() else 1
    return found
