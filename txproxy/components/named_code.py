"""Code that a configuration names: ``package.module:name``, with settings of its own.

What stands there is found by importing it, and called with its settings as words. They are checked by what it says of
itself: the names, defaults and annotations of a function, or of ``__init__`` of a class, be that written by ``attrs``,
by ``dataclasses``, or by hand.
"""

from __future__ import annotations

import importlib
import inspect
import os
import re
import sysconfig
import traceback
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import attrs

from txproxy import errors
from txproxy.components.setting_types import accepted_of, fits, hints_of
from txproxy.components.values import hint, shown, text
from txproxy.errors import ConfigError, Finding
from txproxy.frozen_values import frozen

_WORD: Final = r"[^\W\d]\w*(?:\.[^\W\d]\w*)*"
_NAMED: Final = re.compile(f"({_WORD}):({_WORD})")
_IMPORTABLE: Final = "accepted is a module that is installed, or in a folder of python_path"
# What is nobody's own: the proxy, the standard library, and what is installed.
_NOT_OWN: Final = (
    os.path.join(os.path.dirname(errors.__file__), ""),
    *(os.path.join(sysconfig.get_path(name), "") for name in ("stdlib", "platstdlib", "purelib", "platlib")),
    "<",
)
# the key that says what the others are settings of
USE: Final = "use"


@frozen
class NamedCode:
    """What is called ``name``, with ``settings`` as a file has them. ``generation`` is how often changed modules had
    been taken when it was read: what is read from other modules is other code.
    """

    name: str
    settings: Mapping[str, Any] = attrs.field(factory=dict, hash=False, repr=False)
    generation: int = 0

    def __str__(self) -> str:
        return self.name

    @classmethod
    def of(cls, value: str | NamedCode) -> NamedCode:
        """From what may be its name alone."""
        return value if isinstance(value, NamedCode) else cls(value)


def codes(values: Iterable[str | NamedCode]) -> tuple[NamedCode, ...]:
    """Some of them, from what may be their names."""
    return tuple(map(NamedCode.of, values))


def is_name(value: str) -> bool:
    """Whether ``value`` is the name of code."""
    return _NAMED.fullmatch(value) is not None


def read_name(value: object, what: str) -> str:
    """The name of a ``what``; ``ConfigError`` if it is none."""
    name = text(value)
    if not is_name(name):
        raise ConfigError(f"{shown(name)} names no {what}", "accepted is MODULE:NAME, such as my_package.fields:Team")
    return name


def find_code(code: NamedCode, what: str) -> Any:
    """What has that name; ``ConfigError`` where there is no such ``what``."""
    name = read_name(code.name, what)
    module, _, steps = name.partition(":")
    found: Any = _imported(name, module)
    for step in steps.split("."):
        if not hasattr(found, step):
            where = getattr(found, "__name__", type(found).__name__)
            meant = hint(step, [one for one in dir(found) if not one.startswith("_")])
            raise ConfigError(f"{name!r}: {where} has no {step}{meant}", "accepted is a name that stands in it")
        found = getattr(found, step)
    return found


def check_call(code: NamedCode, found: Callable[..., Any], given: int = 0, accepted: str = "") -> None:
    """``ConfigError`` where what was ``found`` cannot be called with so many that are ``given``, and with the settings.
    ``accepted`` says what can.
    """
    try:
        parameters = list(inspect.signature(found).parameters.values())
    except (TypeError, ValueError):
        # Nobody can say what it takes.
        return
    positional = [one for one in parameters if one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD)]
    rest = any(one.kind is one.VAR_POSITIONAL for one in parameters)
    if len(positional) < given and not rest:
        raise ConfigError(f"{code.name!r} takes other arguments", accepted)
    own = [one for one in parameters if one not in positional[:given]]
    words = {one.name: one for one in own if one.kind in (one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY)}
    if not any(one.kind is one.VAR_KEYWORD for one in own):
        _check_names(code, words)
    for one in words.values():
        if one.default is one.empty and one.name not in code.settings:
            example = f"{{ {USE} = '{code.name}', {one.name} = ... }}"
            raise ConfigError(f"{code.name!r} needs {one.name}", f"accepted is {example}")
    _check_types(code, found)


def _check_names(code: NamedCode, words: Mapping[str, Any]) -> None:
    known = tuple(words)
    accepted = f"accepted: {', '.join((USE, *known))}"
    faults = [
        Finding((key,), f"{code.name!r} has no such setting{hint(key, known)}", accepted)
        for key in code.settings
        if key not in words
    ]
    if faults:
        raise ConfigError(faults)


def _check_types(code: NamedCode, found: Any) -> None:
    wanted = hints_of(found) if code.settings else {}
    faults = [
        Finding((key,), f"{shown(value)} is none", accepted_of(wanted[key]))
        for key, value in code.settings.items()
        if key in wanted and not fits(value, wanted[key])
    ]
    if faults:
        raise ConfigError(faults)


def call_code(code: NamedCode, found: Callable[..., Any], accepted: str) -> Any:
    """What it gives when it is called with its settings. ``ConfigError`` where it fails: its own as it says it."""
    try:
        return found(**code.settings)
    except ConfigError as fault:
        raise fault.about(f"{code.name!r}: ") from None
    except Exception as fault:
        raise ConfigError(f"{code.name!r} cannot be called: {why(fault)}", accepted) from None


def _imported(name: str, module: str) -> Any:
    try:
        return importlib.import_module(module)
    except (Exception, SystemExit) as fault:
        # It is somebody else's program, and may do anything.
        raise ConfigError(f"{name!r}: {module} cannot be imported: {why(fault)}", _IMPORTABLE) from None


def why(fault: BaseException) -> str:
    """An error of somebody else's program in one line, with the place in it."""
    said = f"{type(fault).__name__}: {' '.join(str(fault).split())}".removesuffix(": ")
    place = place_of(fault)
    return f"{said} ({place})" if place else said


def place_of(fault: BaseException) -> str:
    """Where somebody's program has failed, ``FILE:LINE``: the innermost place that is not of what it uses. Empty if
    there is none.
    """
    for frame in reversed(traceback.extract_tb(fault.__traceback__)):
        if not frame.filename.startswith(_NOT_OWN):
            return f"{frame.filename}:{frame.lineno}"
    return ""
