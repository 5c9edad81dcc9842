"""Texts of a configuration that stand elsewhere (``${NAME}``, ``{ file = "NAME" }``), with what they are called."""

from __future__ import annotations


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
