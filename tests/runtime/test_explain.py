"""What is said of a request without sending it."""

import pytest

from txproxy.config.toml.file import parse
from txproxy.runtime.explain import Question, explain

CONFIG = """
[[listeners]]
listen = "tcp:8080:interface=127.0.0.1"
[pools.app]
upstreams = ["http://10.0.0.1", "http://10.0.0.2;weight=2"]
[[routes]]
name = "admin"
path = "/admin"
respond = 403
[[routes]]
name = "api"
path = "/api"
strip_prefix = "/api"
pool = "app"
[[routes]]
name = "one"
path = "=/one"
strip_prefix = "/one"
pool = "app"
[[routes]]
name = "rest"
pool = "app"
"""


def said(url, method="GET"):
    text, done = explain(parse(CONFIG, "edge.toml"), Question.of(method, url, (), "127.0.0.1", None))
    return text.splitlines(), done


def test_nothing_is_said_of_the_health_of_upstreams_that_nobody_asked():
    lines, done = said("http://a.example/api/x")
    assert done
    assert "pool app (round-robin); no upstream was asked whether it is well" in lines
    assert not any("healthy" in line for line in lines)
    # a weight is what the file says
    assert any(line.startswith("    http://10.0.0.2 (weight 2): ") for line in lines)
    assert "sent to 10.0.0.1:80: GET /x HTTP/1.1" in lines or "sent to 10.0.0.2:80: GET /x HTTP/1.1" in lines


@pytest.mark.parametrize("path", ["//admin", "/%2fadmin", "/x/..%2fadmin", "/x//../admin", "/.//admin", "/admin%2f"])
def test_a_path_that_leads_to_different_routes_is_told_of(path):
    lines, done = said(f"http://a.example{path}")
    assert not done
    assert lines[-1].startswith("answer: 400 Bad Request, the path leads to different routes by different readings: ")


def test_a_path_of_its_own_is_sent_to_no_slash():
    lines, done = said("http://a.example/one")
    assert done and any(line.endswith(": GET / HTTP/1.1") for line in lines)


def test_a_prefix_without_its_slash_is_redirected():
    lines, done = said("http://a.example/api?x", "POST")
    assert done
    assert lines[-2:] == ["answer: 308 Permanent Redirect", "    Location: ./api/?x"]


def test_middleware_is_named_and_not_asked():
    text = CONFIG.replace("listen = ", 'middleware = "tests.config.everything:Nothing"\nlisten = ')
    lines = explain(parse(text, "edge.toml"), Question.of("GET", "http://a.example/api/x", (), "127.0.0.1", None))[0]
    assert lines.splitlines()[2] == (
        "first: tests.config.everything:Nothing, which may do anything, and is not asked here"
    )
