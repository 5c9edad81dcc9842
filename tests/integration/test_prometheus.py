"""A Prometheus that scrapes a proxy: it reads what that tells, and answers what contrib/ asks of it."""

import contextlib
import json
import os
import re
import subprocess
import sys
import urllib.parse
import urllib.request

import pytest

from tests.docs.test_contrib import ALERTS, CONTRIB, EXPRESSIONS
from tests.integration.conftest import DEADLINE, free_port, need, until

TOKEN = "0123456789abcdef"
FILE = """
[log]
access = "none"
[admin]
listen = "127.0.0.1:{admin}"
token_file = "token"
[cache]
size = "8M"
[[request_limits]]
name = "all"
rate = "100/s"
[[listeners]]
name = "web"
listen = "tcp:{web}:interface=127.0.0.1"
pool = "app"
[[listeners]]
name = "raw"
mode = "tcp"
listen = "tcp:{raw}:interface=127.0.0.1"
pool = "raw"
[[routes]]
name = "gone"
path = "/gone"
pool = "gone"
[pools.app]
upstreams = ["{upstream}"]
[pools.gone]
upstreams = ["http://127.0.0.1:{nobody}"]
[pools.raw]
upstreams = ["127.0.0.1:{nobody}"]
"""
SCRAPE = """
global: {{scrape_interval: 200ms, evaluation_interval: 200ms}}
rule_files: ["{rules}"]
scrape_configs:
  - job_name: txproxy
    authorization: {{credentials_file: "{token}"}}
    static_configs: [{{targets: ["127.0.0.1:{admin}"]}}]
"""
# What an alert holds against a sample, and what a panel leaves out: where all is well there is none.
BOUND = re.compile(r' (?:==|>|<) [0-9.]+$|, state!="healthy"|, result!="allowed"')
# What Grafana puts in the place of its variables.
VARIABLES = {"$job": "txproxy", "$listener": ".*", "$pool": ".*", "$__rate_interval": "1m"}


def get(port, path, **fields):
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers=fields)
    with urllib.request.urlopen(request, timeout=DEADLINE) as answer:
        return answer.read()


class Prometheus:
    def __init__(self, port):
        self._port = port

    def ask(self, path, **query):
        told = json.loads(get(self._port, f"/api/v1/{path}?{urllib.parse.urlencode(query)}"))
        assert told["status"] == "success"
        return told["data"]

    def values(self, expression):
        """What it answers now."""
        return [float(one["value"][1]) for one in self.ask("query", query=expression)["result"]]


def promtool(*words, given=None):
    done = subprocess.run(
        [need("promtool"), "check", *words], input=given, capture_output=True, timeout=DEADLINE, check=False
    )
    assert done.returncode == 0 and not done.stderr, (done.stdout, done.stderr)
    return done.stdout.decode()


class Watched:
    """A proxy to which all may happen that is counted."""

    def __init__(self, processes, origin, folder):
        self.admin, self.web, self.raw, nobody = (free_port() for _ in range(4))
        page = origin.directory / "www" / "page"
        page.write_text("old enough to be kept\n")
        os.utime(page, (1e9, 1e9))
        self.token = folder / "token"
        self.token.write_text(TOKEN)
        file = folder / "proxy.toml"
        file.write_text(FILE.format(upstream=origin.url, nobody=nobody, admin=self.admin, web=self.web, raw=self.raw))
        self._start = lambda: processes(
            sys.executable, "-m", "txproxy", "run", "--config", str(file), port=self.web, cwd=folder
        )

    def start(self):
        self._start()
        for _ in range(2):
            assert get(self.web, "/page").startswith(b"old")
        self.fail()
        with pytest.raises(OSError):
            get(self.raw, "/")

    def fail(self):
        with pytest.raises(urllib.error.HTTPError, match="503"):
            get(self.web, "/gone")


@pytest.fixture
def watched(processes, run_nginx, tmp_path):
    return Watched(processes, run_nginx(), tmp_path)


@pytest.fixture
def prometheus(processes, watched, tmp_path):
    port = free_port()
    rules = CONTRIB / "prometheus" / "alerts.yaml"
    file = tmp_path / "prometheus.yaml"
    file.write_text(SCRAPE.format(rules=rules, token=watched.token, admin=watched.admin))
    with (tmp_path / "prometheus.log").open("wb") as out:
        processes(
            need("prometheus"), f"--config.file={file}", f"--storage.tsdb.path={tmp_path}/data",
            f"--web.listen-address=127.0.0.1:{port}", stdout=out, stderr=out, cwd=tmp_path,
        )  # fmt: skip
    # It takes five seconds before it looks for the first time: meanwhile others begin.
    watched.start()
    return Prometheus(port)


def test_it_answers_what_dashboard_and_alerts_ask(prometheus, watched):
    def scraped():
        with contextlib.suppress(OSError):
            return prometheus.values("count_over_time(txproxy_requests_total[1m])")

    until(scraped, "it was scraped")
    watched.fail()
    until(lambda: prometheus.values("sum(rate(txproxy_requests_total[1m])) > 0"), "it was scraped again")
    assert prometheus.values('up{job="txproxy"}') == [1.0]
    assert sorted(prometheus.values("sum by (route) (txproxy_requests_total)")) == [2.0, 2.0]
    silent = []
    for expression in EXPRESSIONS:
        for name, value in VARIABLES.items():
            expression = expression.replace(name, value)
        prometheus.values(expression)
        if not prometheus.values(BOUND.sub("", expression)):
            silent.append(expression)
    assert silent == []

    def raised():
        alerts = prometheus.ask("alerts")["alerts"]
        return [one["annotations"]["summary"] for one in alerts if one["labels"]["alertname"] == "TxproxyFailsRequests"]

    assert until(raised, "an alert") == ["100% of the requests to web fail"]
    rules = [rule for group in prometheus.ask("rules")["groups"] for rule in group["rules"]]
    assert len(rules) == len(ALERTS) and {rule.get("lastError", "") for rule in rules} == {""}


def test_promtool_finds_nothing_in_what_is_told(watched):
    watched.start()
    text = get(watched.admin, "/metrics", Authorization=f"Bearer {TOKEN}")
    assert b"\ntxproxy_requests_total{" in text
    promtool("metrics", given=text)


def test_promtool_finds_nothing_in_the_alerts():
    assert f"{len(ALERTS)} rules found" in promtool("rules", str(CONTRIB / "prometheus" / "alerts.yaml"))
