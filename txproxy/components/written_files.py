"""Whether a file or a folder could be written to, without writing."""

from __future__ import annotations

import errno
import os
import stat


def check_writable(path: str) -> None:
    """An ``OSError``, as opening would give it, if a file could not be opened there to be written to, or be made."""
    # What a link that leads nowhere yet names is what would be made.
    path = os.path.realpath(path)
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        check_folder(os.path.dirname(path))
        return
    if stat.S_ISDIR(mode):
        raise _error(errno.EISDIR, path)
    _check_access(path, os.W_OK)


def check_folder(path: str) -> None:
    """An ``OSError``, as making a file would give it, if none could be made in that folder."""
    if not stat.S_ISDIR(os.stat(path).st_mode):
        raise _error(errno.ENOTDIR, path)
    _check_access(path, os.W_OK | os.X_OK)


def _check_access(path: str, wanted: int) -> None:
    # As who this is now, which may be another than who has started it.
    if not os.access(path, wanted, effective_ids=os.access in os.supports_effective_ids):
        raise _error(errno.EROFS if os.statvfs(path).f_flag & os.ST_RDONLY else errno.EACCES, path)


def _error(number: int, path: str) -> OSError:
    return OSError(number, os.strerror(number), path)
