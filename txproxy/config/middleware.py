"""Middleware that a configuration names: ``package.module:name``, found by importing it.

``name`` is a middleware, or what gives one when it is called without arguments: a class, or a function. To read a
configuration imports it and looks at it; it is made when the listener that it stands around is built.
"""

from __future__ import annotations

import importlib
import re
import sys
import traceback
from collections.abc import Iterable
from typing import Any, Final

from zope.interface.exceptions import Invalid
from zope.interface.verify import verifyClass, verifyObject

from txproxy.components.values import hint
from txproxy.config.model import Config
from txproxy.errors import ConfigError, Finding
from txproxy.interfaces.connection import IConnectionFilter
from txproxy.interfaces.middleware import IMiddleware

_WORD: Final = r"[^\W\d]\w*(?:\.[^\W\d]\w*)*"
_NAMED: Final = re.compile(f"({_WORD}):({_WORD})")
_IMPORTABLE: Final = "accepted is a module that is installed, or in a folder of python_path"
_ACCEPTED: Final = (
    "accepted is an object with handle(request, context, proceed), or with admit(connection) and closed(connection), "
    "or a class or a function that gives one when it is called without arguments"
)


def use_path(folders: Iterable[str]) -> None:
    """Have modules in these folders imported as well, for as long as the process lives. They come last, so that none
    takes the place of a module that is installed.
    """
    sys.path += [folder for folder in folders if folder not in sys.path]
    importlib.invalidate_caches()


def find_middleware(name: str, *, requests: bool = True) -> Any:
    """What is called ``package.module:name``; ``ConfigError`` if that can give no middleware, or none that has a place
    where no ``requests`` are read.
    """
    words = _NAMED.fullmatch(name)
    if words is None:
        raise ConfigError(f"{name!r} names no middleware", "accepted is MODULE:NAME, such as my_package.fields:Team")
    found: Any = _imported(name, words[1])
    for step in words[2].split("."):
        if not hasattr(found, step):
            what = getattr(found, "__name__", type(found).__name__)
            meant = hint(step, [one for one in dir(found) if not one.startswith("_")])
            raise ConfigError(f"{name!r}: {what} has no {step}{meant}", "accepted is a name that stands in it")
        found = getattr(found, step)
    if isinstance(found, type):
        sound = _is_one(verifyClass, found)
    else:
        # What others give, nobody knows before they are called.
        sound = callable(found) or _is_one(verifyObject, found)
    if not sound:
        raise ConfigError(f"{name!r} is no middleware{_but(found)}", _ACCEPTED)
    if not requests and (isinstance(found, type) or not callable(found)) and not hasattr(found, "admit"):
        raise ConfigError(
            f"{name!r} handles requests, and raw streams have none",
            "accepted is what has admit(connection) and closed(connection)",
        )
    return found


def make_middleware(name: str) -> Any:
    """The middleware itself; ``ConfigError`` if there is none."""
    found = find_middleware(name)
    if not isinstance(found, type) and _is_one(verifyObject, found):
        return found
    try:
        made = found()
    except Exception as fault:
        raise ConfigError(f"{name!r} cannot be called: {_why(fault)}", _ACCEPTED) from None
    if not _is_one(verifyObject, made):
        raise ConfigError(f"{name!r} gives no middleware{_but(made)}", _ACCEPTED)
    return made


def make_all(names: Iterable[str]) -> tuple[Any, ...]:
    """All of these; ``ConfigError`` with the number of each that cannot be."""
    made: list[Any] = []
    faults: list[Finding] = []
    for number, name in enumerate(names):
        try:
            made.append(make_middleware(name))
        except ConfigError as fault:
            faults += fault.at("middleware", number).findings
    if faults:
        raise ConfigError(faults)
    return tuple(made)


def try_to_make(config: Config) -> None:
    """See whether each middleware of a configuration can be made; ``ConfigError`` if one cannot."""
    faults: list[Finding] = []
    for number, listener in enumerate(config.listeners):
        try:
            make_all(listener.middleware)
        except ConfigError as fault:
            faults += fault.at("listeners", number).findings
    if faults:
        raise ConfigError(faults)


def _imported(name: str, module: str) -> Any:
    try:
        return importlib.import_module(module)
    except (Exception, SystemExit) as fault:
        # It is somebody else's program, and may do anything.
        raise ConfigError(f"{name!r}: {module} cannot be imported: {_why(fault)}", _IMPORTABLE) from None


def _why(fault: BaseException) -> str:
    """An error of somebody else's program in one line, with the place in it."""
    said = f"{type(fault).__name__}: {' '.join(str(fault).split())}".removesuffix(": ")
    for frame in reversed(traceback.extract_tb(fault.__traceback__)):
        if frame.filename not in (__file__, importlib.__file__) and not frame.filename.startswith("<"):
            return f"{said} ({frame.filename}:{frame.lineno})"
    return said


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
