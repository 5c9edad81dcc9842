"""Static files, by twisted.web's own ``File``: ranges, conditional requests and content types are its doing."""

from __future__ import annotations

import os
from typing import Any

from twisted.web.resource import IResource
from twisted.web.static import File

from txproxy.errors import ConfigError
from txproxy.reverse.pool import Pool
from txproxy.reverse.upstream import local_upstream


class _Directory(File):
    """Files below a directory; what is in a directory without an index is nobody's business (as nginx's default)."""

    indexNames = ["index.html", "index.htm"]  # noqa: RUF012 (Twisted's own way)

    def directoryListing(self) -> IResource:
        """There is none."""
        return self.childNotFound

    def createSimilarFile(self, path: str) -> Any:
        """The same for what is below."""
        similar = super().createSimilarFile(path)
        similar.indexNames = self.indexNames
        return similar


def files_pool(directory: str) -> Pool:
    """A pool that serves the files below ``directory``; ``ConfigError`` if that is none."""
    if not os.path.isdir(directory):
        raise ConfigError(f"{directory!r} is no directory; accepted is one that can be read")
    return Pool([local_upstream(_Directory(directory), f"files:{directory}")], name=f"files:{directory}")
