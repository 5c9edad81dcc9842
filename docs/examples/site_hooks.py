"""Short functions that hooks.toml names."""

from __future__ import annotations

from collections.abc import Sequence

from twisted.internet import reactor
from twisted.internet.task import deferLater

from txproxy.interfaces import Reply, Request, Response


def members_only(request: Request, *, paths: Sequence[str] = ()) -> Reply | None:
    """None goes on; a Reply is the answer."""
    if request.path in paths and "Authorization" not in request.headers:
        return Reply(401, "Members only.\n", {"WWW-Authenticate": 'Basic realm="members"'})
    return None


async def team(request: Request) -> None:
    """What it waits for holds up this request alone."""
    await deferLater(reactor, 0.01, lambda: None)
    request.headers.set("X-Team", "blue")


def tidy(request: Request, response: Response) -> None:
    """Of whatever comes back."""
    response.headers.remove("Server")
    response.headers.set("X-Route", request.route or "none")
