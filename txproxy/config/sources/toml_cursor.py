"""A place in a text of TOML that is known to be valid, so that reading it takes no more than finding where each key and
value begins and ends.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

SPACE: Final = re.compile(r"[ \t]*")
_KEY: Final = re.compile(r"[A-Za-z0-9_-]+|\"(?:[^\"\\]|\\.)*\"|'[^']*'")
_STRING: Final = re.compile(
    r"\"\"\"(?:[^\\]|\\.)*?\"{3,5}(?!\")|'''.*?'{3,5}(?!')|\"(?:[^\"\\]|\\.)*\"|'[^']*'", re.DOTALL
)
_BARE: Final = re.compile(r"[^,\]}\n#]*")


class TomlCursor:
    """Stands ``at`` an offset of ``text``, and only goes on."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def skip(self, pattern: re.Pattern[str]) -> str:
        """Go past what has to be there; gives it."""
        found = pattern.match(self.text, self.at)
        assert found is not None, "the text is valid TOML"
        self.at = found.end()
        return found[0]

    def take(self, mark: str) -> bool:
        """Go past ``mark`` if it is there."""
        taken = self.text.startswith(mark, self.at)
        if taken:
            self.at += len(mark)
        return taken

    def keys(self) -> Iterator[str]:
        """Go past a key; gives each of its parts as it is written."""
        while True:
            self.skip(SPACE)
            yield self.skip(_KEY)
            self.skip(SPACE)
            if not self.take("."):
                return

    def string(self) -> str | None:
        """Go past a text in quotes, and give it with these; None if there is none."""
        found = _STRING.match(self.text, self.at)
        if found is None:
            return None
        self.at = found.end()
        return found[0]

    def bare(self) -> str:
        """Go past a value without quotes or brackets; gives it."""
        return self.skip(_BARE).rstrip()
