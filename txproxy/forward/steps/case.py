"""One request on its way through the steps, and what a step is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

from twisted.internet.defer import Deferred

from txproxy.forward.request.facts import Facts
from txproxy.forward.request.targets import Target
from txproxy.interfaces.answers import Answer, Refusal
from txproxy.interfaces.context import RequestContext
from txproxy.wire.message import RequestHead

FOR_EVER: Final = float("inf")
NEVER_KNOWN: Final = float("-inf")


class Case:
    """One request on its way through the chain. ``head`` is what is to be sent on, ``asked`` what the client sent.

    ``dial`` is a host to connect to in place of the target's, ``lines`` are to be added to the request, ``rule`` is
    the one that allowed it, and ``pinned`` are the addresses that were judged, if any were.

    ``known_until``: until when the same fields are known to be of the same user; ``settled_until``: until when the same
    request would pass in the same way, and ``by_url`` whether one for another path might not. ``noted``: whether who
    sends it, and where to, is in the memo already. ``generation`` is that of the policy by which it is judged.
    """

    __slots__ = (
        "asked", "head", "context", "target", "facts", "dial", "lines", "rule", "pinned", "known_until",
        "settled_until", "by_url", "noted", "generation",
    )  # fmt: skip

    target: Target
    facts: Facts

    def __init__(self, head: RequestHead, context: RequestContext, generation: int = 0) -> None:
        self.asked = self.head = head
        self.context = context
        self.dial = ""
        self.lines: tuple[bytes, ...] = ()
        self.rule = ""
        self.pinned: tuple[str, ...] = ()
        self.known_until = self.settled_until = FOR_EVER
        self.by_url = False
        self.noted = False
        self.generation = generation


Result: TypeAlias = "Refusal | Answer | None"
Step: TypeAlias = "Callable[[Case], Result | Deferred[Result]]"
