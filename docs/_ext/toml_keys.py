"""An entry for each key of the configuration file: the page says what it is for, the readers of the file say the rest.

``.. toml-table:: limits listeners[].limits`` has the tables of the entries below it, and ``.. toml-key:: idle_timeout``
is the entry of a key in all of them that have it.
"""

from __future__ import annotations

from typing import Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from docutils.statemachine import StringList
from key_entries import Entry, about, example, header, keys, tables_of
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective


class TomlTable(SphinxDirective):
    """``.. toml-table::``, with the tables of the entries that follow; ``top`` is the top of the file."""

    required_arguments = 1
    final_argument_whitespace = True

    def run(self) -> list[nodes.Node]:
        """Remember them, and say where the keys stand."""
        tables = tables_of(self.arguments[0])
        self.env.temp_data["toml tables"] = tables
        unknown = [table for table in tables if not any(path.startswith(f"{table}.".lstrip(".")) for path in keys())]
        if unknown:
            raise self.error(f"no file has such a table: {', '.join(unknown)}")
        return self.parse_text_to_nodes(f"In {', '.join(map(header, tables))}:")


class TomlKey(SphinxDirective):
    """``.. toml-key::``, a key of these tables."""

    required_arguments = 1
    has_content = True
    option_spec: ClassVar[dict[str, Any]] = {
        "default": directives.unchanged_required,
        "takes": directives.unchanged_required,
    }

    def run(self) -> list[nodes.Node]:
        """The entry."""
        entry = Entry(self.env.temp_data.get("toml tables", ()), self.arguments[0].strip(), **self.options)
        if not entry.paths:
            raise self.error(f"no table of {', '.join(entry.tables) or 'this page'} has a key {entry.key}")
        said = StringList(self.content or [about(entry.paths[0])], self.content.source(0) if self.content else "")
        if not any(said):
            raise self.error(f"nothing is said of {entry.key}")
        if not entry.shown_takes:
            raise self.error(f"nobody says what {entry.key} takes: the entry needs :takes:")
        term = nodes.term("", "", nodes.literal("", entry.key), classes=["toml-key"])
        target = "key-" + nodes.make_id(entry.paths[0])
        term["ids"].append(target)
        body = nodes.definition()
        self.state.nested_parse(said, self.content_offset, body)
        body += self.parse_text_to_nodes(_facts(entry))
        domain = self.env.get_domain("std")
        for path in entry.paths:
            domain.note_object("toml", path, target, location=term)  # type: ignore[attr-defined]
        return [nodes.definition_list("", nodes.definition_list_item("", term, body))]


def _facts(entry: Entry) -> str:
    places = ", ".join(dict.fromkeys(header(path.rpartition(".")[0]) for path in entry.paths))
    where = f"{places} of mode {' or '.join(entry.modes)}" if 0 < len(entry.modes) < 3 else places
    shown = next(filter(None, map(example, entry.paths)), "")
    takes = entry.shown_takes if entry.takes else entry.shown_takes.replace("*", r"\*")
    lines = [f"| *Takes* {takes}", f"| *Default:* {entry.shown_default}"]
    if shown:
        lines.append(f"| *Example:* ``{shown}``")
    lines.append(f"| *Stands in* {where}")
    return "\n".join(lines)


def setup(app: Sphinx) -> dict[str, Any]:
    """For Sphinx."""
    app.add_object_type("toml", "toml", objname="key of the configuration file")
    app.add_directive("toml-table", TomlTable)
    app.add_directive("toml-key", TomlKey, override=True)
    return {"parallel_read_safe": True}
