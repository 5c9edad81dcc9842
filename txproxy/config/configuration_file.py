"""The file that says what runs: read again while it runs, and gone back to as it was."""

from __future__ import annotations

import codecs
import os
from collections.abc import Callable, Mapping

import attrs
from twisted.logger import Logger

from txproxy.config.model import Config
from txproxy.config.persisting.file_replacing import replace_file
from txproxy.config.revisions import Revision, Revisions
from txproxy.errors import ConfigError
from txproxy.frozen_values import frozen

_log = Logger()


@frozen
class Reloaded:
    """What came of reading a configuration again: the ``file``, or empty for options; what is wrong (``faults``), where
    nothing has changed; and ``warnings``.
    """

    file: str
    faults: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


@frozen
class _Own:
    """What is in a file, and the text that this is."""

    data: bytes
    text: str

    def written(self, text: str) -> bytes:
        """Another ``text`` in the same manner."""
        if b"\r\n" in self.data:
            text = text.replace("\n", "\r\n")
        mark = codecs.BOM_UTF8 if self.data.startswith(codecs.BOM_UTF8) else b""
        return mark + text.encode("utf-8")


class ConfigurationFile:
    """That of a ``config``, which runs from now on. ``take`` lets another take its place, and is told who wants that
    (``ConfigError`` if it cannot be: then nothing has changed); ``look`` reads again what options name, where there is
    no file.
    """

    def __init__(self, config: Config, take: Callable[[Config, str], None], look: Callable[[], None]) -> None:
        # Where relative names begin may be another folder by then.
        self.path = os.path.abspath(config.source) if config.source else ""
        self.revisions = Revisions()
        self.revisions.add("start", config.text, config.included)
        self._take = take
        self._look = look

    def read_again(self, by: str) -> Reloaded:
        """Let what the file says now take the place of what runs. What is wrong is said in the log, and changes
        nothing. Where there is none, it is what options name that is read: lists, users, certificates.
        """
        if not self.path:
            self._look()
            return Reloaded("")
        from txproxy.config.toml.file import load

        return self._follow(lambda: load(self.path), by)

    def go_back(self, revision: Revision, by: str) -> Reloaded:
        """The same with what the file has said when a ``revision`` began."""
        from txproxy.config.toml.file import parse

        return self._follow(lambda: parse(revision.text, self.path, included=revision.included), by)

    def rewrite(self, edited: Callable[[Config], Mapping[str, str]], by: str) -> Reloaded:
        """Write what is ``edited`` of what runs into the files of it, which that gives by their names, and let it take
        its place. ``ConfigError`` where a file is another than what runs, what is edited is no configuration, or it
        cannot be written; then nothing has changed.
        """
        from txproxy.config.toml.file import parse

        files = {file: self._own(file) for file in (self.path, *self.revisions.included.texts)}
        running = parse(self.revisions.text, self.path, included=self.revisions.included)
        new = {file: text for file, text in edited(running).items() if text != files[file].text}
        if not new:
            return Reloaded(self.path)
        others = {**running.included.texts, **new}
        main = others.pop(self.path, running.text)
        parse(main, self.path, included=attrs.evolve(running.included, texts=others))
        for file, one in files.items():
            if self._own(file).data != one.data:
                raise self._another(file)
        done: list[str] = []
        try:
            for file, text in new.items():
                replace_file(file, files[file].written(text))
                done.append(file)
        except ConfigError:
            for file in done:
                replace_file(file, files[file].data)
            raise
        return self.read_again(by)

    def _own(self, path: str) -> _Own:
        """What is in one of the files, which is what runs."""
        try:
            with open(path, "rb") as file:
                data = file.read()
            own = _Own(data, data.decode("utf-8-sig").replace("\r\n", "\n"))
        except OSError as fault:
            raise ConfigError(f"{path}: {fault.strerror or fault}", "accepted is one that can be read") from None
        except UnicodeDecodeError:
            raise self._another(path) from None
        if own.text != (self.revisions.text if path == self.path else self.revisions.included.texts[path]):
            raise self._another(path)
        return own

    def _another(self, path: str) -> ConfigError:
        said = f"{path}: it is not what runs, which is revision {self.revisions.current}"
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
