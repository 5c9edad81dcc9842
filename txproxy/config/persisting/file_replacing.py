"""A file in the place of another, as one step: whoever reads it finds the old one or the new one."""

from __future__ import annotations

import os
import stat
import tempfile
from contextlib import suppress

from txproxy.errors import ConfigError


def replace_file(path: str, data: bytes) -> None:
    """Have the file at ``path`` hold ``data``, with the permissions and the owner that it has; where it is a symbolic
    link, it is the file that this leads to. ``ConfigError`` if that cannot be: then nothing has changed.
    """
    real = os.path.realpath(path)
    folder, name = os.path.split(real)
    made = ""
    try:
        known = os.stat(real)
        number, made = tempfile.mkstemp(prefix=f".{name}.", dir=folder)
        with open(number, "wb") as file:
            if (known.st_uid, known.st_gid) != (os.geteuid(), os.getegid()):
                os.fchown(number, known.st_uid, known.st_gid)
            # After that: who gets another owner loses bits.
            os.fchmod(number, stat.S_IMODE(known.st_mode))
            file.write(data)
            file.flush()
            os.fsync(number)
        os.rename(made, real)
    except OSError as fault:
        if made:
            with suppress(OSError):
                os.unlink(made)
        said = f"{real}: it cannot be written: {fault.strerror or fault}"
        raise ConfigError(said, "accepted is one in a folder that the proxy may write to") from None
    _sync(folder)


def _sync(folder: str) -> None:
    """Have the name itself outlive a crash, where the system can."""
    with suppress(OSError):
        number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(number)
        finally:
            os.close(number)
