"""A folder with a module of one's own."""

import sys

import pytest

from txproxy.components.own_modules import OwnModules

OWN = """
import attrs
from txproxy.interfaces import Reply

async def deny(request, *, path="/admin", status: int = 403):
    if request.path == path:
        return Reply(status, "no")

def mark(request, response):
    response.headers.set("X-Seen", request.route or "-")

def two(request, response, more):
    pass

@attrs.frozen
class Team:
    name: str = attrs.field(validator=attrs.validators.max_len(5))
    def handle(self, request, context, proceed):
        context.add_lines(b"X-Team: " + self.name.encode())
        return proceed(request, context)

class Gate:
    def admit(self, connection):
        return True
    def closed(self, connection):
        pass
"""


@pytest.fixture
def own(tmp_path, monkeypatch):
    """The folder; nothing is left of what was imported from it."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "meta_path", [one for one in sys.meta_path if not isinstance(one, OwnModules)])
    (tmp_path / "own_hooks.py").write_text(OWN)
    yield tmp_path
    sys.modules.pop("own_hooks", None)
