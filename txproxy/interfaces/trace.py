"""What each part that has a say has decided on one request, and why."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from txproxy.frozen_values import frozen
from txproxy.interfaces.address import Address
from txproxy.matching.octets import shown
from txproxy.wire.message import RequestHead

# by their names in ALPN
_VERSIONS: Final = {"h2": "HTTP/2", "http/1.1": "HTTP/1.1"}
_NONE: Final[frozenset[bytes]] = frozenset()


@frozen
class Entry:
    """``who`` says ``what``, and ``why``. One that is ``within`` is a part of the last one before it that is not: an
    upstream of a pool, a line of a head.
    """

    who: str
    what: str = ""
    why: str = ""
    within: bool = False

    def __str__(self) -> str:
        said = ", ".join(filter(None, (self.what, self.why)))
        return ("    " if self.within else "") + (f"{self.who}: {said}" if said else self.who)


class Trace:
    """The ``entries`` of one request, in the order in which they were decided. A request has one where
    ``RequestContext.trace`` is set before it comes to the mode: by a middleware, or by who stands around all of them.

    In a ``dry_run`` nobody else is asked or told for the sake of a request (an authorization server, who gets a copy):
    it is only said that they would be, and gone on as if they had agreed.
    """

    def __init__(self, dry_run: bool = False) -> None:
        self.entries: list[Entry] = []
        self.dry_run = dry_run
        # names of fields, in lower case, whose values are nobody's business
        self._secret = _NONE

    def say(self, who: str, what: str = "", why: str = "") -> None:
        """``who`` has decided this."""
        self.entries.append(Entry(who, what, why))

    def add(self, who: str, what: str = "", why: str = "") -> None:
        """A part of what was said last."""
        self.entries.append(Entry(who, what, why, within=True))

    def hide(self, names: Iterable[bytes]) -> None:
        """What requests are sent with under these ``names``, in lower case, comes from the configuration."""
        self._secret = self._secret.union(names)

    def sent(self, address: Address, head: RequestHead | None) -> None:
        """An attempt is made: ``head`` goes to ``address``; a tunnel without one."""
        if head is None:
            self.say("sent", f"nothing; a tunnel to {address}")
            return
        versions = [_VERSIONS[name] for name in address.protocols or ("http/1.1",)]
        self.say(f"sent to {address}", f"{shown(head.method)} {shown(head.path)} {' or '.join(versions)}")
        for line in head.headers.lines:
            name = line.partition(b":")[0]
            self.add(f"{shown(name)}: ***" if name.lower() in self._secret else shown(line))

    def __str__(self) -> str:
        return "\n".join(map(str, self.entries))
