"""TLS of a listener in a configuration file: its certificates, or one for trials."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from txproxy.components.settings import default_of
from txproxy.components.values import one_of, text, texts, whole
from txproxy.config.toml.tables import Table
from txproxy.errors import ConfigError, Finding, Path
from txproxy.tls.hardening import MIN_VERSIONS
from txproxy.tls.listener_contexts import CLIENT_AUTH, HTTP1, WITH_HTTP2, ListenerTls, ServerTls
from txproxy.tls.self_signed import SelfSigned, self_signed, served_name

_tls_default: Final = partial(default_of, ListenerTls)
# Raw streams: their protocol is their peers' own to agree on.
_NO_PROTOCOLS: Final[tuple[bytes, ...]] = ()


def read_tls(table: Table, mode: str, http2: bool) -> ListenerTls | None:
    """The TLS of a listener of that mode, which may speak ``http2``; None if it has none."""
    certificates = []
    for keys, value in table.elements("certificates") or ():
        pair = _certificate(table, keys, value)
        if pair is not None:
            certificates.append((keys, pair))
    values: dict[str, Any] = {"alpn": _NO_PROTOCOLS if mode == "tcp" else WITH_HTTP2 if http2 else HTTP1}
    inner = table.table("tls")
    if inner is not None:
        values |= {
            "min_version": inner.read("min_version", one_of(tuple(MIN_VERSIONS)), _tls_default("min_version")),
            "ciphers": inner.read("ciphers", text, None),
            "client_ca": inner.file("client_ca"),
            "client_auth": inner.read("client_auth", one_of(tuple(CLIENT_AUTH)), _tls_default("client_auth")),
            "client_depth": inner.read("client_depth", whole(0, 100), _tls_default("client_depth")),
        }
        if "client_auth" in inner and "client_ca" not in inner:
            inner.fault(
                "there is no CA for their certificates", "client_auth", accepted="accepted is client_ca with it"
            )
        inner.close()
    made = _self_signed(table)
    if made is not None and "certificates" in table:
        table.fault("there are certificates", "self_signed", accepted="accepted is one of them")
        return None
    if table.elements("certificates") == []:
        table.fault("there is none in it", "certificates", accepted="accepted is one or more")
    elif "certificates" not in table and made is None:
        for key in ("tls_listen", "tls"):
            if key in table:
                accepted = "accepted is certificates = [{ cert = FILE, key = FILE }], or self_signed = true for trials"
                table.fault("it needs certificates", key, accepted=accepted)
    elif "tls_listen" not in table:
        key = "certificates" if made is None else "self_signed"
        table.fault("nothing is served with them", key, accepted="accepted is tls_listen with them")
    if not certificates and made is None:
        return None
    pairs = tuple(pair for _, pair in certificates)
    tls = ListenerTls(certificates=pairs, self_signed=made, prefix="", **values)
    try:
        ServerTls(tls)
    except ConfigError as fault:
        for one in fault.findings:
            _tell(table, one, certificates, tls)
    return tls


def _certificate(table: Table, keys: Path, value: object) -> tuple[str, str | None] | None:
    if isinstance(value, dict):
        inner = table.inner(value, *keys, kind="certificates[]")
        inner.need("cert", lambda value: value, None, "the name of a PEM file")
        cert, key = inner.file("cert"), inner.file("key")
        inner.close()
    else:
        key = None
        try:
            cert = table.file_name(value, "certificates")
        except ConfigError as fault:
            table.faults_of(fault, *keys)
            return None
    return None if cert is None else (cert, key)


def _tell(
    table: Table, finding: Finding, certificates: list[tuple[Path, tuple[str, str | None]]], tls: ListenerTls
) -> None:
    """Tell what :class:`ServerTls` has found at the key that it is about."""
    key, *more = finding.path
    if key == "certificates" and more:
        # Which file of the two it is.
        keys, _ = certificates[int(more[0])]
        said = f"{finding.place}: {finding.said}"
    else:
        keys, said = ("tls", key), f"{getattr(tls, str(key))}: {finding.said}"
    table.fault(said, *keys, accepted=finding.accepted)


def _self_signed(table: Table) -> SelfSigned | None:
    """What is made for trials, if that is wanted: ``true``, or for which hosts as well."""
    given = table.given("self_signed")
    if given is None or given is False:
        return None
    names = () if given is True else table.some("self_signed", texts(served_name)) or ()
    table.doubt("no client can verify this certificate: it is for trials", "self_signed")
    return self_signed(names)
