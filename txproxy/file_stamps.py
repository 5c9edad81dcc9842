"""By what a file is known to be the one that was read before."""

from __future__ import annotations

import os

import attrs


@attrs.frozen
class Stamp:
    """What changes when a file does, whether it is written to, replaced by another, or its link turned: another in its
    place has another inode, or stands on another device, and one that was written to another time or size.
    """

    device: int
    inode: int
    size: int
    modified: int

    @classmethod
    def of(cls, status: os.stat_result) -> Stamp:
        """From what the system tells of a file; of one that is open, this is of what is read, whatever comes next."""
        return cls(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)

    @classmethod
    def now(cls, path: str) -> Stamp | None:
        """That of the file at ``path`` as it is now; None if there is none, or no file can have such a name."""
        try:
            return cls.of(os.stat(path))
        except (OSError, ValueError):
            return None
