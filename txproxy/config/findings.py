"""What is wrong with a configuration, and what may be a mistake: found with its path, and told with its place.

Whoever finds something says which value it is about, by its path. Where that is for people, a line of a file or an
option, is added here, once, when it is told.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any, Final

from txproxy.components.values import brief
from txproxy.config.model import Config
from txproxy.config.sources.lines import Place
from txproxy.config.sources.merged_tables import Piece
from txproxy.config.sources.outside_values import Outside
from txproxy.config.sources.placed_findings import in_file, place_of
from txproxy.errors import ConfigError, Finding, Path, masked

# The options that say what these paths of a configuration have, before the value itself.
_OPTIONS: Final[dict[Path, str]] = {
    ("listeners", "listen"): "--listen",
    ("listeners", "tls_listen"): "--tls-listen",
    ("log", "access"): "--access-log",
    ("log", "access_format"): "--access-log-format",
    ("cache", "dir"): "--cache-dir",
    ("admin", "listen"): "--admin",
    ("admin", "token_file"): "--admin-token-file",
}


class Findings:
    """What is wrong with a file (``faults``), what is doubtful (``doubts``), and which keys it may have (``asked``:
    their paths, with ``[]`` for any element of a list, and ``NAME`` for a name that the file gives). ``opened`` is what
    was read to find that out, and has taken its time: see :class:`txproxy.config.model.Config`. ``outside`` are values
    that are told to nobody, and ``named`` the files that values name.
    """

    def __init__(self) -> None:
        self.faults: list[Finding] = []
        self.doubts: list[Finding] = []
        self.asked: dict[str, None] = {}
        self.opened: list[object] = []
        self.outside = Outside()
        self.named: dict[str, None] = {}
        # how often changed modules had been taken by then: see txproxy.components.own_modules
        self.generation = 0
        self._places: Mapping[Path, Place] = {}

    def begin(self, piece: Piece) -> None:
        """It is this that is read."""
        self.outside = piece.outside
        self._places = piece.places

    def folder_of(self, path: Path) -> str | None:
        """The folder of the file in which a key stands, where there are files."""
        return os.path.dirname(os.path.abspath(place_of(path, self._places).file)) if self._places else None

    def ask(self, path: str, shape: str, parse: Callable[[Any], Any] | None, default: object) -> None:
        """A key is asked for: its ``shape`` is the method of a table that does so, ``parse`` what takes its value, and
        ``default`` what it is without one.
        """
        self.asked[path] = None

    def fault(self, path: Path, said: str, accepted: str = "") -> None:
        """Something is wrong; one for each line of ``said``."""
        self.faults += [
            self.outside.hidden(Finding(path, brief(masked(line)), brief(masked(accepted))))
            for line in said.splitlines() or [""]
        ]

    def doubt(self, path: Path, said: str, accepted: str = "") -> None:
        """Something may be a mistake."""
        self.doubts.append(self.outside.hidden(Finding(path, masked(said), masked(accepted))))


def of_option(fault: ConfigError, name: str) -> ConfigError:
    """What is wrong with the value of an option."""
    return ConfigError(one._replace(place=f"--{name}") for one in fault.findings)


def told(fault: ConfigError, config: Config) -> ConfigError:
    """What has gone wrong with a whole configuration, whose paths are those of a file, for who has given it: by a file,
    or by options.
    """
    if config.source:
        # What it is called without a file is more than the path says: which of two files of a pair it is.
        found = (one._replace(said=f"{one.place}: {one.said}") if one.place else one for one in fault.findings)
        places = config.places or {(): Place(config.source, 1)}
        return ConfigError(in_file(map(config.outside.hidden, found), places))
    return ConfigError(map(_by_option, fault.findings))


def _by_option(finding: Finding) -> Finding:
    option = _OPTIONS.get(tuple(step for step in finding.path if isinstance(step, str)))
    if option is not None:
        return finding._replace(said=f"{option} {finding.said}", place="")
    # Without a file, nobody has written such paths.
    return finding if finding.place is not None else finding._replace(place="")
