"""``[tracing]`` of a file."""

import pytest

from txproxy.config.model import TracingConfig
from txproxy.config.toml.file import parse
from txproxy.errors import ConfigError

LISTENER = '\n[[listeners]]\nmode = "forward"\nlisten = "127.0.0.1:3128"\n'


def read(text):
    return parse(text + LISTENER, "proxy.toml").tracing


def test_it_is_off_without_the_table_and_on_with_it():
    assert read("") == TracingConfig() and not read("")
    assert read("[tracing]") == TracingConfig(request_id=True, trace_context=True)
    assert read("[tracing]\nrequest_id = false") == TracingConfig(trace_context=True)
    assert read("[tracing]\ntrace_context = false") == TracingConfig(request_id=True)


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("request_id = 1", "proxy.toml:2: tracing.request_id: 1"),
        ("trace = true", "proxy.toml:2: tracing.trace: no such key"),
        ("request_id = false\ntrace_context = false", "proxy.toml:1: tracing: it does nothing; accepted is request_id"),
    ],
)
def test_what_is_wrong_is_one_line(lines, said):
    with pytest.raises(ConfigError) as fault:
        read(f"[tracing]\n{lines}\n")
    (line,) = str(fault.value).splitlines()
    assert said in line
