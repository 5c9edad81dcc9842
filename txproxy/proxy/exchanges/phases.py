"""Where an exchange is, and which phases lead where. ``docs/internals/connection-states.rst`` has them as a table, with
the events.
"""

from __future__ import annotations

from enum import Enum
from typing import Final


class Phase(Enum):
    """What an exchange waits for, or has done."""

    PLANNING = "what is to be done with the request, or to be tried next, is being decided"
    GATHERING = "a decision waits for the first part of the request's body"
    DIALING = "a connection to an upstream is being made"
    SENT = "the request, or its beginning, is at an upstream"
    ANSWERED = "the head of the final response has gone to the client, or a tunnel stands"
    OVER = "it has ended, in whatever way"

    leads_to: tuple[Phase, ...]


# A look-up in an Enum class costs on each event.
PLANNING: Final = Phase.PLANNING
GATHERING: Final = Phase.GATHERING
DIALING: Final = Phase.DIALING
SENT: Final = Phase.SENT
ANSWERED: Final = Phase.ANSWERED
OVER: Final = Phase.OVER

PLANNING.leads_to = (GATHERING, DIALING, SENT, ANSWERED, OVER)
GATHERING.leads_to = (PLANNING, OVER)
DIALING.leads_to = (PLANNING, SENT, ANSWERED, OVER)
SENT.leads_to = (PLANNING, DIALING, ANSWERED, OVER)
ANSWERED.leads_to = (SENT, OVER)
OVER.leads_to = ()
