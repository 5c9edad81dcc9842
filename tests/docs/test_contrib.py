"""What stands in contrib/ fits what it is for: options, folders, signals and metrics that it names are the proxy's."""

import json
import pathlib
import re
import shlex
from types import SimpleNamespace

import pytest
from twisted.internet.task import Clock

from tests.admin.metrics.test_metric_families import View
from tests.observe.test_request_counts import attempt, record
from tests.proxy.caching.caching_proxy import CachingProxy, get
from txproxy import Limits
from txproxy.admin.metrics.metric_families import families
from txproxy.cli import command
from txproxy.config.toml.file import load
from txproxy.limits.requests.limiter import LimitCounts
from txproxy.observe.loop_lag import LoopLag
from txproxy.tap import Options
from txproxy.upstreams.upstream import State

CONTRIB = pathlib.Path(__file__).parents[2] / "contrib"
UNIT = CONTRIB / "systemd" / "txproxy.service"
CONFIGURATION = CONTRIB / "systemd" / "proxy.toml"


def settings(file):
    """Each setting of a unit, with all that it was given."""
    found = {}
    for line in file.read_text().splitlines():
        if line and line[0] not in "#[":
            name, _, value = line.partition("=")
            found.setdefault(name, []).append(value)
    return found


# -- as a service


def test_the_unit_starts_and_checks_what_can_be_started_and_checked():
    unit = settings(UNIT)
    (start,), (reload,) = unit["ExecStart"], unit["ExecReload"]
    _, verb, file = shlex.split(reload)
    # The folders of the service are not here.
    readable = str(CONTRIB / "docker" / "proxy.toml")
    options = Options()
    options.parseOptions([word.replace(file, readable) for word in shlex.split(start)[1:]])
    assert options.subOptions["config"] == readable and verb in command._COMMANDS


def test_the_unit_waits_for_as_long_as_a_drain_may_take():
    unit = settings(UNIT)
    for wait in (unit["TimeoutStopSec"][0], re.search(r"stop_grace_period: (\d+)s", COMPOSE)[1]):
        assert int(wait) > Limits().drain_timeout
    assert unit["Type"] == ["notify-reload"] and unit["KillMode"] == ["mixed"] and int(unit["WatchdogSec"][0]) > 0


def test_all_that_the_service_writes_is_where_its_unit_lets_it():
    unit = settings(UNIT)
    bases = {"RuntimeDirectory": "run", "LogsDirectory": "var/log", "CacheDirectory": "var/cache"}
    folders = {f"/{base}/{unit[kind][0]}" for kind, base in bases.items()}
    config = load(str(CONFIGURATION))
    assert not config.warnings
    written = [config.access_log, config.admin.listen.removeprefix("unix:"), config.cache.dir]
    assert {folder for path in written for folder in folders if path.startswith(f"{folder}/")} == folders
    assert unit["User"] == unit["Group"] == [re.search(r"^u (\S+)", read("systemd/sysusers.conf"), re.MULTILINE)[1]]


def test_each_socket_has_the_name_that_the_listener_asks_for():
    asked = re.findall(r"systemd:domain=(INET6?):name=(\w+)", read("systemd/txproxy.socket"))
    units = [settings(CONTRIB / "systemd" / f"txproxy{number}.socket") for number in ("", "6")]
    given = [("INET6" if "[" in unit["ListenStream"][0] else "INET", unit["FileDescriptorName"][0]) for unit in units]
    assert asked == given and all(unit["Service"] == ["txproxy.service"] for unit in units)


def test_logs_that_are_moved_are_those_that_the_service_writes():
    text = read("logrotate/txproxy")
    (pattern,) = re.findall(r"^(/\S+) \{", text, re.MULTILINE)
    assert pathlib.PurePath(load(str(CONFIGURATION)).access_log).match(pattern)
    # Other signals read the configuration again, or end it.
    assert re.findall(r"--signal=(\w+) (\S+)$", text, re.MULTILINE) == [("SIGUSR1", UNIT.name)]
    assert f"su {settings(UNIT)['User'][0]} " in text


# -- in a container


def read(name):
    return (CONTRIB / name).read_text()


COMPOSE = read("docker/compose.yaml")


def test_the_image_runs_as_nobody_of_note_what_can_be_run():
    text = read("docker/Dockerfile")
    last = text.rpartition("\nFROM ")[2]
    assert re.search(r"^USER (\d+)", last, re.MULTILINE)[1] not in ("0", "")
    assert "getPlugins(IPlugin)" in text.partition("\nFROM ")[2].rpartition("\nFROM ")[0]
    source, target = re.search(r"^COPY contrib/docker/(\S+) (\S+)$", last, re.MULTILINE).groups()
    words = json.loads(re.search(r"^CMD (\[.*\])", last, re.MULTILINE)[1])
    options = Options()
    options.parseOptions([word.replace(target, str(CONTRIB / "docker" / source)) for word in words])
    assert options.subOptions["config"] != target and f"./{source}:{target}:ro" in COMPOSE


def test_the_image_asks_where_its_configuration_answers():
    config = load(str(CONTRIB / "docker" / "proxy.toml"))
    assert not config.warnings
    assert f"http://{config.admin.listen}/readyz" in read("docker/Dockerfile")
    (port,) = {listener.listen[0].rpartition(":")[2] for listener in config.listeners}
    assert f'ports: ["{port}:{port}"]' in COMPOSE and f"EXPOSE {port}\n" in read("docker/Dockerfile")
    assert config.pools[0].upstreams == ("http://app:8000",) and "\n  app:\n" in COMPOSE


# -- what is watched


@pytest.fixture(scope="module")
def told():
    """The names of the samples of a proxy of which all is told, with their labels."""
    view, proxy = View(), CachingProxy()
    view.cache, view.lag = proxy.cache, LoopLag(Clock())
    view.limits = (LimitCounts("a", 1, 1, 1, 1, True),)
    connected = record(attempts=(attempt(view.pools["app"].upstreams[0]),))
    proxy.ask(get("/x"), proxy.response(cache_control="max-age=60"))
    for one in (*proxy.finished, connected, record(status=502, outcome="connection_refused")):
        view.counts["edge"].exchange(one)
    view.counts["raw"].stream(SimpleNamespace(outcome="ok", sent=1, received=2, record=None))
    found = {}
    for family in families(view):
        for sample in family.samples:
            names = [sample.suffix] if family.kind != "histogram" else ["_bucket", "_sum", "_count"]
            for suffix in names:
                more = {"le"} if suffix == "_bucket" else set()
                found[f"{family.name}{suffix}"] = {*sample.labels, *more}
    proxy.close()
    return found


# What Prometheus itself puts at each sample.
OF_A_SCRAPE = {"job", "instance"}
DASHBOARD = json.loads(read("grafana/dashboard.json"))
ALERTS = re.findall(r"^ +expr: (.*)$", read("prometheus/alerts.yaml"), re.MULTILINE)
EXPRESSIONS = [
    *ALERTS,
    *(target["expr"] for panel in DASHBOARD["panels"] for target in panel.get("targets", ())),
    *(
        re.match(r"label_values\((.*), \w+\)", variable["query"]["query"])[1]
        for variable in DASHBOARD["templating"]["list"]
        if variable["type"] == "query"
    ),
]


def test_there_are_expressions():
    assert len(ALERTS) == read("prometheus/alerts.yaml").count("- alert:") > 5 and len(EXPRESSIONS) > 30


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_what_is_watched_is_told(told, expression):
    selectors = re.findall(r"\b(txproxy_\w+|process_\w+|up)\b(?:\{([^}]*)\})?", expression)
    assert selectors
    labels = set(OF_A_SCRAPE)
    for name, conditions in selectors:
        if name != "up":
            asked = set(re.findall(r"(\w+)(?:=|!=)", conditions))
            assert asked <= told[name] | OF_A_SCRAPE, name
            labels |= told[name]
    for grouped in re.findall(r"\bby \(([^)]*)\)", expression):
        assert set(grouped.split(", ")) <= labels
    for states in re.findall(r'state(?:=|!=|=~)"([^"]*)"', expression):
        assert set(states.split("|")) <= {state.value for state in State}


def test_what_is_said_of_an_alert_are_labels_that_it_has(told):
    for expression, summary in zip(
        ALERTS, re.findall(r"summary: (.*)}$", read("prometheus/alerts.yaml"), re.MULTILINE), strict=True
    ):
        grouped = re.findall(r"\bby \(([^)]*)\)", expression)
        name = re.search(r"\b(txproxy_\w+|process_\w+|up)\b", expression)[1]
        has = set(grouped[-1].split(", ")) - {"le"} if grouped else told.get(name, set()) | OF_A_SCRAPE
        assert set(re.findall(r"\$labels\.(\w+)", summary)) <= has, summary
