"""Processes that write to one directory and are killed at any time: what is found afterwards is right, and most is."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.cache.disk.killed import KEYS, SIZE, right
from tests.cache.disk.responses import MB
from txproxy.cache.disk.disk_store import DiskStore

ROOT = Path(__file__).parents[3]
ROUNDS = int(os.environ.get("TXPROXY_KILLS", "5"))


def _start(path: Path, seed: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.cache.disk.killed", str(path), str(seed)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_what_is_found_after_a_kill_is_right(tmp_path: Path) -> None:
    for turn in range(ROUNDS):
        writers = [_start(tmp_path, 2 * turn + number) for number in range(2)]
        # Each round ends somewhere else: after so many words of the one, while the other is anywhere.
        assert writers[0].stdout is not None
        for _ in range(12 + turn):
            assert writers[0].stdout.readline().strip().isdigit()
        for writer in writers:
            writer.kill()
            output, _ = writer.communicate()
            assert writer.returncode == -9, output
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
