"""Processes that write to one directory and are killed at any time: what is found afterwards is right, and most is."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from tests.cache.disk.killed import KEYS, SIZE, right
from tests.cache.disk.responses import MB
from tests.integration.fork_server import ForkServer
from txproxy.cache.disk.disk_store import DiskStore

ROOT = Path(__file__).parents[3]
ROUNDS = int(os.environ.get("TXPROXY_KILLS", "5"))


class _Writer:
    """A process that writes, and says so."""

    def __init__(self, fork_server: ForkServer, path: Path, seed: int) -> None:
        read, write = os.pipe()
        self.said = os.fdopen(read)
        with os.fdopen(write, "wb") as out:
            words = [sys.executable, "-m", "tests.cache.disk.killed", str(path), str(seed)]
            self._process = fork_server.start(words, cwd=ROOT, stdout=out)

    def kill(self) -> None:
        self._process.kill()
        with self.said:
            rest = self.said.read()
        assert self._process.wait() == -9, rest


def test_what_is_found_after_a_kill_is_right(tmp_path: Path, fork_server: ForkServer) -> None:
    for turn in range(ROUNDS):
        writers = [_Writer(fork_server, tmp_path, 2 * turn + number) for number in range(2)]
        # Each round ends somewhere else: after so many words of the one, while the other is anywhere.
        for _ in range(12 + turn):
            assert writers[0].said.readline().strip().isdigit()
        for writer in writers:
            writer.kill()
        store = DiskStore(str(tmp_path), SIZE, 2 * MB)
        kept = sum(right(store, number) > 0 for number in range(KEYS))
        # Where both have run alike it is nine of ten. While one stands still with the lock, no segment is to be had for
        # what had deserved to stay when the oldest goes.
        assert kept > KEYS / 2
        assert sum(path.stat().st_blocks * 512 for path in tmp_path.glob("*.segment")) <= 1.05 * SIZE
        store.close()
    (tmp_path / "index.v1").unlink()
    store = DiskStore(str(tmp_path), SIZE, 2 * MB)
    list(store.rebuild())
    assert sum(right(store, number) > 0 for number in range(KEYS)) > KEYS / 2
