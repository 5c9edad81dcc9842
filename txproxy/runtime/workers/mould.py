"""The mould: a process that has imported and read all that a worker needs, and forks one whenever it is asked.

It has neither reactor nor threads, and no clients. A worker is ready tens of milliseconds after it was asked for, and
shares the memory of what the mould has; a new interpreter would take more than a second, and have all of it again.
The master starts it as ``python -c "from txproxy.runtime.workers.mould import main; ..."`` with one end of a
:class:`~txproxy.runtime.workers.channel.Channel`, and it ends when the master has gone.

The master says ``configure`` (a configuration, and the module of the reactor), ``become`` (a user and group), ``locks``
(the descriptor of a file for locks of all workers) and ``fork`` (the number of a worker, and the descriptor of its own
channel). It answers ``configured`` or ``wrong``, and
says of each worker that it has ``ended``.
"""

from __future__ import annotations

import gc
import os
import select
import signal
import socket
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from typing import Any, Final

from twisted.python.util import switchUID

from txproxy.components.own_modules import adopt, use_path
from txproxy.config.model import Config
from txproxy.errors import ConfigError
from txproxy.runtime.builder import server_tls
from txproxy.runtime.workers.channel import Channel, Message
from txproxy.runtime.workers.process_names import name_process
from txproxy.runtime.workers.program import hear_signals
from txproxy.runtime.workers.worker_process import Worker, run
from txproxy.tls.listener_contexts import ListenerTls, ServerTls
from txproxy.tls.ticket_fronts import TicketFronts

# What a terminal or a service manager sends to all processes at once is for the master to act on.
_FOR_THE_MASTER: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)


class Mould:
    """``channel`` leads to the master; ``run`` is what a worker does, in a process of its own."""

    def __init__(self, channel: Channel, run: Callable[[Worker], None]) -> None:
        self._channel = channel
        self._run = run
        self._config: Config | None = None
        self._reactor = ""
        self._tls: dict[ListenerTls, ServerTls] = {}
        self._fronts: TicketFronts | None = None
        self._locks: int | None = None
        self._children: dict[int, int] = {}
        self._wakes, self._woken = os.pipe()

    def serve(self) -> None:
        """Do what the master says until it has gone. In a worker, return when that has ended."""
        for number in _FOR_THE_MASTER:
            signal.signal(number, signal.SIG_IGN)
        for end in (self._wakes, self._woken):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(self._woken, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        gc.disable()
        poller = select.poll()
        poller.register(self._channel.fileno(), select.POLLIN)
        poller.register(self._wakes, select.POLLIN)
        while True:
            for descriptor, _ in poller.poll():
                if descriptor == self._wakes:
                    self._reap()
                    continue
                messages = self._channel.receive_all()
                if messages is None:
                    return
                for message in messages:
                    if self._do(message):
                        return

    def _reap(self) -> None:
        """Tell of each worker that has ended."""
        with suppress(BlockingIOError):
            os.read(self._wakes, 4096)
        while self._children:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            self._channel.send("ended", (self._children.pop(pid, 0), pid, os.waitstatus_to_exitcode(status)))

    def _do(self, message: Message) -> bool:
        """Whether this is a worker, whose work is done."""
        if message.kind == "configure":
            self._configure(*message.content)
        elif message.kind == "become":
            switchUID(*message.content)
        elif message.kind == "locks":
            self._locks = message.descriptors[0]
        elif message.kind == "fork":
            return self._fork(message.content, message.descriptors[0])
        return False

    def _configure(self, config: Config, reactor: str) -> None:
        try:
            use_path(config.python_path)
            # Who is forked later is to have the code that all have.
            adopt(config.own_modules)
            import_module(reactor)
            # Workers have these, and files may be others by then.
            import_module("txproxy.upstreams.several_processes.locked_room")
            if config.tracing.endpoint is not None:
                import_module("txproxy.observe.spans.opentelemetry_spans")
            wanted = {listener.tls for listener in config.listeners if listener.tls is not None}
            if wanted and self._fronts is None:
                self._fronts = TicketFronts()
            tls = {one: self._tls.get(one) or server_tls(one, self._fronts) for one in wanted}
        except (ConfigError, ImportError) as fault:
            self._channel.send("wrong", str(fault))
            return
        self._config, self._reactor, self._tls = config, reactor, tls
        self._channel.send("configured")

    def _fork(self, number: int, descriptor: int) -> bool:
        assert self._config is not None, "it is configured first"
        for tls in self._tls.values():
            # Certificates may be others by now.
            tls.check()
        # What is there is there to stay: a worker's collector that looked at it would make it the worker's own memory.
        gc.collect()
        gc.freeze()
        pid = os.fork()
        if pid:
            self._children[pid] = number
            os.close(descriptor)
            return False
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for end in (self._wakes, self._woken):
            os.close(end)
        self._channel.close()
        gc.enable()
        channel = Channel(socket.socket(fileno=descriptor))
        self._run(Worker(number, channel, self._config, self._tls, self._reactor, self._fronts, self._locks))
        return True


def main(descriptor: int) -> None:
    """Be the mould of the master at the other end of a socket."""
    name_process("txproxy mould")
    # A master that has just taken the place of another hears none yet.
    hear_signals()
    status: Any = 1
    try:
        Mould(Channel(socket.socket(fileno=descriptor)), run).serve()
        status = 0
    finally:
        # Nothing that others have registered for the end of a program is to be done once for each worker.
        os._exit(status)
