"""Where a log goes: a file, standard output, a syslog server (:rfc:`5424`) or the journal of systemd."""

from __future__ import annotations

import os
import re
import socket
import stat
from collections.abc import Callable
from contextlib import suppress
from time import gmtime, strftime, time
from typing import Final, Protocol

from txproxy.components.written_files import check_writable
from txproxy.errors import ConfigError

STANDARD_OUTPUT: Final = "-"
_MODE: Final = 0o640  # who may read it learns what others do
# PIPE_BUF: so much goes into a pipe whole, whoever else writes there. Files and their appends have no such bound.
_WHOLE: Final = 4096
_PIECE: Final = 1 << 20
# RFC 5424 section 6.2.1: facility local7, as nginx's, and severity informational
_PRIORITY: Final = 23 * 8 + 6
# RFC 5426 section 3.3
_SYSLOG_PORT: Final = 514
_JOURNAL: Final = "/run/systemd/journal/socket"
# what RFC 5424 section 6.2.4 takes for the name of a machine
_HOST_NAME: Final = re.compile(r"[!-~]{1,255}")
_SYSLOG: Final = re.compile(
    r"syslog:(?:udp:(?P<host>\[[^\]]+\]|[^:\[\]]+)(?::(?P<port>[0-9]{1,5}))?|unix:(?P<path>.+))"
)
_ACCEPTED: Final = (
    "accepted are syslog:udp:HOST:PORT, syslog:unix:/dev/log, journald:, a file that can be written, or -"
)


class Destination(Protocol):
    """Where a log goes. ``given`` is what people call it, and ``path`` the same that stays true in another folder."""

    given: str
    path: str

    @property
    def frame(self) -> Callable[[bytes], bytes] | None:
        """Makes what is written of a line, which is given with its end; None if that is the line."""

    def open(self, before: os.stat_result | None) -> int:
        """A descriptor to write to; ``ConfigError`` if there is none. A new file is to its owner and others what the
        one ``before`` was.
        """

    def look(self) -> None:
        """A ``ConfigError`` if it could not be opened now. Nothing is made, and nothing written."""

    def largest(self, descriptor: int) -> int:
        """So many bytes of whole lines may be written together; 0 where each is a message of its own."""


class FileDestination:
    """The file of this name, to which lines are appended, or standard output (``-``)."""

    frame = None

    def __init__(self, path: str) -> None:
        self.given = path
        # Where relative names begin may be another folder later.
        self.path = path if path == STANDARD_OUTPUT else os.path.join(os.getcwd(), path)

    def open(self, before: os.stat_result | None) -> int:
        """See :class:`Destination`."""
        path = self.path
        if path == STANDARD_OUTPUT:
            # The descriptor itself: twistd puts its own log in place of sys.stdout. Not a copy of it, which would hold
            # on to a terminal or pipe that a daemon has let go.
            return 1
        # A named pipe that nobody reads yet cannot be opened for writing alone without waiting.
        pipe = os.path.exists(path) and stat.S_ISFIFO(os.stat(path).st_mode)
        flags = (os.O_RDWR if pipe else os.O_WRONLY) | os.O_APPEND | os.O_CLOEXEC
        try:
            try:
                opened = os.open(path, flags | os.O_CREAT | os.O_EXCL, _MODE)
            except FileExistsError:
                return os.open(path, flags | os.O_CREAT, _MODE)
        except OSError as fault:
            raise self._refusal(fault) from None
        if before is not None and stat.S_ISREG(before.st_mode):
            # Whatever the umask of a daemon may be.
            with suppress(OSError):
                os.fchmod(opened, stat.S_IMODE(before.st_mode))
            with suppress(OSError):
                os.fchown(opened, before.st_uid, before.st_gid)
        return opened

    def look(self) -> None:
        """See :class:`Destination`."""
        if self.path != STANDARD_OUTPUT:
            try:
                check_writable(self.path)
            except (OSError, ValueError) as fault:
                raise self._refusal(fault) from None

    def _refusal(self, fault: OSError | ValueError) -> ConfigError:
        why = getattr(fault, "strerror", None) or str(fault)
        return ConfigError(f"{self.given}: {why}", "accepted is a file that can be written, or -")

    def largest(self, descriptor: int) -> int:
        """See :class:`Destination`."""
        return _PIECE if stat.S_ISREG(os.fstat(descriptor).st_mode) else _WHOLE


class SyslogDestination:
    """A syslog server, by UDP (:rfc:`5426`) at ``host`` and ``port``, or at a UNIX socket (``path``). Each line is a
    message in the form of :rfc:`5424`, sent without waiting for an answer.
    """

    def __init__(self, given: str, *, host: str = "", port: int = _SYSLOG_PORT, path: str = "") -> None:
        self.given = self.path = given
        self.frame = self._message
        self._to: tuple[str, int] | str = path or (host, port)
        name = socket.gethostname()
        self._host = name.encode("ascii") if _HOST_NAME.fullmatch(name) else b"-"
        self._second = 0
        self._time = b""

    def open(self, before: os.stat_result | None) -> int:
        """See :class:`Destination`."""
        return _datagram_socket(self._to, self.given)

    def look(self) -> None:
        """See :class:`Destination`."""
        os.close(self.open(None))

    def largest(self, descriptor: int) -> int:
        """See :class:`Destination`."""
        return 0

    def _message(self, line: bytes) -> bytes:
        now = time()
        second = int(now)
        if second != self._second:
            self._second, self._time = second, strftime("%Y-%m-%dT%H:%M:%S", gmtime(second)).encode("ascii")
        return b"<%d>1 %b.%03dZ %b txproxy %d access - %b" % (
            _PRIORITY,
            self._time,
            int(now * 1000) % 1000,
            self._host,
            os.getpid(),
            line[:-1],
        )


class JournalDestination:
    """The journal of systemd, by its own protocol, at the socket of this ``path``."""

    def __init__(self, given: str, path: str = _JOURNAL) -> None:
        self.given = self.path = given
        self.frame = self._entry
        self._socket = path

    def open(self, before: os.stat_result | None) -> int:
        """See :class:`Destination`."""
        return _datagram_socket(self._socket, self.given)

    def look(self) -> None:
        """See :class:`Destination`."""
        os.close(self.open(None))

    def largest(self, descriptor: int) -> int:
        """See :class:`Destination`."""
        return 0

    def _entry(self, line: bytes) -> bytes:
        # No line has an end within it, which would be another field.
        return b"PRIORITY=6\nSYSLOG_FACILITY=23\nSYSLOG_IDENTIFIER=txproxy\nMESSAGE=" + line


def _datagram_socket(to: tuple[str, int] | str, given: str) -> int:
    """A socket that is connected, so that whoever is not there is noticed."""
    try:
        if isinstance(to, str):
            family, address = socket.AF_UNIX, to
        else:
            family, _, _, _, address = socket.getaddrinfo(*to, type=socket.SOCK_DGRAM)[0]  # type: ignore[assignment]
        with socket.socket(family, socket.SOCK_DGRAM) as connected:
            connected.connect(address)
            return connected.detach()
    except OSError as fault:
        raise ConfigError(f"{given}: {fault.strerror}", _ACCEPTED) from None


def destination_of(given: str) -> Destination:
    """What is meant by ``-``, the name of a file, ``syslog:udp:HOST:PORT``, ``syslog:unix:PATH`` or ``journald:``."""
    if given.startswith("journald:"):
        return JournalDestination(given, given.removeprefix("journald:") or _JOURNAL)
    if not given.startswith("syslog:"):
        return FileDestination(given)
    match = _SYSLOG.fullmatch(given)
    port = int(match["port"] or _SYSLOG_PORT) if match is not None else 0
    if match is None or (not match["path"] and not 0 < port < 65536):
        raise ConfigError(f"{given}: this is no syslog server", _ACCEPTED)
    if match["path"]:
        return SyslogDestination(given, path=match["path"])
    return SyslogDestination(given, host=match["host"].strip("[]"), port=port)


def is_file(given: str) -> bool:
    """Whether a file is meant."""
    return given != STANDARD_OUTPUT and not given.startswith(("syslog:", "journald:"))
