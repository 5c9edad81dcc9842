"""How a mould is started."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Final, Protocol

from txproxy.errors import ConfigError
from txproxy.runtime.workers.channel import Channel, channel_pair

_BOOT: Final = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[2]); "
    "from txproxy.runtime.workers.mould import main; main(int(sys.argv[1]))"
)


class Running(Protocol):
    """A process that was started."""

    @property
    def pid(self) -> int:
        """Its number."""

    def poll(self) -> int | None:
        """Its status, if it has ended."""


def start_mould() -> tuple[Channel, Running]:
    """A new interpreter, so that nothing of this process's threads and reactor is in it."""
    channel, theirs = channel_pair()
    with theirs:
        words = [sys.executable, "-c", _BOOT, str(theirs.fileno()), json.dumps(sys.path)]
        try:
            process = subprocess.Popen(words, stdin=subprocess.DEVNULL, pass_fds=[theirs.fileno()])
        except OSError as fault:
            channel.close()
            raise ConfigError(f"workers cannot be started by {sys.executable}: {fault.strerror}") from None
    return channel, process
