"""A PAC file: what tells browsers to use this proxy, and for what not.

``FindProxyForURL`` as all browsers know it, in the JavaScript of its time, and without look-ups of names: those would
block a browser, and ask a DNS that may know nothing of what the proxy knows.
"""

from __future__ import annotations

import json
import re
from typing import Final

from txproxy.errors import RequestError
from txproxy.forward.parents.no_proxy import Entry, NoProxy
from txproxy.interfaces.answers import Answer, Refusal
from txproxy.interfaces.context import RequestContext
from txproxy.matching.networks import Network
from txproxy.wire.message import RequestHead
from txproxy.wire.target import split_authority

PATH: Final = b"/proxy.pac"

_TYPE: Final = b"Content-Type: application/x-ns-proxy-autoconfig"
# Configurations change; a browser that has asked does so again soon.
_FRESH: Final = b"Cache-Control: private, max-age=300"
_ALLOW: Final = (b"Allow: GET, HEAD",)
# More than these are no part of names that are in use, and have a meaning in what FindProxyForURL returns.
_HOST: Final = re.compile(r"[A-Za-z0-9._:-]+")

_HEAD: Final = """\
function FindProxyForURL(url, host) {
  host = host.toLowerCase().replace(/^\\[|\\]$/g, "").replace(/\\.$/, "");
"""
_PORT: Final = """\
  var secure = /^(https|wss):/.test(url.toLowerCase());
  var match = /^[a-z]+:\\/\\/(?:[^\\/?#]*@)?(?:\\[[^\\]]*\\]|[^\\/?#:]*):([0-9]+)(?=[\\/?#]|$)/.exec(url.toLowerCase());
  var port = match ? Number(match[1]) : secure ? 443 : 80;
"""
_ADDRESS: Final = """\
  var bits = addressBits(host);
"""
_PLAIN: Final = """\
  if (host.indexOf(".") < 0 && host.indexOf(":") < 0) return "DIRECT";
  if (/^127(\\.[0-9]+){3}$/.test(host) || host === "::1") return "DIRECT";
"""
_BITS: Final = """\
// The bits of an IP address, or "" for what is none. ::ffff:10.0.0.1 is 10.0.0.1.
function addressBits(host) {
  var four = /^([0-9]{1,3})\\.([0-9]{1,3})\\.([0-9]{1,3})\\.([0-9]{1,3})$/.exec(host);
  var bits = "", i, j, groups;
  if (four) {
    for (i = 1; i < 5; i++) {
      if (Number(four[i]) > 255) return "";
      bits += padded(Number(four[i]).toString(2), 8);
    }
    return bits;
  }
  if (host.indexOf(":") < 0) return "";
  var tail = /^(.*:)([0-9.]+\\.[0-9]+)$/.exec(host);
  if (tail) {
    var last = addressBits(tail[2]);
    if (!last) return "";
    host = tail[1] + parseInt(last.slice(0, 16), 2).toString(16) + ":" + parseInt(last.slice(16), 2).toString(16);
  }
  var halves = host.split("::");
  if (halves.length > 2) return "";
  for (i = 0; i < halves.length; i++) {
    groups = halves[i] ? halves[i].split(":") : [];
    var part = "";
    for (j = 0; j < groups.length; j++) {
      if (!/^[0-9a-f]{1,4}$/.test(groups[j])) return "";
      part += padded(parseInt(groups[j], 16).toString(2), 16);
    }
    if (i === 1) while (bits.length + part.length < 128) bits += "0";
    bits += part;
  }
  return bits.length === 128 ? bits.replace(/^0{80}1{16}/, "") : "";
}
function padded(bits, size) {
  while (bits.length < size) bits = "0" + bits;
  return bits;
}
"""


def pac_file(proxy: str, exceptions: NoProxy) -> bytes:
    """A PAC file whose answer is ``proxy`` (``PROXY proxy.example:3128``), and ``DIRECT`` for names without a dot, for
    loopback addresses and for ``exceptions``.
    """
    entries = exceptions.entries
    text = _HEAD
    if any(entry.port for entry in entries):
        text += _PORT
    if any(entry.network is not None for entry in entries):
        text += _ADDRESS
    text += _PLAIN
    for entry in entries:
        text += f'  if ({_condition(entry)}) return "DIRECT";\n'
    text += f"  return {json.dumps(proxy)};\n}}\n"
    if any(entry.network is not None for entry in entries):
        text += _BITS
    return text.encode("ascii")


def _condition(entry: Entry) -> str:
    if entry.pattern is not None:
        # With a dot before the host, the name itself ends with what the names under it end with.
        subject = "host" if entry.pattern.sign == "*." else '("." + host)'
        suffix = json.dumps("." + entry.pattern.name)
        condition = f"{subject}.slice(-{len(suffix) - 2}) === {suffix}"
    else:
        assert entry.network is not None, "an entry is one of the two"
        condition = _in_network(entry.network)
    return f"port === {entry.port} && {condition}" if entry.port else condition


def _in_network(network: Network) -> str:
    size = network.max_prefixlen
    prefix = f"{int(network.network_address):0{size}b}"[: network.prefixlen]
    return f'bits.length === {size} && bits.slice(0, {network.prefixlen}) === "{prefix}"'


class Pac:
    """Serves the PAC file. In it the proxy is called what the client called it when it asked."""

    def __init__(self, exceptions: NoProxy) -> None:
        self._exceptions = exceptions

    def answer(self, head: RequestHead, context: RequestContext) -> Answer | Refusal:
        """To a request for the path."""
        if head.method not in (b"GET", b"HEAD"):
            return Refusal(405, "http_request_denied", "the PAC file can only be read", _ALLOW)
        scheme, default = ("HTTPS", 443) if context.connection.peer_scheme == "https" else ("PROXY", 80)
        proxy = f"{scheme} {_called(head, context, default)}"
        return Answer(200, (_TYPE, _FRESH, b"Vary: Host"), pac_file(proxy, self._exceptions))


def _called(head: RequestHead, context: RequestContext, default: int) -> str:
    if head.authority:
        host, port = split_authority(head.authority)
        port = port or default
    else:
        # HTTP/1.0 knows no Host: what the client has connected to is the best that is known.
        here = context.connection.transport.getHost()
        host, port = str(getattr(here, "host", "")), int(getattr(here, "port", 0))
    if not _HOST.fullmatch(host):
        raise RequestError("Host is no name that a proxy can have")
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
