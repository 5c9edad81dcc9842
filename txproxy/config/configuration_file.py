"""The file that says what runs: read again while it runs, and gone back to as it was."""

from __future__ import annotations

import codecs
import os
from collections.abc import Callable

import attrs
from twisted.logger import Logger

from txproxy.config.model import Config
from txproxy.config.persisting.file_replacing import replace_file
from txproxy.config.revisions import Revision, Revisions
from txproxy.config.toml.file import load, parse
from txproxy.errors import ConfigError

_log = Logger()


@attrs.frozen
class Reloaded:
    """What came of reading a configuration again: the ``file``, or empty for options; what is wrong (``faults``), where
    nothing has changed; and ``warnings``.
    """

    file: str
    faults: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


class ConfigurationFile:
    """That of a ``config``, which runs from now on. ``take`` lets another take its place, and is told who wants that
    (``ConfigError`` if it cannot be: then nothing has changed); ``look`` reads again what options name, where there is
    no file.
    """

    def __init__(self, config: Config, take: Callable[[Config, str], None], look: Callable[[], None]) -> None:
        # Where relative names begin may be another folder by then.
        self.path = os.path.abspath(config.source) if config.source else ""
        self.revisions = Revisions()
        self.revisions.add("start", config.text)
        self._take = take
        self._look = look

    def read_again(self, by: str) -> Reloaded:
        """Let what the file says now take the place of what runs. What is wrong is said in the log, and changes
        nothing. Where there is none, it is what options name that is read: lists, users, certificates.
        """
        if not self.path:
            self._look()
            return Reloaded("")
        return self._follow(lambda: load(self.path), by)

    def go_back(self, revision: Revision, by: str) -> Reloaded:
        """The same with what the file has said when a ``revision`` began."""
        return self._follow(lambda: parse(revision.text, self.path), by)

    def rewrite(self, edited: Callable[[str], str], by: str) -> Reloaded:
        """Write what is ``edited`` of the text that runs into the file, and let that take its place. ``ConfigError``
        where the file is another than what runs, what is edited is no configuration, or it cannot be written; then
        nothing has changed.
        """
        data, text = self._own_text()
        new = edited(text)
        if new == text:
            return Reloaded(self.path)
        parse(new, self.path)
        if b"\r\n" in data:
            new = new.replace("\n", "\r\n")
        mark = codecs.BOM_UTF8 if data.startswith(codecs.BOM_UTF8) else b""
        if self._own_text()[0] != data:
            raise self._another()
        replace_file(self.path, mark + new.encode("utf-8"))
        return self.read_again(by)

    def _own_text(self) -> tuple[bytes, str]:
        """What is in the file, and the text that it is, which is the one that runs."""
        try:
            with open(self.path, "rb") as file:
                data = file.read()
            text = data.decode("utf-8-sig").replace("\r\n", "\n")
        except OSError as fault:
            raise ConfigError(f"{self.path}: {fault.strerror or fault}", "accepted is one that can be read") from None
        except UnicodeDecodeError:
            raise self._another() from None
        if text != self.revisions.text:
            raise self._another()
        return data, text

    def _another(self) -> ConfigError:
        said = f"{self.path}: it is not what runs, which is revision {self.revisions.current}"
        return ConfigError(said, "accepted is the file as it was read: let it be read again first, or put it back")

    def _follow(self, read: Callable[[], Config], by: str) -> Reloaded:
        warnings: tuple[str, ...] = ()
        try:
            config = read()
            warnings = config.warnings
            for warning in warnings:
                _log.warn("{warning}", warning=warning)
            self._take(config, by)
        except ConfigError as fault:
            faults = tuple(str(fault).splitlines())
            for line in faults:
                _log.error("{line}", line=line)
            _log.error("{file} is not taken: the configuration that runs is kept", file=self.path)
            return Reloaded(self.path, faults, warnings)
        return Reloaded(self.path, (), warnings)
