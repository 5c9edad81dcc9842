"""A mode as ``twistd -n txproxy MODE`` runs it, with no look at what else is installed: to find out what it may run,
twistd imports the plugins of all packages.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any, ClassVar, Final

from twisted.application import app
from twisted.application.service import IServiceMaker, ServiceMaker
from twisted.scripts import twistd

from txproxy.reactor import install

# As twistd knows them.
_TAP: Final = ServiceMaker("txproxy", "txproxy.tap", "An HTTP proxy.", "txproxy")
_REACTOR: Final = "txproxy"


class ForegroundOptions(twistd.ServerOptions):  # type: ignore[name-defined, misc]
    """twistd's options, with the commands and reactors that are ours."""

    subCommands: ClassVar[list[tuple[str, None, Any, str]]] = [(_TAP.tapname, None, _TAP.options, _TAP.description)]
    # where twistd looks for what makes the service of a command
    loadedPlugins: ClassVar[dict[str, IServiceMaker]] = {_TAP.tapname: _TAP}

    def opt_reactor(self, name: str) -> None:
        """The reactor to use."""
        if name == _REACTOR:
            install()
        else:
            super().opt_reactor(name)


def run(arguments: Sequence[str], *, own_reactor: bool) -> None:
    """Serve until it is told to end. ``arguments`` begin with the mode."""
    reactor = [f"--reactor={_REACTOR}"] if own_reactor else []
    # twistd reads them there, and so does a program that is to take this one's place.
    sys.argv = ["txproxy", "--nodaemon", "--pidfile=", *reactor, _TAP.tapname, *arguments]
    app.run(twistd.runApp, ForegroundOptions)
