"""The reference of the configuration file has each key that a file may have, and the examples are configurations."""

import pathlib
import re
import shutil

import pytest
from twisted.internet.task import Clock

from txproxy.config.toml.file import load, parse
from txproxy.config.toml.tables import Findings
from txproxy.runtime.proxy_service import make_service

DOCS = pathlib.Path(__file__).parents[2] / "docs"

# Has each kind of table, so that the parser asks for all that may be in it. What is wrong with the values is no matter.
EVERYTHING = """
[log]
[[access_logs]]
[admin]
[cache]
[[cache_rules]]
[limits]
[[request_limits]]
[[bandwidths]]
[[quotas]]
[[listeners]]
mode = "reverse"
certificates = [{ cert = "none" }]
tls = {}
limits = {}
[[listeners]]
mode = "forward"
auth = {}
content = {}
rules = [{ action = "allow", cache = {} }]
rewrites = [{}]
privacy = [{}]
inject = [{}]
binds = [{}]
[[listeners]]
mode = "tcp"
[pools.app]
upstreams = [{ url = "http://127.0.0.1:8001" }]
health = {}
ejection = {}
adaptive = {}
tls = {}
[[routes]]
name = "api"
pool = "app"
request_headers = {}
response_headers = {}
auth = {}
mirror = {}
rewrite = {}
hsts = {}
cache = {}
[[routes]]
respond = {}
[[routes]]
redirect = "/new"
[[routes]]
files = "."
"""


def test_each_key_is_in_the_reference():
    findings = Findings()
    with pytest.raises(ValueError, match="accepted"):
        parse(EVERYTHING, "everything.toml", findings)
    assert len(findings.asked) > 200
    page = (DOCS / "configuration.rst").read_text()
    written = {word for quoted in re.findall(r"``(.+?)``", page) for word in re.findall(r"[a-z0-9_]+", quoted)}
    missing = {key for key in findings.asked if key.rpartition(".")[2] not in written}
    assert not missing


@pytest.mark.parametrize("example", sorted(DOCS.glob("examples/*.toml")), ids=lambda file: file.name)
def test_the_examples_are_configurations_without_a_doubt(example, tmp_path):
    # What they name beside themselves, such as logs, shall not be made among them.
    folder = shutil.copytree(DOCS / "examples", tmp_path / "examples")
    config = load(str(folder / example.name))
    # A question is for the program that reads the file, and a command has nobody to ask.
    assert [warning for warning in config.warnings if "nobody can answer" not in warning] == []
    assert make_service(config, Clock()).config is config
