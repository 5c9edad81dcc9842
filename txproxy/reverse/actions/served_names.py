"""Which names of files are served from a folder, and which never."""

from __future__ import annotations

import os
from typing import Final

# What is served for a folder, the first that is there.
INDEX_NAMES: Final = ["index.html", "index.htm"]
_WELL_KNOWN: Final = ".well-known"


def is_servable(name: str) -> bool:
    """Whether a segment of a path may be one of a file's: what begins with a dot (``.git``, ``.env``) is nobody's
    business, but for ``.well-known`` (RFC 8615).
    """
    return "\0" not in name and (not name.startswith(".") or name == _WELL_KNOWN)


def is_below(path: str, root: str) -> bool:
    """Whether ``path``, once all links are followed, is ``root`` or below it."""
    root = os.path.realpath(root)
    return os.path.commonpath((root, os.path.realpath(path))) == root
