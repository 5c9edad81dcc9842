"""Ctrl-C while a command is not at work yet. This is loaded before all else, and loads next to nothing."""

from __future__ import annotations

# As in typing: what stands here is to be loaded in next to no time.
TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
else:
    # All of that but its enumerations, which take ten times as long as the rest: Ctrl-C would be a traceback meanwhile.
    import _signal as signal


class InterruptedAtOnce:
    """While this is entered, Ctrl-C ends the process, as it does programs that say nothing of it.

    By itself Python raises ``KeyboardInterrupt`` wherever it is, which while modules are loaded would be a traceback,
    or be caught by who goes on after each exception, or be lost where none can be raised (as in what the importer has
    called when a lock goes). It also looks whether there was a signal before it waits for an answer, and waits in spite
    of one that comes just then. Who has said otherwise of the signal keeps what he has said.
    """

    def __init__(self) -> None:
        self._ours = False

    def __enter__(self) -> None:
        self._ours = signal.getsignal(signal.SIGINT) is signal.default_int_handler
        if self._ours:
            signal.signal(signal.SIGINT, signal.SIG_DFL)

    def __exit__(self, *raised: object) -> None:
        # Somebody may have set to work meanwhile who has it otherwise, as a reactor does.
        if self._ours and signal.getsignal(signal.SIGINT) == signal.SIG_DFL:
            signal.signal(signal.SIGINT, signal.default_int_handler)
