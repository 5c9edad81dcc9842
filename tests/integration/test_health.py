"""Active health checks of real servers, over real sockets."""

import os
import socket
import sys
import time
from pathlib import Path

import pytest

from tests.integration.conftest import free_port
from txproxy import Pool
from txproxy.net.dialing import Dialer
from txproxy.upstreams.health.checks import Checks
from txproxy.upstreams.health.health_check import HealthCheck
from txproxy.upstreams.upstream import State
from txproxy.upstreams.upstream_tls import UpstreamTls
from txproxy.upstreams.upstream_urls import parse_upstream


@pytest.fixture
def check(reactor):
    """Checks upstreams as a pool does; gives the pool."""
    started = []

    def start(*upstreams, **options):
        pool = Pool(upstreams, clock=reactor)
        settings = HealthCheck(**{"interval": 0.2, "timeout": 2, "rise": 1, "fall": 2, **options})
        checks = Checks(settings, reactor, Dialer(reactor, 5).dial, name=pool.name)
        pool.watch(checks.watch, checks.forget)
        checks.start()
        started.append(checks)
        return pool

    yield start
    for checks in started:
        checks.stop()


def state(upstream):
    return upstream.state, upstream.cause


def ill(upstream):
    """``upstream``, as earlier checks have left it: it takes one that goes well to be healthy."""
    upstream.checked(False, "ill from the beginning")
    return upstream


def test_who_is_away_is_found_and_who_comes_back_as_well(turn, check, run_nginx, processes, tmp_path):
    nginx = run_nginx()
    port = free_port()
    pool = check(ill(parse_upstream(nginx.url)), f"http://127.0.0.1:{port}", path="/name", body="nginx")
    good, away = pool.upstreams
    turn(lambda: good.state is State.HEALTHY, "the one that is there is found")
    turn(lambda: away.state is State.UNHEALTHY, "the one that is away is found")
    assert away.cause == "connection refused"
    (tmp_path / "name").write_text("nginx, or nearly")
    processes(sys.executable, "-m", "http.server", "--bind", "127.0.0.1", str(port), port=port, cwd=tmp_path)
    turn(lambda: away.state is State.HEALTHY, "it is found to be back")
    assert state(good) == (State.HEALTHY, "")


def test_statuses_and_paths_are_the_servers_own(turn, check, run_nginx):
    nginx = run_nginx()
    (upstream,) = check(nginx.url, path="/nowhere").upstreams
    turn(lambda: upstream.state is State.UNHEALTHY, "the status is found")
    assert upstream.cause == "status 404, not 200-399"


@pytest.mark.parametrize("options", [{"path": "/"}, {"kind": "connect"}], ids=["http", "connect"])
def test_with_tls_the_certificate_counts(turn, check, run_nginx, certificate, options):
    nginx = run_nginx()
    url = f"https://127.0.0.1:{nginx.tls_port}"
    trusted = ill(parse_upstream(url, UpstreamTls(ca_file=str(certificate[0]))))
    untrusted = parse_upstream(url)
    untrusted.name = "untrusted"
    plain = parse_upstream(f"https://127.0.0.1:{nginx.port}")
    check(trusted, untrusted, plain, **options)
    turn(lambda: trusted.state is State.HEALTHY, "the one with a good handshake is found")
    turn(lambda: untrusted.state is State.UNHEALTHY, "the one without a good certificate is found")
    turn(lambda: plain.state is State.UNHEALTHY, "the one without TLS is found")
    assert untrusted.cause == f"the certificate of 127.0.0.1:{nginx.tls_port} is not trusted"
    assert plain.cause == f"the TLS handshake with 127.0.0.1:{nginx.port} failed: what it answers is no TLS"


@pytest.mark.parametrize("scheme", ["h2c", "https"])
def test_servers_of_grpc_are_asked_in_grpc(turn, check, processes, certificate, scheme):
    if not os.environ.get("TXPROXY_REQUIRE_PEERS"):
        pytest.importorskip("grpc")
    port = free_port()
    # It has threads, which a process that is forked is not to have.
    server = str(Path(__file__).parent / "grpc_server.py")
    files = map(str, certificate) if scheme == "https" else ()
    processes("/usr/bin/env", sys.executable, server, str(port), *files, port=port)
    tls = UpstreamTls(ca_file=str(certificate[0]), alpn=("h2",))
    well = ill(parse_upstream(f"{scheme}://127.0.0.1:{port}", tls))
    check(well, kind="grpc")
    unwell = parse_upstream(f"{scheme}://localhost:{port}", tls)
    check(unwell, kind="grpc", service="ill")
    turn(lambda: well.state is State.HEALTHY, "the server is found")
    turn(lambda: unwell.state is State.UNHEALTHY, "its service is found to be ill")
    assert unwell.cause == "it is NOT_SERVING"


@pytest.fixture
def run_health_server():
    """Runs servers of gRPC with its own health servicer."""
    if not os.environ.get("TXPROXY_REQUIRE_PEERS"):
        pytest.importorskip("grpc_health")
    from tests.integration.grpc_health import HealthServer

    made = []

    def run(*args, **more):
        made.append(HealthServer(*args, **more))
        return made[-1]

    yield run
    for server in made:
        server.stop()


def test_the_health_servicer_of_grpc_is_understood(turn, check, run_health_server):
    from tests.integration.grpc_health import NOT_SERVING, SERVING

    port, other = free_port(), free_port()
    server, _ = run_health_server(port), run_health_server(other, knows=False)
    server.servicer.set("app", NOT_SERVING)

    def checked(port, **more):
        (upstream,) = check(f"h2c://127.0.0.1:{port}", kind="grpc", **more).upstreams
        return upstream

    def becomes(cause, *upstreams):
        turn(lambda: all(one.cause == cause for one in upstreams), f"it is found: {cause or 'it serves'}")
        assert {one.state for one in upstreams} == {State.UNHEALTHY if cause else State.HEALTHY}

    whole, app = checked(port), checked(port, service="app")
    becomes("grpc-status 5 (NOT_FOUND)", checked(port, service="b"))
    becomes("grpc-status 12 (UNIMPLEMENTED): Method not found!", checked(other))
    becomes("it is NOT_SERVING", app)
    server.servicer.set("app", SERVING)
    becomes("", whole, app)
    server.stop()
    becomes("connection refused", whole, app)
    server = run_health_server(port)
    server.servicer.set("app", SERVING)
    becomes("", whole, app)
    server.servicer.enter_graceful_shutdown()
    becomes("it is NOT_SERVING", whole, app)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_server_that_says_nothing_is_found_and_leaves_nothing_behind(turn, check, scheme):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        (upstream,) = check(f"{scheme}://127.0.0.1:{silent.getsockname()[1]}", timeout=0.3).upstreams
        turn(lambda: upstream.state is State.UNHEALTHY, "its silence is found")
        assert upstream.cause == ("no answer within 0.3 s" if scheme == "http" else "no connection within 0.3 s")


def test_an_upstream_that_is_added_is_checked_and_one_that_is_removed_is_not(turn, check, run_nginx):
    nginx = run_nginx()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        pool = check(nginx.url, path="/name", timeout=0.3)
        added = pool.add(f"http://127.0.0.1:{silent.getsockname()[1]}")
        turn(lambda: added.state is State.UNHEALTHY, "the new one is found to be ill")
        pool.remove(added)
        _drain(silent)
        enough = time.monotonic() + 0.7
        turn(lambda: time.monotonic() > enough, "several intervals")
        assert _drain(silent) == 0


def _drain(server):
    """Take all connections that wait; gives how many those were."""
    server.setblocking(False)
    count = 0
    while True:
        try:
            server.accept()[0].close()
        except BlockingIOError:
            return count
        count += 1
