"""Whether there is a file for a request, as a condition of its route."""

from __future__ import annotations

import os
from typing import Final
from urllib.parse import unquote_to_bytes

import attrs

from txproxy.errors import ConfigError
from txproxy.interfaces.context import RequestContext
from txproxy.matching.paths import readings, split_path
from txproxy.reverse.actions.served_names import INDEX_NAMES, is_below, is_servable
from txproxy.reverse.routing.conditions import Condition
from txproxy.wire.message import RequestHead

_ACCEPTED: Final = "accepted is one that can be read"


@attrs.frozen
class FileIn:
    """The path names a file below ``folder`` that would be served from there; with ``index`` also a folder that has an
    index in it. It is looked for with each request.
    """

    folder: str
    index: bool = True

    @classmethod
    def parse(cls, folder: str, index: bool = True) -> FileIn:
        """From a configuration; ``ConfigError`` if there is no such folder."""
        if not os.path.isdir(folder) or not os.access(folder, os.R_OK | os.X_OK):
            raise ConfigError(f"{folder!r} is no directory", _ACCEPTED)
        return cls(folder, index)

    def holds(self, head: RequestHead, context: RequestContext) -> bool:
        """See :class:`Condition`."""
        path = split_path(head.path)[0]
        if path[:1] != b"/":
            return False
        # The reading by which files are served.
        try:
            name = unquote_to_bytes(readings(path)[0]).decode("utf-8")
        except UnicodeDecodeError:
            return False
        segments = [segment for segment in name.split("/") if segment]
        if not all(map(is_servable, segments)):
            return False
        place = os.path.join(self.folder, *segments)
        try:
            if not name.endswith("/") and os.path.isfile(place):
                return is_below(place, self.folder)
            indexes = (os.path.join(place, one) for one in INDEX_NAMES) if self.index else ()
            return any(os.path.isfile(one) and is_below(one, self.folder) for one in indexes)
        except OSError:
            # A name that is too long for any file
            return False

    def why(self, head: RequestHead, context: RequestContext) -> str:
        """See :class:`Condition`."""
        return f"there is no such file in {self.folder}"

    def covers(self, other: Condition) -> bool:
        """See :class:`Condition`."""
        return isinstance(other, FileIn) and self.folder == other.folder and (self.index or not other.index)
