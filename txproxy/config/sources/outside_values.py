"""Values of a configuration that stand elsewhere: in the environment (``${NAME}``), or alone in a file
(``{ file = "NAME" }``). What they are is told to nobody, and what refers to them is.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Mapping
from typing import Any, Final

import attrs

from txproxy.components.outside_text import OutsideText
from txproxy.errors import ConfigError, Finding, Path

# Capital letters alone: in lower case they are variables of templates, of lines of logs, and groups of expressions.
_CALL: Final = r"\{(_?[A-Z][A-Z0-9_]*)(?::-([^{}]*))?\}"
_REFERENCE: Final = re.compile(rf"\$(\$?){_CALL}")
# Two dollars are one there already, whatever follows.
_IN_TEMPLATE: Final = re.compile(rf"\$(\$)|\$(){_CALL}")
_NUMBER: Final = re.compile(r"[+-]?(?:0|[1-9][0-9]{0,18})(\.[0-9]{1,18})?")
_FLAGS: Final = {"true": True, "false": False}
_KEY: Final = "file"
_LARGEST: Final = 1 << 20
# Of a value that is told by chance nobody would know a shorter part.
_LEAST_HIDDEN: Final = 6


@attrs.define
class Outside:
    """Those of one configuration: ``references`` has what stands in the file, by the path of each."""

    references: dict[Path, str] = attrs.field(factory=dict)
    # the files that were read, or looked for
    files: dict[str, None] = attrs.field(factory=dict)
    _told: dict[str, str] = attrs.field(factory=dict, repr=False)
    # the values by the paths of where they stand
    _values: dict[Path, str] = attrs.field(factory=dict, repr=False)

    def add(self, path: Path, reference: str, value: str) -> None:
        """What stands at ``path`` is this ``value``, by that ``reference``."""
        self.references[path] = reference
        self._values[path] = value
        if len(value) >= _LEAST_HIDDEN:
            self._told[value] = reference

    def take(self, other: Outside) -> None:
        """Those of a file that belongs to it, whose paths are right here."""
        self.references.update(other.references)
        self.files.update(other.files)
        self._told.update(other._told)
        self._values.update(other._values)

    def move(self, moved: Callable[[Path], Path]) -> None:
        """Have them where their paths are ``moved`` to."""
        self.references = {moved(path): one for path, one in self.references.items()}
        self._values = {moved(path): one for path, one in self._values.items()}

    def hidden(self, finding: Finding) -> Finding:
        """The same without any of the values."""
        for length in range(len(finding.path), 0, -1):
            reference = self.references.get(finding.path[:length])
            if reference is not None and re.search(r"[0-9'\"]", finding.said):
                # What is said of a value has parts of it in it, in whatever form.
                finding = finding._replace(said=f"what {reference} gives cannot stand here")
        return finding._replace(said=self.masked(self._own(finding)), accepted=self.masked(finding.accepted))

    def _own(self, finding: Finding) -> str:
        """What is said of a table without what its values are made of, however short these are."""
        said, depth = finding.said, len(finding.path)
        for path, value in self._values.items():
            if depth and len(path) > depth and path[:depth] == finding.path and value:
                whole = rf"(?<![0-9A-Za-z]){re.escape(value)}(?![0-9A-Za-z])"
                reference = self.references[path]
                said = re.sub(whole, lambda _: reference, said)  # noqa: B023 (it is called at once)
        return said

    def masked(self, said: str) -> str:
        """A text in which values are called as the file calls them, as far as they can be told from other words."""
        for value, reference in self._told.items():
            if value.isalpha():
                # It may be one of our own, or the beginning of one.
                for form in (value, value.lower()):
                    said = said.replace(f"'{form}'", reference)
                continue
            # Hosts are told in lower case.
            for form in (value, repr(value)[1:-1], value.lower()):
                said = said.replace(form, reference)
                # A long one was cut.
                cut = next((n for n in range(len(form) - 1, _LEAST_HIDDEN, -1) if f"{form[:n]}..." in said), 0)
                if cut:
                    said = said.replace(f"{form[:cut]}...", reference)
        return said

    def plain(self, path: Path, value: object) -> bool | int | float | None:
        """The number or flag that a text from outside is, as TOML writes it; None if it is none, or not from there."""
        if not isinstance(value, str) or path not in self.references:
            return None
        if value in _FLAGS:
            return _FLAGS[value]
        number = _NUMBER.fullmatch(value)
        if number is None:
            return None
        return float(value) if number[1] else int(value)


def is_file_value(value: object) -> bool:
    """Whether it says where a value stands alone."""
    return isinstance(value, dict) and value.keys() == {_KEY}


def escaped(text: str) -> str:
    """``text`` as it is written where it is to be just that."""
    return _REFERENCE.sub(lambda match: f"${match[0]}", text)


class Expansion:
    """Puts values in the place of what refers to them, by ``environ``, for one file. What cannot be found is among the
    ``faults``; which values there were ``outside`` has in the end.
    """

    def __init__(self, environ: Mapping[str, str], outside: Outside) -> None:
        self.faults: list[Finding] = []
        self._environ = environ
        self._outside = outside

    def expanded(self, data: Any, path: Path = ()) -> Any:
        """``data`` with values of the environment in it."""
        if isinstance(data, dict):
            kept = _groups(data)
            for key in data:
                if "${" in key and (call := _REFERENCE.search(key)) is not None:
                    # As in files of compose. Else it would be a name of its own, and nobody would say so.
                    said = f"{call[0]} stands in a name, and names are what the file says they are"
                    self.faults.append(Finding((*path, key), said, "accepted is the name itself"))
            return {key: item if item is kept else self.expanded(item, (*path, key)) for key, item in data.items()}
        if isinstance(data, list):
            return [self.expanded(item, (*path, number)) for number, item in enumerate(data)]
        return self._text(data, path) if isinstance(data, str) and "${" in data else data

    def _text(self, text: str, path: Path) -> str:
        template = is_template(path)
        used = False

        def value_of(match: re.Match[str]) -> str:
            nonlocal used
            if match[1]:
                return match[0] if template else match[0][1:]
            name, default = match[match.re.groups - 1], match[match.re.groups]
            used = True
            value = self._environ.get(name)
            if default is not None and not value:
                return str(default)
            if value is None:
                said = f"there is no variable {name} in the environment"
                self.faults.append(Finding(path, said, f"accepted is one that is set, or ${{{name}:-DEFAULT}}"))
                return ""
            if not _is_text(value):
                self.faults.append(Finding(path, f"what {name} gives is no UTF-8", "accepted is a text"))
                return ""
            self._outside.add(path, match[0], value)
            return value.replace("$", "$$") if template else value

        found = (_IN_TEMPLATE if template else _REFERENCE).sub(value_of, text)
        if not used:
            return found
        self._outside.add(path, text, found)
        return OutsideText(found, text)


def value_of_file(outside: Outside, path: Path, name: str, file: str) -> str:
    """What stands in ``file``, which is called ``name`` where it is referred to, without a line end at its end.
    ``ConfigError`` if it cannot be read.
    """
    # The name may be from outside itself.
    called = f"{{ file = '{outside.references.get((*path, _KEY), name)}' }}"
    outside.files[file] = None
    try:
        number = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(number, "rb") as opened:
            if not stat.S_ISREG(os.fstat(number).st_mode):
                raise ConfigError(f"{called}: this is no regular file", "accepted is one with the value in it")
            data = opened.read(_LARGEST + 1)
    except (OSError, ValueError) as fault:
        if isinstance(fault, ConfigError):
            raise
        why = getattr(fault, "strerror", None) or str(fault)
        raise ConfigError(f"{called}: {why}", "accepted is a file with the value in it") from None
    if len(data) > _LARGEST:
        raise ConfigError(f"{called}: it is too large", "accepted is a value of 1 MB at most")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise ConfigError(f"{called}: this is no UTF-8", "accepted is a text") from None
    text = text.removesuffix("\n").removesuffix("\r")
    outside.add(path, called, text)
    return OutsideText(text.replace("$", "$$") if is_template(path) else text, called)


def _is_text(value: str) -> bool:
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def is_template(path: Path) -> bool:
    """Whether what stands there has variables of its own, for which a dollar means something."""
    if path[:1] != ("routes",) or len(path) < 3:
        return False
    where = path[2:]
    if where[0] == "map_location":
        return len(where) > 1
    if where[:2] == ("response_headers", "by_status"):
        return len(where) > 4 and where[3] in ("set", "add")
    if where[0] in ("request_headers", "response_headers"):
        return len(where) > 1 and where[1] in ("set", "add")
    return where in (("redirect",), ("rewrite", "replacement"))


def _groups(table: Mapping[str, Any]) -> object:
    """The replacement among the values of a table whose expression has a group of the name that it refers to."""
    pattern, replacement = table.get("pattern"), table.get("replacement")
    if isinstance(pattern, str) and isinstance(replacement, str):
        names = {found[3] for found in _IN_TEMPLATE.finditer(replacement) if found[3]}
        if any(f"(?P<{name}>" in pattern for name in names):
            return replacement
    return None
