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
        (
            "endpoint = 'collector:4318'",
            "proxy.toml:2: tracing.endpoint: it is no URL of a collector; accepted is http",
        ),
        ("endpoint = 'http://a/?b'", "proxy.toml:2: tracing.endpoint: it is no URL"),
        (
            "endpoint = 'http://a'\ntrace_context = false",
            "proxy.toml:2: tracing.endpoint: spans are parts of traces; accepted is it with trace_context = true",
        ),
        ("sample = 0.5", "proxy.toml:2: tracing.sample: it is of spans, which go nowhere; accepted is it with an"),
        ("endpoint = 'http://a'\nsample = 2", "proxy.toml:3: tracing.sample: 2 is no share"),
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


@pytest.mark.parametrize(
    ("endpoint", "read_as"),
    [
        ("http://127.0.0.1:4318", "http://127.0.0.1:4318/v1/traces"),
        ("https://c.example/", "https://c.example/v1/traces"),
        ("https://c.example/otlp/v1/traces", "https://c.example/otlp/v1/traces"),
    ],
)
def test_spans_go_to_a_collector(endpoint, read_as):
    found = read(f'[tracing]\nendpoint = "{endpoint}"\nservice_name = "edge"\nsample = 0.1')
    assert found == TracingConfig(
        request_id=True, trace_context=True, endpoint=read_as, service_name="edge", sample=0.1
    )
    assert read(f'[tracing]\nendpoint = "{endpoint}"').sample == 1.0
