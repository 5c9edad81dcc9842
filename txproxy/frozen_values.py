"""Classes of values whose methods are written when one of them is needed for the first time.

attrs writes the methods of a class as source text, and compiles it, when the class is made, which takes a millisecond.
Most kinds of values that a program knows never come up in it, and who starts it would wait for all. :func:`frozen` has
attrs do this when the first value is made, and apart from it what compares, hashes and shows values, which most are
never asked for. From then on the class is what attrs would have made.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from threading import RLock
from typing import TYPE_CHECKING, Any, Final

import attrs

if TYPE_CHECKING:
    # What type checkers know of it is what there is to know.
    from attrs import frozen as frozen
else:

    def frozen(kind: type | None = None, *, eq: bool = True, kw_only: bool = False) -> Any:
        """``attrs.frozen``, of whose options these are taken."""
        return (lambda of: _late(of, eq, kw_only)) if kind is None else _late(kind, eq, kw_only)


# What attrs gives a class so that there are values of it, and whatever else it does with classes.
_OF_MAKING: Final = (
    "__attrs_attrs__",
    "__attrs_props__",
    "__getstate__",
    "__init__",
    "__match_args__",
    "__replace__",
    "__setstate__",
)
_OF_COMPARING: Final = ("__eq__", "__hash__", "__ne__")
# One at a time writes methods: attrs notes things in the class that it looks through. It may come to those of a class
# above while it is at it.
_writing: Final = RLock()


@attrs.frozen(slots=False, eq=False, repr=False, init=False)
class _Frozen:
    """By whose refusal to be changed attrs knows, where it is inherited, that values are not changed."""


def _late(kind: type, eq: bool, kw_only: bool) -> type:
    """``kind`` as a class with slots, which has a :class:`_Later` where it will have a method."""
    body = vars(kind)
    fields = [name for name, annotation in kind.__annotations__.items() if "ClassVar" not in str(annotation)]
    above = kind.__mro__[1:]
    taken = {name for base in above for name in getattr(base, "__slots__", ())}
    content = {name: value for name, value in body.items() if name not in (*fields, "__dict__", "__weakref__")}
    content["__qualname__"] = kind.__qualname__
    weak = () if any("__weakref__" in vars(base) for base in above) else ("__weakref__",)
    content["__slots__"] = (*(name for name in fields if name not in taken), *weak)
    content["__setattr__"], content["__delattr__"] = _Frozen.__setattr__, _Frozen.__delattr__
    later = [_Later(name, _OF_MAKING, attrs.frozen(eq=False, repr=False, kw_only=kw_only)) for name in _OF_MAKING]
    others = ("__repr__", *_OF_COMPARING) if eq else ("__repr__",)
    later += [_Later(name, others, attrs.frozen(eq=eq, kw_only=kw_only)) for name in others]
    content.update((one.name, one) for one in later if one.name not in body)
    made = type(kind)(kind.__name__, kind.__bases__, content)
    for one in later:
        one.kind, one.made = kind, made
    _tell_methods(kind, made)
    return made


class _Later:
    """What is in a class where attrs will have written something, ``others`` with it, by the time it is looked up.

    ``kind`` is the class as it stands in the source, and ``made`` the one that this is in.
    """

    __slots__ = ("_others", "_write", "kind", "made", "name")
    kind: type
    made: type

    def __init__(self, name: str, others: tuple[str, ...], write: Callable[[type], type]) -> None:
        self.name = name
        self._others = others
        self._write = write

    def __get__(self, value: object, owner: type) -> Any:
        with _writing:
            if isinstance(vars(self.made).get(self.name), _Later):
                # Else another thread was faster.
                self._write_all()
        return getattr(owner if value is None else value, self.name)

    def _write_all(self) -> None:
        written = vars(self._write(self.kind))
        for name in self._others:
            if not isinstance(vars(self.made).get(name), _Later):
                # It is the class's own.
                continue
            if name in written:
                setattr(self.made, name, written[name])
            else:
                # Another version of attrs, which has no such thing.
                delattr(self.made, name)


def _tell_methods(kind: type, made: type) -> None:
    """Have ``super()`` and ``__class__`` mean the class that was made, in methods that were written in the other."""
    for item in vars(kind).values():
        function = item.fget if isinstance(item, property) else getattr(item, "__func__", item)
        for cell in getattr(function, "__closure__", None) or ():
            with suppress(ValueError):
                # A cell may be empty.
                if cell.cell_contents is kind:
                    cell.cell_contents = made
