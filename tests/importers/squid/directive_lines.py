"""Lines of a squid.conf beside access, translated."""

import re

from txproxy.config import parse
from txproxy.importers.squid.translation import translate


class Translated:
    """The translation of some lines, with the notes that are about them."""

    def __init__(self, lines):
        translation = translate(f"http_access allow all\nhttp_port 3128\n{lines}\n", "squid.conf")
        self.toml = translation.toml
        self.notes = [note for note in translation.notes if re.match(r"squid\.conf:\d", note)]
        self.config = parse(self.toml, "proxy.toml")
        self.listener = self.config.listeners[0]
        self.policy = self.listener.policy


def told(lines, *, of="squid.conf:3: "):
    """Why the line could not be taken over."""
    notes = Translated(lines).notes
    assert len(notes) == 1 and notes[0].startswith(of), notes
    return notes[0].removeprefix(of).partition(": ")[2]
