"""What the name of a method means in a list of them, in all modes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

# RFC 9110 section 9, and RFC 5789
USUAL: Final = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "CONNECT"})

# RFC 9110 9.2.2, and the registry of methods (16.1)
IDEMPOTENT: Final = frozenset(
    b"ACL BASELINE-CONTROL BIND CHECKIN CHECKOUT COPY DELETE GET HEAD LABEL LINK MERGE MKACTIVITY MKCALENDAR MKCOL "
    b"MKREDIRECTREF MKWORKSPACE MOVE OPTIONS ORDERPATCH PROPFIND PROPPATCH PUT QUERY REBIND REPORT SEARCH TRACE UNBIND "
    b"UNCHECKOUT UNLINK UPDATE UPDATEREDIRECTREF VERSION-CONTROL".split()
)


def usual_name(name: str) -> str:
    """The method that ``name`` may be meant for where it is none: the case of a method's name matters (RFC 9110 section
    9.1), so ``get`` is another than ``GET``, and nobody means it. Any other name is its own.
    """
    return name.upper() if name.upper() in USUAL else name


def with_head(methods: Iterable[bytes]) -> frozenset[bytes]:
    """The ``methods``, and HEAD where GET is among them: what holds for a page holds for what is said of it (RFC 9110
    section 9.3.2).
    """
    known = frozenset(methods)
    return known | {b"HEAD"} if b"GET" in known else known
