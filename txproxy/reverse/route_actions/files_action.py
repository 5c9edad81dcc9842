"""``files``: a route that serves a folder."""

from __future__ import annotations

from typing import ClassVar

import attrs

from txproxy.components.registry import component
from txproxy.components.table_reader import TableReader
from txproxy.reverse.actions.treatments import Action
from txproxy.reverse.route_actions.route_action import CHANGES, ROUTE_ACTIONS, WITH_ANSWERS, PoolUse, RouteParts


@component(ROUTE_ACTIONS, "files", rank=4)
@attrs.frozen(kw_only=True)
class FilesAction:
    """Serve the files below a folder."""

    directory: str

    keys: ClassVar[tuple[str, ...]] = ("files",)
    takes: ClassVar[frozenset[str]] = CHANGES | WITH_ANSWERS
    takes_connect: ClassVar[bool] = False

    @classmethod
    def read(cls, table: TableReader) -> FilesAction | None:
        """See :class:`RouteAction`."""
        return table.read("files", lambda value: cls(directory=_checked(table.file_name(value))), None)

    @property
    def uses(self) -> tuple[PoolUse, ...]:
        """See :class:`RouteAction`."""
        return ()

    def build(self, parts: RouteParts) -> Action:
        """See :class:`RouteAction`."""
        from txproxy.reverse.actions.static_files import Files  # it takes a web server: only where it is used

        return Files(self.directory, parts.via)


def _checked(directory: str) -> str:
    from txproxy.reverse.actions.static_files import files_pool

    files_pool(directory)
    return directory
