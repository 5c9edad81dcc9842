"""The options of a process that a file describes."""

from __future__ import annotations

from typing import ClassVar

from txproxy.cli.options.shared import Mode, say
from txproxy.config.model import Config
from txproxy.config.toml.file import load
from txproxy.errors import ConfigError


class RunOptions(Mode):
    """``txproxy run``"""

    name = "run"
    bare = "--config"
    optParameters: ClassVar[list[list[object]]] = [
        ["config", None, None, "the TOML file that names all that is to run; read again on SIGHUP, required"],
    ]

    def config(self) -> Config:
        """The configuration in the file."""
        if self["config"] is None:
            raise ConfigError("--config FILE is required")
        config = load(self["config"])
        for warning in config.warnings:
            say(f"txproxy run: warning: {warning}")
        return config
