"""The cache does what the cases of ``cache_cases`` say, in both modes; and so do other caches, in what they do right.

The cases are played by one proxy, many at once. What Squid, nginx and Varnish do right shows that the cases ask for
nothing that only we would think of. ``cache_transcripts`` says how a case is written, and ``cache_player`` plays some
by hand.
"""

import asyncio
import os
import socket

import pytest

from tests.integration.cache_player import Cache, play
from tests.integration.cache_transcripts import PEERS, TranscriptError, read_all, read_text
from tests.integration.conftest import free_port, need

CASES = read_all()

NGINX = """
worker_processes 1; daemon off; pid {dir}/nginx.pid; error_log {dir}/error.log; {user}
events {{ worker_connections 1024; }}
http {{
  access_log off; client_body_temp_path {dir}/body; proxy_temp_path {dir}/proxy;
  fastcgi_temp_path {dir}/f; uwsgi_temp_path {dir}/u; scgi_temp_path {dir}/s;
  proxy_cache_path {dir}/cache keys_zone=cases:8m;
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass http://127.0.0.1:{origin}; proxy_http_version 1.1; proxy_set_header Host $http_host;
      proxy_cache cases; proxy_cache_key $http_host$request_uri; proxy_cache_revalidate on;
      proxy_cache_use_stale error timeout http_500 http_502 http_503 http_504;
    }}
  }}
}}
"""
SQUID = """
http_port 127.0.0.1:{port} accel vhost
cache_peer 127.0.0.1 parent {origin} 0 no-query originserver
http_access allow all
cache_mem 32 MB
access_log none
cache_log {dir}/cache.log
coredump_dir {dir}
pid_filename none
shutdown_lifetime 0
pinger_enable off
"""
VARNISH = 'vcl 4.1; backend default {{ .host = "127.0.0.1"; .port = "{origin}"; }}'


def for_mode(mode):
    return [case for case in CASES.values() if mode in case.only]


def report(faults, cases):
    lines = [f"  [{name}] {fault}" for name, fault in faults.items()]
    return "\n".join([f"{len(faults)} of {len(cases)} cases do not hold:", *lines])


@pytest.fixture
def origin():
    """The socket of the cases' origin."""
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as listening:
        yield listening


@pytest.fixture
def faults(origin):
    """Plays cases to a cache at a port; those that do not hold."""

    def run(cases, port, forward=False):
        authority = f"127.0.0.1:{origin.getsockname()[1] if forward else port}"
        return asyncio.run(play(cases, Cache(port, authority, forward), origin))

    return run


@pytest.fixture
def run_nginx_cache(processes, tmp_path):
    def run(origin):
        port, user = free_port(), "user root;" if os.geteuid() == 0 else ""
        (tmp_path / "nginx.conf").write_text(NGINX.format(dir=tmp_path, port=port, origin=origin, user=user))
        processes(need("nginx"), "-p", str(tmp_path), "-c", str(tmp_path / "nginx.conf"), port=port)
        return port

    return run


@pytest.fixture
def run_squid_cache(processes, open_folder):
    def run(origin):
        port = free_port()
        lines = SQUID.format(dir=open_folder, port=port, origin=origin)
        lines += "cache_effective_user proxy\n" if os.geteuid() == 0 else ""
        (open_folder / "squid.conf").write_text(lines)
        processes(need("squid"), "-N", "-f", str(open_folder / "squid.conf"), port=port)
        return port

    return run


@pytest.fixture
def run_varnish_cache(processes, open_folder):
    def run(origin):
        port = free_port()
        (open_folder / "default.vcl").write_text(VARNISH.format(origin=origin))
        # By default it takes what says nothing for two minutes, and what is stale for ten seconds more.
        lifetimes = ["-p", "default_ttl=0", "-p", "default_grace=0", "-p", "default_keep=3600"]
        words = ["-F", "-a", f"127.0.0.1:{port}", "-n", str(open_folder / "work"), "-s", "malloc,32M", *lifetimes]
        processes(need("varnishd"), *words, "-f", str(open_folder / "default.vcl"), port=port)
        return port

    return run


def test_the_cases_hold_in_reverse_mode(run_proxy, origin, faults):
    upstream = f"http://127.0.0.1:{origin.getsockname()[1]}"
    proxy = run_proxy("reverse", "--cache", "10M", "--upstream", upstream, "--access-log", "none")
    cases = for_mode("reverse")
    found = faults(cases, proxy.port)
    assert not found, report(found, cases)


def test_the_cases_hold_in_forward_mode(run_proxy, origin, faults):
    words = ["--cache", "10M", "--allow-destination", "127.0.0.1", "--allow-port", "1-65535", "--access-log", "none"]
    proxy = run_proxy("forward", *words)
    cases = for_mode("forward")
    found = faults(cases, proxy.port, forward=True)
    assert not found, report(found, cases)


@pytest.mark.parametrize("peer", PEERS)
def test_the_cases_hold_for_others_in_what_they_do_right(peer, request, origin, faults):
    cases = [case for case in for_mode("reverse") if peer in case.also]
    port = request.getfixturevalue(f"run_{peer}_cache")(origin.getsockname()[1])
    found = faults(cases, port)
    assert cases
    assert not found, report(found, cases)


def test_the_cases_fail_where_nothing_is_stored(run_proxy, origin, faults):
    """What a cache must not do, a proxy without one does not; but what is about a stored response must fail."""
    upstream = f"http://127.0.0.1:{origin.getsockname()[1]}"
    proxy = run_proxy("reverse", "--upstream", upstream, "--access-log", "none")
    wanted = {case.id for case in for_mode("reverse") for step in case.steps if step.source in ("stored", "checked")}
    found = faults([CASES[name] for name in sorted(wanted)], proxy.port)
    assert set(found) == wanted


@pytest.mark.parametrize(
    "text, says",
    [
        ("> GET\n", "a.txt:1: a case begins with its name in brackets"),
        ("[a] A case.\n= stored\n", "a.txt:2: a step begins with a method"),
        ("[a] A case.\n", "a.txt:1: [a] has no steps"),
        ("[a] A case.\n> GET\n> GET\n", "a.txt:1: the step of line 3 expects nothing"),
        ("[a] A case.\nalso apache\n", "a.txt:2: also is of nginx, squid, varnish"),
        ("[a] A case.\nonly tcp\n", "a.txt:2: only is of reverse, forward"),
        ("[a] A case.\n> GET\n= fresh\n", "a.txt:3: neither of origin, stored"),
        ("[a] A case.\n> GET\n= Age is 3\n", "a.txt:3: not about a field: 'Age is 3'"),
        ("[a] A case.\n> GET\n< often\n", "a.txt:3: neither a status nor one of close"),
        ("[a] A case.\n> GET\n> Accept\n", "a.txt:3: not a field: 'Accept'"),
        ("[a] A case.\n> GET\n% 3\n", "a.txt:3: no line begins with '%'"),
    ],
)
def test_a_case_that_cannot_be_read_says_where(text, says):
    with pytest.raises(TranscriptError) as caught:
        read_text(text, "a.txt")
    assert str(caught.value).startswith(says)


def test_each_rule_of_caching_has_cases():
    assert len(CASES) >= 120
    assert {case.file for case in CASES.values()} == {
        "cache_status.txt", "conditions.txt", "freshness.txt", "invalidation.txt", "poisoning.txt", "ranges.txt",
        "requests.txt", "stale.txt", "storing.txt", "targeted.txt", "validation.txt", "vary.txt",
    }  # fmt: skip
