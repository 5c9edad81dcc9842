"""Where an exchange is."""

from __future__ import annotations

from enum import Enum
from typing import Final


class Phase(Enum):
    """What an exchange waits for, or has done; see the chart in docs/internals."""

    PLANNING = "planning"
    GATHERING = "gathering"  # the first part of the body is waited for
    DIALING = "dialing"
    SENT = "sent"  # the request, or its beginning, is at an upstream
    ANSWERED = "answered"  # the head of the response has gone to the client
    OVER = "over"


# A look-up in an Enum class costs on each event.
PLANNING: Final = Phase.PLANNING
GATHERING: Final = Phase.GATHERING
DIALING: Final = Phase.DIALING
SENT: Final = Phase.SENT
ANSWERED: Final = Phase.ANSWERED
OVER: Final = Phase.OVER
