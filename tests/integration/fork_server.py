"""Starts Python programs by forking a process that has imported already what they import: a hundred of them, each with
coverage, would take minutes to do so. ``fork_server.py DESCRIPTOR``, a socket over which :class:`ForkServer` asks.
"""

import contextlib
import gc
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import threading
import time

# What a program imports beside these it imports itself. None of them imports a reactor, which each chooses for itself.
PRELOADED = (
    "txproxy.tap", "txproxy.runtime.proxy_service", "txproxy.cli.command", "twisted.scripts.twistd",
    "twisted.scripts._twistd_unix",
    "twisted.plugins.txproxy_plugin", "twisted.web.static", "asyncio", "websockets.asyncio.server", "http.server",
    "txproxy.cli.cache_command", "txproxy.importers.squid.translation", "txproxy.importers.recognition",
    "txproxy.cli.files.check_command", "txproxy.cli.explain_command", "txproxy.cli.ctl_command",
)  # fmt: skip
DESCRIPTORS = 3


class Forked:
    """A running program, with what tests use of ``subprocess.Popen``."""

    def __init__(self, server, args, pid):
        self._server = server
        self.args = args
        self.pid = pid
        self.returncode = None

    def poll(self):
        if self.returncode is None:
            self.returncode = self._server.ask({"poll": self.pid})
        return self.returncode

    def wait(self, timeout=None):
        end = None if timeout is None else time.monotonic() + timeout
        while self.poll() is None:
            if end is not None and time.monotonic() > end:
                raise subprocess.TimeoutExpired(self.args, timeout)
            time.sleep(0.01)
        return self.returncode

    def send_signal(self, number):
        # Until it is asked for its status, nobody else is given its number.
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self):
        self.send_signal(signal.SIGTERM)

    def kill(self):
        self.send_signal(signal.SIGKILL)


class ForkServer:
    """The process from which others are forked."""

    def __init__(self):
        self._asking = threading.Lock()
        self._channel, theirs = socket.socketpair()
        with theirs:
            words = [sys.executable, __file__, str(theirs.fileno())]
            self._process = subprocess.Popen(words, stdin=subprocess.DEVNULL, pass_fds=[theirs.fileno()])

    def start(self, words, cwd=None, stdin=None, stdout=None, stderr=None):
        """Run ``words`` as ``subprocess.Popen`` would; the first is this Python."""
        with contextlib.ExitStack() as stack:
            given = _descriptor(stdin, 0, stack)
            out = _descriptor(stdout, 1, stack)
            error = out if stderr == subprocess.STDOUT else _descriptor(stderr, 2, stack)
            where = {"cwd": str(cwd or os.getcwd()), "environment": dict(os.environ)}
            pid = self.ask({"start": words[1:], **where}, [given, out, error])
        return Forked(self, words, pid)

    def ask(self, question, descriptors=()):
        data = json.dumps(question).encode()
        with self._asking:
            socket.send_fds(self._channel, [b"%08d" % len(data)], descriptors)
            self._channel.sendall(data)
            return json.loads(_exactly(self._channel, int(_exactly(self._channel, 8))))

    def close(self):
        self._channel.close()
        self._process.wait(20)


def _descriptor(wanted, default, stack):
    if wanted is None:
        return default
    if wanted == subprocess.DEVNULL:
        return stack.enter_context(open(os.devnull, "wb")).fileno()
    return wanted if isinstance(wanted, int) else wanted.fileno()


def _exactly(channel, size):
    data = b""
    while len(data) < size:
        piece = channel.recv(size - len(data))
        if not piece:
            raise EOFError
        data += piece
    return data


def serve(channel):
    """Answer what is asked until nobody is left to ask. Returns in each forked process, with what it is to run."""
    running = set()
    while True:
        size, descriptors, _, _ = socket.recv_fds(channel, 8, DESCRIPTORS)
        if not size:
            break
        question = json.loads(_exactly(channel, int(size + _exactly(channel, 8 - len(size)))))
        if "poll" in question:
            pid, status = os.waitpid(question["poll"], os.WNOHANG)
            running.discard(pid)
            answer = os.waitstatus_to_exitcode(status) if pid else None
        else:
            answer = os.fork()
            if not answer:
                become(question, descriptors)
                return question["start"]
            running.add(answer)
        for descriptor in descriptors:
            os.close(descriptor)
        data = json.dumps(answer).encode()
        channel.sendall(b"%08d" % len(data) + data)
    for pid in running:
        os.kill(pid, signal.SIGKILL)
    return None


def become(question, descriptors):
    """Take over what the new process is given."""
    for number, descriptor in enumerate(descriptors):
        os.dup2(descriptor, number)
        os.close(descriptor)
    os.chdir(question["cwd"])
    os.environ.clear()
    os.environ.update(question["environment"])


def run(words):
    """What ``python WORDS...`` does."""
    kind, *rest = words
    if kind in ("-c", "-m"):
        sys.path[0] = "" if kind == "-c" else os.getcwd()
        what, *arguments = rest
        sys.argv = [kind, *arguments]
        if kind == "-m":
            runpy.run_module(what, run_name="__main__", alter_sys=True)
        else:
            exec(compile(what, "<string>", "exec"), {"__name__": "__main__"})
    else:
        sys.path[0] = os.path.dirname(os.path.abspath(kind))
        sys.argv = words
        runpy.run_path(kind, run_name="__main__")


def main(descriptor):
    for name in PRELOADED:
        __import__(name)
    # When a program ends, Python looks through all that it has: this is the same for each, and five times what a short
    # one does itself.
    gc.collect()
    gc.freeze()
    with socket.socket(fileno=int(descriptor)) as channel:
        words = serve(channel)
    if words is not None:
        run(words)


if __name__ == "__main__":
    main(*sys.argv[1:])
