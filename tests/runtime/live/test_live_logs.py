"""Access logs of a configuration, and of the next one."""

import os
import sys

import attrs
import pytest

from txproxy.config.model import AccessLogConfig, Config, ForwardListener, TcpListener, TracingConfig
from txproxy.errors import ConfigError
from txproxy.observe import spans
from txproxy.observe.log_conditions import ConditionalLog, LogConditions
from txproxy.runtime.live.live_logs import LiveLogs


def config(tmp_path, *listeners, **more):
    return Config(
        listeners=tuple(ForwardListener(name=f"l{number}", **one) for number, one in enumerate(listeners)),
        access_log=str(tmp_path / "all.log"),
        **more,
    )


@pytest.fixture
def made():
    logs = []

    def make(config, before=None):
        logs.append(LiveLogs(config, before))
        return logs[-1]

    yield make
    for one in logs:
        one.close_but(())


def test_a_listener_has_a_log_of_its_own_or_that_of_all(made, tmp_path):
    path = str(tmp_path / "own.log")
    logs = made(config(tmp_path, {}, {"access_log": path}, {"access_log": "none"}, {"access_log_format": "squid"}, {}))
    assert set(logs.files) == {str(tmp_path / "all.log"), path}
    first, own, none, squid, last = (logs.of_listeners[number] for number in range(5))
    assert none == [] and first == last != squid
    assert squid[0].file is first[0].file is not own[0].file


def test_listeners_with_their_names_in_lines_have_a_log_each(made, tmp_path):
    logs = made(config(tmp_path, {}, {}, access_log_format="json"))
    assert logs.of_listeners[0] != logs.of_listeners[1]
    assert len(logs.files) == 1


def test_what_is_the_same_stays(made, tmp_path):
    first = made(config(tmp_path, {}, {"access_log_format": "json"}))
    second = made(config(tmp_path, {}, {"access_log_format": "squid"}), first)
    assert second.files == first.files
    assert second.of_listeners[0] == first.of_listeners[0]
    assert second.of_listeners[1] != first.of_listeners[1]
    second.close_but(first.files.values())
    assert not any(file.closed for file in first.files.values())
    first.close_but(())
    # What has been closed is opened anew.
    third = made(config(tmp_path, {}), first)
    assert not any(file.closed for file in third.files.values())


def test_a_file_that_cannot_be_written_is_said_where_it_is_named(made, tmp_path):
    first = made(config(tmp_path, {}))
    for wrong, path in [
        (config(tmp_path, {}, {"access_log": "/nowhere/a.log"}), ("listeners", 1, "access_log")),
        (attrs.evolve(config(tmp_path, {}), access_log="/nowhere/a.log"), ("log", "access")),
        (config(tmp_path, {}, {"access_log_format": "$x"}), ("listeners", 1, "access_log_format")),
        (config(tmp_path, {}, access_log_format="$x"), ("log", "access_format")),
        (config(tmp_path, {}, access_logs=(AccessLogConfig(to="/nowhere/a.log"),)), ("access_logs", 0, "to")),
        (config(tmp_path, {}, access_logs=(AccessLogConfig(to="-", format="$x"),)), ("access_logs", 0, "format")),
    ]:
        with pytest.raises(ConfigError) as fault:
            made(wrong, first)
        assert fault.value.findings[0].path == path
        assert not any(file.closed for file in first.files.values())


def test_further_logs_are_for_those_that_they_name(made, tmp_path):
    failed = LogConditions(statuses=("5xx",))
    more = (
        AccessLogConfig(to=str(tmp_path / "all.log"), format="squid", listeners=("l1",)),
        AccessLogConfig(to=str(tmp_path / "errors.log"), conditions=failed),
    )
    given = config(tmp_path, {"access_log": "none"}, {}, access_logs=more)
    first = made(given)
    (errors,), (usual, squid, same) = first.of_listeners.values()
    assert errors is same and isinstance(errors, ConditionalLog)
    assert usual.file is squid.file is not errors.log.file
    # Who serves with the same logs is the same after a reload.
    second = made(given, first)
    assert second.of_listeners == first.of_listeners
    third = made(attrs.evolve(given, access_logs=more[:1]), second)
    assert third.of_listeners == {0: [], 1: [usual, squid]}
    assert set(third.files) == {str(tmp_path / "all.log")}
    second.close_but(third.files.values())
    assert errors.log.file.closed and not usual.file.closed


def test_spans_are_of_all_listeners_that_read_requests_and_go_on_over_a_reload(made, tmp_path):
    if not os.environ.get("TXPROXY_REQUIRE_PEERS"):
        pytest.importorskip("opentelemetry.sdk")
    tracing = TracingConfig(trace_context=True, endpoint="http://127.0.0.1:1/v1/traces")
    plain = config(tmp_path, {}, {})
    traced = attrs.evolve(
        plain, listeners=(*plain.listeners, TcpListener(name="raw", listen=("tcp:9",))), tracing=tracing
    )
    before = made(traced)
    spans = [before.of_listeners[number][1:] for number in range(3)]
    assert [len(one) for one in spans] == [1, 1, 0] and spans[0] != spans[1]
    after = made(traced, before)
    assert [after.of_listeners[number][1:] for number in range(3)] == spans
    without = made(plain, after)
    assert without.of_listeners[0][1:] == [] and without.exporting == before.exporting, "what has begun may still end"
    other = made(attrs.evolve(traced, tracing=attrs.evolve(tracing, service_name="edge")), without)
    assert other.of_listeners[0][1:] != spans[0] and len(other.exporting) == 2


def test_spans_without_the_library_are_a_fault_of_the_file(made, tmp_path, monkeypatch):
    monkeypatch.delattr(spans, "opentelemetry_spans", raising=False)
    monkeypatch.delitem(sys.modules, "txproxy.observe.spans.opentelemetry_spans", raising=False)
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    for name in [name for name in sys.modules if name.startswith("opentelemetry.")]:
        monkeypatch.setitem(sys.modules, name, None)
    tracing = TracingConfig(trace_context=True, endpoint="http://127.0.0.1:1/v1/traces")
    with pytest.raises(ConfigError, match=r"^tracing.endpoint: opentelemetry is not installed"):
        made(attrs.evolve(config(tmp_path, {}), tracing=tracing))
