"""Middleware that a configuration names: ``package.module:name``, with or without settings.

``name`` is a middleware, or what gives one when it is called with its settings: a class, or a function. To read a
configuration imports it and looks at it; it is made when the listener that it stands around is built.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from zope.interface.exceptions import Invalid
from zope.interface.verify import verifyClass, verifyObject

from txproxy.components.named_code import NamedCode, call_code, check_call, find_code
from txproxy.errors import ConfigError, Finding
from txproxy.interfaces.connection import IConnectionFilter
from txproxy.interfaces.middleware import IMiddleware

_ACCEPTED: Final = (
    "accepted is an object with handle(request, context, proceed), or with admit(connection) and closed(connection), "
    "or a class or a function that gives one when it is called with its settings"
)


def find_middleware(given: str | NamedCode, *, requests: bool = True, connections: bool = True) -> Any:
    """What is called ``package.module:name``; ``ConfigError`` if that can give no middleware, or none that has a place
    where no ``requests`` are read, or that is asked of no ``connections``.
    """
    code = NamedCode.of(given)
    found = find_code(code, "middleware")
    if isinstance(found, type):
        sound = _is_one(verifyClass, found)
    else:
        # What others give, nobody knows before they are called.
        sound = callable(found) or _is_one(verifyObject, found)
    if not sound:
        raise ConfigError(f"{code.name!r} is no middleware{_but(found)}", _ACCEPTED)
    if not requests and (isinstance(found, type) or not callable(found)) and not hasattr(found, "admit"):
        raise ConfigError(
            f"{code.name!r} handles requests, and raw streams have none",
            "accepted is what has admit(connection) and closed(connection)",
        )
    if not connections and hasattr(found, "admit") and not hasattr(found, "handle"):
        raise ConfigError(
            f"{code.name!r} is asked of connections, and here are requests alone", "accepted is it at a listener"
        )
    if not _is_there(found):
        check_call(code, found)
    elif code.settings:
        raise ConfigError(f"{code.name!r} is made already, and takes no settings", "accepted is a class or a function")
    return found


def _is_there(found: Any) -> bool:
    """Whether it is a middleware itself, and not what makes one."""
    return not isinstance(found, type) and _is_one(verifyObject, found)


def make_middleware(given: str | NamedCode) -> Any:
    """The middleware itself; ``ConfigError`` if there is none."""
    code = NamedCode.of(given)
    found = find_middleware(code)
    if _is_there(found):
        return found
    made = call_code(code, found, _ACCEPTED)
    if not _is_one(verifyObject, made):
        raise ConfigError(f"{code.name!r} gives no middleware{_but(made)}", _ACCEPTED)
    return made


def make_all(given: Iterable[str | NamedCode]) -> tuple[Any, ...]:
    """All of these; ``ConfigError`` with the number of each that cannot be."""
    made: list[Any] = []
    faults: list[Finding] = []
    for number, one in enumerate(given):
        try:
            made.append(make_middleware(one))
        except ConfigError as fault:
            faults += fault.at("middleware", number).findings
    if faults:
        raise ConfigError(faults)
    return tuple(made)


def _is_one(verify: Any, found: Any) -> bool:
    # Nobody has to declare that he implements them. What has the names of both has to be both.
    kinds = [kind for kind, name in ((IMiddleware, "handle"), (IConnectionFilter, "admit")) if hasattr(found, name)]
    try:
        for kind in kinds:
            verify(kind, found, tentative=True)
    except Invalid:
        return False
    return bool(kinds)


def _but(found: Any) -> str:
    for name in ("handle", "admit"):
        if callable(getattr(found, name, None)):
            lacks = name == "admit" and not hasattr(found, "closed")
            return ": it has no closed" if lacks else f": its {name} takes other arguments"
    return ""
