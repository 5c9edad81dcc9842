"""What systemd is told."""

import os
import socket
import time

import pytest
from twisted.internet.task import Clock

from txproxy.cli.starting.systemd_notify import SystemdNotify


@pytest.fixture
def told(tmp_path):
    """A service manager's socket: what it has heard by now."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.setblocking(False)

        def told():
            heard = []
            while True:
                try:
                    heard.append(manager.recv(1000).decode())
                except BlockingIOError:
                    return heard

        yield told


def environment(tmp_path, **more):
    return {"NOTIFY_SOCKET": str(tmp_path / "notify"), **more}


def test_it_is_told_of_each_state(told, tmp_path):
    manager = SystemdNotify(environment(tmp_path))
    manager.ready()
    before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    manager.reloading()
    manager.stopping()
    first, second, third = told()
    assert (first, third) == ("READY=1", "STOPPING=1")
    word, _, since = second.partition("\nMONOTONIC_USEC=")
    assert word == "RELOADING=1" and int(since) >= before


@pytest.mark.parametrize("named", [True, False])
def test_it_hears_twice_in_its_interval_that_the_reactor_runs(told, tmp_path, named):
    clock = Clock()
    of = str(os.getpid()) if named else ""
    manager = SystemdNotify(environment(tmp_path, WATCHDOG_USEC="3000000", WATCHDOG_PID=of))
    manager.watch(clock)
    clock.pump([1.5, 1.5])
    assert told() == ["WATCHDOG=1"] * 3
    manager.stop()
    manager.stop()
    assert not clock.getDelayedCalls()


@pytest.mark.parametrize("more", [{}, {"WATCHDOG_USEC": "0"}, {"WATCHDOG_USEC": "1", "WATCHDOG_PID": "1"}])
def test_where_nobody_watches_nobody_is_told(told, tmp_path, more):
    clock = Clock()
    SystemdNotify(environment(tmp_path, **more)).watch(clock)
    assert told() == [] and not clock.getDelayedCalls()


def test_a_name_that_is_in_no_file_system_is_one():
    name = f"txproxy-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(f"\0{name}")
        SystemdNotify({"NOTIFY_SOCKET": f"@{name}"}).ready()
        assert manager.recv(100) == b"READY=1"


@pytest.mark.parametrize("environment", [{}, {"NOTIFY_SOCKET": "/nowhere/notify", "WATCHDOG_USEC": "1000000"}])
def test_without_one_nothing_happens(environment):
    clock = Clock()
    manager = SystemdNotify(environment)
    manager.ready()
    manager.watch(clock)
    manager.stop()
    assert not clock.getDelayedCalls()
