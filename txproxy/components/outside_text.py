"""Texts of a configuration that stand elsewhere (``${NAME}``, ``{ file = "NAME" }``), with what they are called."""

from __future__ import annotations

from typing import Any

import attrs


class OutsideText(str):
    """A text that stands elsewhere, or has something in it that does, with the ``reference`` by which the file calls
    it: whoever quotes it (``repr``, in an error, a log, or of a value that has it) quotes that. What is made of a part
    of it is a text as any other.
    """

    __slots__ = ("reference",)

    reference: str

    def __new__(cls, text: str, reference: str) -> OutsideText:
        """``text`` as it is used, and as it is called."""
        made = super().__new__(cls, text)
        made.reference = reference
        return made

    def __repr__(self) -> str:
        return repr(self.reference) if "'" not in self.reference else self.reference

    def __reduce__(self) -> tuple[type[OutsideText], tuple[str, str]]:
        return OutsideText, (str(self), self.reference)


def called(text: str) -> str:
    """``text`` as an error may name it without quotes: what stands elsewhere as the file calls it."""
    return text.reference if isinstance(text, OutsideText) else text


def identity(value: Any) -> str:
    """A text that values of attrs have in common, in all processes, whose fields are the same as far as their ``repr``
    shows them: as they are, and not as a file calls them, which may call two by the same.
    """
    shown = attrs.asdict(value, filter=lambda field, _: bool(field.repr), value_serializer=_as_it_is)
    return f"{type(value).__name__} {shown!r}"


def _as_it_is(_whose: Any, _field: Any, value: Any) -> Any:
    return str(value) if isinstance(value, OutsideText) else value
