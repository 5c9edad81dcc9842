"""How the tests are run, and what many of them serve from."""

# ruff: noqa: E402
import contextlib
import gc
import importlib
import os
import sys

# Tests are rewritten, and what hundreds of programs import is compiled, once for all processes of a run, whatever the
# environment says: without it, half of the time of a run goes there. First of all, as pytest rewrites Hypothesis, too.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

import pytest
from hypothesis import HealthCheck, settings
from twisted.logger import formatEvent, globalLogPublisher

from txproxy import Pool, ReverseProxyFactory
from txproxy.testing import ProxyInMemory
from txproxy.upstreams.pool_settings import PoolSettings

# Properties are about values: how long an example takes beside others, by the clock on the wall, tells nothing of them.
settings.register_profile(
    "unhurried",
    settings.default,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("unhurried")


def _import_a_part(config):
    """Where all tests are collected, each worker begins elsewhere, and finds the rest rewritten by the others: in a new
    clone, all of them would rewrite the same files at the same time, which takes as long as all else of a start.
    """
    worker = getattr(config, "workerinput", None)
    if worker is None or config.args_source is not config.ArgsSource.TESTPATHS:
        return
    files = sorted(
        path for folder in config.getini("testpaths") for path in config.rootpath.glob(f"{folder}/**/test_*.py")
    )
    for file in files[int(worker["workerid"].removeprefix("gw")) :: worker["workercount"]]:
        # What is wrong with it is said when it is collected.
        with contextlib.suppress(Exception, pytest.skip.Exception):
            importlib.import_module(".".join(file.relative_to(config.rootpath).with_suffix("").parts))


@pytest.hookimpl(wrapper=True)
def pytest_collection(session):
    """What is collected stays until the end: the garbage collector, which takes a third of the time and then a quarter
    of a second each time that a test asks for it, need not look at it.
    """
    gc.disable()
    try:
        _import_a_part(session.config)
        return (yield)
    finally:
        gc.collect()
        gc.freeze()
        gc.enable()


def pytest_collection_modifyitems(items):
    """What takes longest begins first, so that nobody waits for it when all else is done."""
    items.sort(key=lambda item: item.get_closest_marker("packaging") is None)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers():
    """Two workers a core: tests that meet real programs mostly wait."""
    return 2 * len(os.sched_getaffinity(0))


@pytest.fixture
def closing():
    """Closes what it is given when the test is over, and gives it back."""
    made = []

    def closing(one):
        made.append(one)
        return one

    yield closing
    for one in made:
        one.close()


@contextlib.contextmanager
def _observed(observe):
    globalLogPublisher.addObserver(observe)
    yield
    globalLogPublisher.removeObserver(observe)


@pytest.fixture
def logged():
    """What is logged meanwhile, as text."""
    lines = []
    with _observed(lambda event: lines.append(formatEvent(event))):
        yield lines


@pytest.fixture
def failures():
    """The types of the exceptions that are logged meanwhile."""
    seen = []

    def observe(event):
        if "log_failure" in event:
            seen.append(event["log_failure"].type)

    with _observed(observe):
        yield seen


@pytest.fixture
def no_time_of_day(monkeypatch):
    """What the proxy says itself has always the same Date: what is compared may be asked one after the other."""
    monkeypatch.setattr("txproxy.proxy.services.time", lambda: 1.8e9)


@pytest.fixture
def serve(closing):
    """Serves a pool of upstreams 10.0.0.1 and on, in memory; keyword arguments are the pool's settings."""

    def serve(upstreams=2, strategy="round-robin", *, sticky=None, limits=None, trusted_proxies=(), **settings):
        if isinstance(upstreams, int):
            upstreams = [f"http://10.0.0.{number}" for number in range(1, upstreams + 1)]
        pool = Pool(upstreams, strategy, settings=PoolSettings(**settings))
        proxy = ProxyInMemory(
            lambda reactor: ReverseProxyFactory(
                pool, sticky=sticky, limits=limits, trusted_proxies=trusted_proxies, reactor=reactor
            )
        )
        proxy.pool = pool
        return closing(proxy)

    return serve
