"""Caches in two tiers, as the documentation has them: edges that ask a shield, which asks the server."""

import concurrent.futures
import http.client
import re
import signal
import subprocess
import sys
from pathlib import Path

import attrs
import pytest

from tests.integration.conftest import DEADLINE, free_port, until
from tests.integration.scripted_origin import scripted_origin

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
AT_ONCE = 40


@attrs.frozen
class Got:
    """What a client got."""

    status: int
    fields: dict[str, str]
    body: str

    @property
    def members(self):
        """Those of Cache-Status: each cache's name, and what it says."""
        return [re.split("; ", member, maxsplit=1) for member in self.fields["cache-status"].split(", ")]

    @property
    def age(self):
        return int(self.fields.get("age", 0))


def ask(port, path="/", method="GET", **fields):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=DEADLINE)
    try:
        lines = {name.replace("_", "-"): value for name, value in fields.items()}
        connection.request(method, path, headers={"Host": "site.example", **lines})
        response = connection.getresponse()
        found = {}
        for name, value in response.getheaders():
            found[name.lower()] = f"{found[name.lower()]}, {value}" if name.lower() in found else value
        return Got(response.status, found, response.read().decode())
    finally:
        connection.close()


@attrs.define
class Tiers:
    """The ports of two edges and their shield, each of which runs, and their server."""

    edges: list[int]
    shield: int
    origin: object
    shield_process: object


@pytest.fixture
def make(processes, tmp_path):
    """Runs them."""
    with scripted_origin(free_port(), None) as origin:

        def run(name, file, ports):
            text = (EXAMPLES / file).read_text()
            for port, other in ports.items():
                text = text.replace(f":{port}", f":{other}")
            folder = tmp_path / name
            folder.mkdir()
            (folder / file).write_text(text)
            with (folder / "log").open("wb") as out:
                return processes(
                    sys.executable, "-m", "txproxy", "run", "--config", str(folder / file),
                    port=next(iter(ports.values())), stdout=out, stderr=subprocess.STDOUT, cwd=folder,
                )  # fmt: skip

        def make():
            ports = free_port(), free_port(), free_port()
            process = run("shield", "tier_shield.toml", {8090: ports[0], 8001: origin.port})
            for port in ports[1:]:
                run(f"edge-{port}", "tier_edge.toml", {8080: port, 8090: ports[0], 8001: origin.port})
            return Tiers(list(ports[1:]), ports[0], origin, process)

        yield make


def says(body="hello", status=200, **fields):
    """A server that says so, and what a condition asks for."""
    lines = {name.replace("_", "-"): value for name, value in fields.items()}

    def answer(asked):
        etag = lines.get("ETag")
        if etag is not None and asked.fields.get("if-none-match") == etag:
            return 304, lines, ""
        return status, lines, body

    return answer


def test_a_herd_at_two_edges_is_one_request(make):
    tiers = make()
    tiers.origin.answer = says(Cache_Control="max-age=600")
    tiers.origin.held.clear()
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        waiting = [pool.submit(ask, tiers.edges[number % 2]) for number in range(AT_ONCE)]
        until(lambda: tiers.origin.asked, "the server is asked")
        tiers.origin.held.set()
        answers = [one.result() for one in waiting]
    assert [(one.status, one.body) for one in answers] == [(200, "hello")] * AT_ONCE
    assert len(tiers.origin.take()) == 1
    # The nearest to the server is the first (RFC 9211 section 2).
    assert {tuple(name for name, _ in one.members) for one in answers} == {("shield", "edge")}
    assert [ask(tiers.edges[number]).members[-1][1].split(";")[0] for number in range(2)] == ["hit"] * 2


def test_each_tier_says_what_it_has_done(make):
    tiers = make()
    tiers.origin.answer = says(Cache_Control="max-age=600")
    (shield, edge) = ask(tiers.edges[0]).members
    assert shield[0] == "shield" and shield[1].startswith("fwd=uri-miss;") and shield[1].endswith("; stored")
    assert edge[0] == "edge" and edge[1].startswith("fwd=uri-miss;") and edge[1].endswith("; stored")
    (shield, edge) = ask(tiers.edges[1]).members
    assert shield[1].startswith("hit; ttl=") and edge[1].startswith("fwd=uri-miss;")
    # What is said of another request is no word of this one; what the shield has said is of the stored response.
    assert ask(tiers.edges[1]).members[-1][1].startswith("hit; ttl=")
    assert len(tiers.origin.take()) == 1


def test_ages_add_up(make):
    tiers = make()
    tiers.origin.answer = says(Cache_Control="max-age=600", Age="100")
    assert ask(tiers.edges[0]).age >= 100
    told = {"x_forwarded_host": "site.example", "x_forwarded_proto": "http"}
    until(lambda: ask(tiers.shield, **told).age >= 102, "it grows old at the shield")
    first = ask(tiers.edges[1])
    assert first.members[-1][1].startswith("fwd=uri-miss") and first.age >= 102
    until(lambda: ask(tiers.edges[1]).age >= first.age + 2, "it grows old at the edge")
    assert len(tiers.origin.take()) == 1


def test_an_edge_validates_at_the_shield(make):
    tiers = make()
    tiers.origin.answer = says(Cache_Control="max-age=0", CDN_Cache_Control="max-age=600", ETag='"a"')
    assert ask(tiers.edges[0]).status == 200
    assert ask(tiers.edges[0]).members[-1][1].startswith("hit")
    assert ask(tiers.edges[0], if_none_match='"a"').status == 304
    assert len(tiers.origin.take()) == 1


def test_what_is_stale_at_both_is_validated_by_one_304_each(make):
    tiers = make()
    tiers.origin.answer = says(Cache_Control="no-cache", ETag='"a"')
    assert ask(tiers.edges[0]).body == "hello"
    answer = ask(tiers.edges[0])
    assert answer.status == 200 and answer.body == "hello"
    shield, edge = answer.members
    assert "fwd=stale" in shield[1] and "fwd-status=304" in shield[1]
    assert "fwd=stale" in edge[1] and "fwd-status=304" in edge[1]
    assert [one.fields.get("if-none-match") for one in tiers.origin.take()] == [None, '"a"']


def test_targeted_fields_are_for_both(make):
    tiers = make()
    tiers.origin.answer = says(Cache_Control="no-store", CDN_Cache_Control="max-age=600")
    for edge in (0, 0, 1, 1):
        answer = ask(tiers.edges[edge])
        assert (answer.fields["cache-control"], answer.fields["cdn-cache-control"]) == ("no-store", "max-age=600")
    assert len(tiers.origin.take()) == 1


def test_what_is_purged_at_the_edge_comes_from_the_shield_again(make):
    tiers = make()
    tiers.origin.answer = says("old", Cache_Control="max-age=600")
    for edge in tiers.edges:
        ask(edge)
    tiers.origin.answer = says("new", Cache_Control="max-age=600")
    assert ask(tiers.edges[0], method="PURGE").status == 200
    assert ask(tiers.edges[0]).body == "old"
    # From the server's side outwards.
    for port in (tiers.shield, *tiers.edges):
        assert ask(port, method="PURGE").status == 200
    assert [ask(edge).body for edge in tiers.edges] == ["new", "new"]
    assert len(tiers.origin.take()) == 2


def test_a_change_through_an_edge_is_one_for_the_shield(make):
    tiers = make()
    tiers.origin.answer = says("old", Cache_Control="max-age=600")
    ask(tiers.edges[0])
    tiers.origin.answer = says("new", Cache_Control="max-age=600")
    assert ask(tiers.edges[0], method="POST").status == 200
    assert [ask(edge).body for edge in tiers.edges] == ["new", "new"]


def test_without_a_shield_edges_ask_the_server(make):
    tiers = make()
    tiers.origin.answer = says(Cache_Control="max-age=600")
    assert [name for name, _ in ask(tiers.edges[0]).members] == ["shield", "edge"]
    tiers.shield_process.send_signal(signal.SIGKILL)
    until(lambda: tiers.shield_process.poll() is not None, "the shield is gone")
    answer = ask(tiers.edges[0], "/other")
    assert (answer.status, answer.body, [name for name, _ in answer.members]) == (200, "hello", ["edge"])
    assert ask(tiers.edges[0]).members[-1][1].startswith("hit")


def test_nobody_waits_for_what_is_stale_at_the_shield(make):
    tiers = make()
    tiers.origin.answer = says("old", Cache_Control="max-age=1")
    ask(tiers.edges[0])
    tiers.origin.take()
    tiers.origin.answer = says("new", Cache_Control="max-age=600")
    tiers.origin.held.clear()
    until(lambda: "ttl=-" in ask(tiers.edges[0]).members[0][1], "the shield has what is stale")
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        answers = list(pool.map(lambda number: ask(tiers.edges[number % 2]), range(AT_ONCE)))
    assert {(one.status, one.body) for one in answers} == {(200, "old")}
    assert len(tiers.origin.take()) == 1
    tiers.origin.held.set()
    for edge in tiers.edges:
        until(lambda edge=edge: ask(edge).body == "new", "what is new has come to the edges")


def test_each_tier_is_in_via_and_none_is_a_loop(make):
    tiers = make()
    tiers.origin.answer = says(Cache_Control="max-age=600")
    assert ask(tiers.edges[0]).status == 200
    (asked,) = tiers.origin.take()
    assert [one.split()[1] for one in asked.fields["via"].split(", ")] == ["edge", "shield"]
