"""What twistd runs: modes, what is said of wrong ones, and whose log it is."""

import atexit
import resource

import pytest
from twisted.application.service import Application, IService, IServiceCollection
from twisted.logger import ILogObserver, LogLevel, capturedLogs, formatEvent
from twisted.python import usage

from txproxy.config import Config, ForwardListener
from txproxy.observe.twistd_log import TwistdLog
from txproxy.proxy.limits import Limits
from txproxy.runtime.proxy_service import ProxyService
from txproxy.tap import CommandLineService, Options, makeService, use_descriptors


class Twistd(usage.Options):
    """As twistd's own options, of which ours are a part."""

    subCommands = [["txproxy", None, Options, "a proxy"]]  # noqa: RUF012  # as Twisted has it
    optParameters = [["logfile", "l"], ["pidfile"], ["uid"], ["gid"]]  # noqa: RUF012
    optFlags = [["nodaemon", "n"], ["syslog"], ["debug", "b"]]  # noqa: RUF012


@pytest.fixture
def made(tmp_path, monkeypatch):
    """Makes the service that such words mean, in a folder of its own."""
    monkeypatch.chdir(tmp_path)

    def made(*words):
        options = Twistd()
        options.parseOptions(words)
        return makeService(options.subOptions)

    return made


@pytest.fixture
def said(capfd):
    """What is said of wrong words, which end it."""

    def said(*words):
        with pytest.raises(SystemExit) as stopped:
            Options().parseOptions(words)
        assert stopped.value.code == 1
        return capfd.readouterr().err

    return said


@pytest.mark.parametrize(("granted", "warned"), [(199, True), (200, False), (resource.RLIM_INFINITY, False)])
def test_it_uses_all_descriptors_and_says_where_these_are_too_few(granted, warned, monkeypatch):
    used = []
    monkeypatch.setattr(resource, "getrlimit", lambda what: (100, granted))
    monkeypatch.setattr(resource, "setrlimit", lambda what, limits: used.append(limits))
    with capturedLogs() as events:
        use_descriptors(Config(listeners=(ForwardListener(limits=Limits(max_connections=100)),)))
    assert used == [(granted, granted)]
    said = "enough for 99 proxied connections, and not for max_connections = 100"
    assert [said in formatEvent(event) for event in events] == [True] * warned


def test_the_service_is_the_proxy_of_the_mode(made):
    service = made("-n", "txproxy", "reverse", "--upstream", "http://127.0.0.1:1", "--access-log", "none")
    assert IService.providedBy(service) and isinstance(service, CommandLineService)
    (proxy,) = service
    assert isinstance(proxy, ProxyService)
    assert [listener.name for listener in proxy.config.listeners] == ["reverse"]


def test_options_alone_make_a_service_as_well():
    options = Options()
    options.parseOptions(["forward", "--access-log", "none"])
    assert isinstance(makeService(options), CommandLineService)


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ((), "txproxy: a mode is needed; accepted: forward, reverse, tcp, run"),
        (
            ("revers",),
            "txproxy: 'revers' is no mode (is reverse meant?); accepted: forward, reverse, tcp, run",
        ),
        (("http://u:s3cret@a",), "txproxy: 'http://***@a' is no mode; accepted: forward, reverse, tcp, run"),
        (
            ("reverse", "--upstreem", "x"),
            "txproxy reverse: option --upstreem not recognized (did you mean --upstream?); "
            "txproxy reverse --help lists what is accepted",
        ),
        (
            ("forward", "--parent", "ftp://u:s3cret@a"),
            "txproxy forward: --parent: 'ftp://***@a' is no parent proxy; ",
        ),
    ],
)
def test_what_is_wrong_is_said_with_what_may_be_meant(said, words, line):
    error = said(*words)
    assert error.startswith(line)
    assert error.count("\n") == 1 and "s3cret" not in error


def test_twistds_log_is_written_by_the_service(made, tmp_path):
    service = made("-n", "-l", "own.log", "txproxy", "forward", "--access-log", "none")
    application = Application("a")
    service.setServiceParent(application)
    log = application.getComponent(ILogObserver)
    assert isinstance(log, TwistdLog)
    atexit.unregister(log.settle)
    assert log.file.path == str(tmp_path / "own.log")
    assert list(IServiceCollection(application)) == [service]
    log.file.begin()
    log.file.close()


def test_a_level_is_for_a_log_of_the_proxy_s_own(made, capfd, tmp_path):
    (tmp_path / "edge.toml").write_text(
        '[log]\naccess = "none"\nlevel = "warn"\n[[listeners]]\nmode = "forward"\nlisten = "1"\n'
    )
    run = ("txproxy", "run", "--config", str(tmp_path / "edge.toml"))
    with pytest.raises(SystemExit):
        made("-n", "--syslog", *run).setServiceParent(Application("a"))
    assert capfd.readouterr().err.startswith("txproxy: log.level is not for twistd's --logger and --syslog")
    application = Application("a")
    made("-n", "-l", str(tmp_path / "own.log"), *run).setServiceParent(application)
    log = application.getComponent(ILogObserver)
    atexit.unregister(log.settle)
    log.settle()
    log({"log_level": LogLevel.info, "log_format": "not this", "log_time": 0.0})
    log({"log_level": LogLevel.warn, "log_format": "this", "log_time": 0.0})
    log.file.close()
    assert (tmp_path / "own.log").read_text().split()[-1:] == ["this"]
    assert "not this" not in (tmp_path / "own.log").read_text()


def test_a_log_that_cannot_be_ends_it_with_one_line(made, capfd):
    service = made("-n", "-l", "/nowhere/own.log", "txproxy", "forward", "--access-log", "none")
    with pytest.raises(SystemExit):
        service.setServiceParent(Application("a"))
    error = capfd.readouterr().err
    assert error.startswith("txproxy: --logfile /nowhere/own.log: ") and error.count("\n") == 1


def test_a_daemon_has_no_standard_output_for_a_log(made, capfd):
    service = made("--syslog", "txproxy", "forward")
    with pytest.raises(SystemExit):
        service.setServiceParent(Application("a"))
    assert capfd.readouterr().err.startswith("txproxy: a log is to go to standard output, which a daemon has not; ")
    made("--syslog", "txproxy", "forward", "--access-log", "access.log").setServiceParent(Application("a"))
    made("-n", "--syslog", "txproxy", "forward").setServiceParent(Application("a"))


@pytest.mark.parametrize(
    ("workers", "status", "line"),
    [
        ("2", 0, ""),
        ("1", 1, "txproxy reverse: one process cannot take the place of several; accepted are 2 workers or more\n"),
    ],
)
def test_a_program_that_is_tried_reads_its_options_and_ends(workers, status, line, monkeypatch, capfd):
    monkeypatch.setenv("TXPROXY_TRIED", "1")
    with pytest.raises(SystemExit) as stopped:
        Options().parseOptions(["reverse", "--upstream", "http://a", "--workers", workers, "--access-log", "none"])
    assert (stopped.value.code, capfd.readouterr().err) == (status, line)
