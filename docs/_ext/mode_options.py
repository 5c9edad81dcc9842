"""The options of modes and the commands, as the reference has them: made of what the command line itself declares.

``.. mode-options:: shared`` gives those that all modes of one listener have, with the name of a mode those that are
left, and ``streams`` what is otherwise for raw ones. ``.. command-list::`` gives modes and commands with how they are
called, and examples.
"""

from __future__ import annotations

from typing import Any

from docutils import nodes
from option_sections import of_streams, options_in
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from txproxy.cli.reference.described_options import described_commands
from txproxy.cli.reference.examples import EXAMPLES
from txproxy.cli.reference.usage_text import call_of

# The pages that say more.
SEE = {
    "access-log": "logs",
    "access-log-format": "log-formats",
    "admin": "admin",
    "allow-client": "networks",
    "allow-destination": "hosts",
    "allow-host": "hosts",
    "balance": "reverse",
    "cache": "caching",
    "config": "keys",
    "deny-host": "hosts",
    "filter": "forward",
    "http2": "http2",
    "parent": "forward",
    "rate-limit": "limits",
    "trusted-proxy": "networks",
    "upstream": "reverse",
    "upstream-alpn": "http2",
    "workers": "workers",
}


def _escaped(text: str) -> str:
    return "".join(f"\\{letter}" if letter in "*`|_\\" else letter for letter in text)


class _Listed(SphinxDirective):
    def entry(self, term: str, said: str, name: str) -> nodes.definition_list:
        """One entry, to which links lead by ``name``."""
        head = nodes.term("", "", nodes.literal("", term), classes=["toml-key"])
        head["ids"].append(nodes.make_id(name))
        return nodes.definition_list(
            "", nodes.definition_list_item("", head, nodes.definition("", *self.parse_text_to_nodes(said)))
        )


class ModeOptions(_Listed):
    """``.. mode-options::``"""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """An entry for each."""
        section = self.arguments[0]
        found: list[nodes.Node] = []
        for one in of_streams() if section == "streams" else options_in(section):
            name = one.names[0][2:]
            more = f"; see :doc:`{SEE[name]}`" if name in SEE else ""
            about, bracket, default = one.about.partition(" [default:")
            said = f"{_escaped(about)}{more}{_escaped(bracket + default)}"
            found.append(self.entry(f"--{name} {one.value}".rstrip(), said, f"{section}-{name}"))
        return found


class CommandList(_Listed):
    """``.. command-list::``"""

    def run(self) -> list[nodes.Node]:
        """An entry for each."""
        found: list[nodes.Node] = []
        for one in described_commands():
            examples = "\n".join(f"    {line}" for line in EXAMPLES[one.name])
            verbs = "".join(f"\n\n``{verb.name}``: {_escaped(verb.about)}" for verb in one.verbs)
            said = f"{_escaped(one.about)}{verbs}\n\n.. code-block:: shell\n\n{examples}\n"
            found.append(self.entry(call_of(one.name), said, f"command-{one.name}"))
        return found


def _without_links(app: Sphinx, doctree: nodes.document, name: str) -> None:
    """A manual page has nothing to lead to, and would show where that is missing."""
    if app.builder.name == "man":
        for link in list(doctree.findall(nodes.reference)):
            link.replace_self(link.children)


def setup(app: Sphinx) -> dict[str, Any]:
    """For Sphinx."""
    app.add_directive("mode-options", ModeOptions)
    app.add_directive("command-list", CommandList)
    app.connect("doctree-resolved", _without_links)
    return {"parallel_read_safe": True}
