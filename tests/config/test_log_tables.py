"""Further logs, of some requests."""

import pytest

from txproxy.config.model import AccessLogConfig
from txproxy.config.toml.file import parse
from txproxy.errors import ConfigError
from txproxy.observe.log_conditions import LogConditions

LEAST = """
[[listeners]]
name = "web"
listen = "tcp:80"
pool = "app"
[pools.app]
upstreams = ["http://127.0.0.1:8001"]
"""


@pytest.fixture
def read(tmp_path):
    return lambda text: parse(text, str(tmp_path / "proxy.toml"))


def test_they_say_where_and_for_whom(read, tmp_path):
    text = (
        '[[access_logs]]\nto = "errors.log"\nformat = "json"\nlisteners = "web"\nstatus = [404, "5xx"]\n'
        'min_duration = "1s"\nroutes = ["a"]\nsample = 0.1\n[[access_logs]]\nto = "journald:"\n'
    )
    conditions = LogConditions(statuses=("404", "5xx"), min_duration=1.0, routes=("a",), share=0.1)
    assert read(text + LEAST).access_logs == (
        AccessLogConfig(to=str(tmp_path / "errors.log"), format="json", listeners=("web",), conditions=conditions),
        AccessLogConfig(to="journald:"),
    )
    assert read(LEAST).access_logs == ()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "2: access_logs[0]: to is missing; accepted is a file, -, syslog:udp:HOST:PORT or journald:"),
        ('to = "none"', "3: access_logs[0].to: a log that goes nowhere has no lines"),
        ('to = "syslog:tcp:a"', "3: access_logs[0].to: syslog:tcp:a: this is no syslog server"),
        ('to = "-"\nformat = "$x"', "4: access_logs[0].format: $x is not known"),
        ('to = "-"\nstatus = 600', "4: access_logs[0].status: 600 is no status"),
        ('to = "-"\nstatus = [true]', "4: access_logs[0].status[0]: True is no status"),
        ('to = "-"\nstatus = []', "4: access_logs[0].status: there is none in it"),
        ('to = "-"\nsample = 2', "4: access_logs[0].sample: 2 is no share; accepted is a number from 0 to 1"),
        ('to = "-"\nlisteners = "wob"', "4: access_logs[0].listeners: there is no listener 'wob' (is web meant?)"),
        ('to = "-"\nfile = "x"', "4: access_logs[0].file: no such key"),
    ],
)
def test_what_is_wrong_is_said(read, text, said):
    with pytest.raises(ConfigError) as fault:
        read(f"\n[[access_logs]]\n{text}\n{LEAST}")
    (line,) = str(fault.value).splitlines()
    assert said in line
