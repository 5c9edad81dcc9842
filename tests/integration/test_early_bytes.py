"""What a peer says before it is asked, at the end of a real TLS handshake, is never its answer."""

import socket

import pytest

from tests.integration.conftest import DEADLINE
from tests.integration.early_server import EarlyServer
from tests.tls.authority import new_ca

GET = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi"


@pytest.fixture
def files(tmp_path):
    """Of a CA, and a certificate with its key."""
    ca = new_ca()
    return (ca.write(tmp_path, "ca")[0], *ca.issue("localhost", "127.0.0.1").write(tmp_path, "site"))


@pytest.fixture
def early(files):
    """Runs servers that speak early."""
    servers = []

    def run(version, **options):
        servers.append(EarlyServer(*files[1:], version, **options))
        return servers[-1]

    yield run
    for server in servers:
        server.close()


def answer(port, request):
    """What comes to a request, until the end."""
    with socket.create_connection(("127.0.0.1", port), DEADLINE) as connection:
        connection.sendall(request)
        received = b""
        while piece := connection.recv(65536):
            received += piece
        return received


# How many of the early bytes come with the end of the handshake, the others after what the client says to that; there
# is nothing to say where the server finishes last.
WAYS = [
    ("1.2", False, None),
    *[
        (version, resumed, first)
        for version, resumed in [("1.2", True), ("1.3", False), ("1.3", True)]
        for first in (None, 3, 40)
    ],
]


@pytest.mark.parametrize(("version", "resumed", "first"), WAYS)
@pytest.mark.parametrize("reactor", ["epoll", "txproxy"])
def test_what_comes_with_the_end_of_a_handshake_answers_no_request(
    reactor, version, resumed, first, run_proxy, early, files
):
    server = early(version, proper=1 if resumed else 0, first=first)
    proxy = run_proxy(
        "reverse", "--upstream", f"https://localhost:{server.port}", "--upstream-ca", files[0], reactor=reactor
    )
    if resumed:
        assert answer(proxy.port, GET).endswith(b"asked")
    for request in (GET, POST):
        said = answer(proxy.port, request)
        assert said.startswith(b"HTTP/1.1 502 ") and b"early" not in said
        proxy.says("spoke before it was asked")
    server.close()
    assert server.asked[server.proper :] == [b"", b""], "no request was sent to who has spoken"
    assert server.resumed == [False] * server.proper + [resumed] * 2


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_who_may_speak_only_when_the_client_has_finished_has_been_asked_then(version, run_proxy, early, files):
    server = early(version, proper=3)
    proxy = run_proxy("reverse", "--upstream", f"https://localhost:{server.port}", "--upstream-ca", files[0])
    for _ in range(3):
        assert answer(proxy.port, GET).endswith(b"asked")
    server.close()
    assert server.resumed == [False, True, True]
    # Whatever it says first, nobody can tell from an answer.
    assert server.asked_at_once == [version == "1.3", True, True]


@pytest.mark.parametrize("request_", [GET, POST])
@pytest.mark.parametrize("version", ["1.2", "1.3"])
@pytest.mark.parametrize("behind", [3, 40])
def test_no_request_goes_to_a_kept_connection_on_which_half_a_record_has_come(
    behind, version, request_, run_proxy, early, files
):
    server = early(version, proper=2, behind=behind)
    proxy = run_proxy("reverse", "--upstream", f"https://localhost:{server.port}", "--upstream-ca", files[0])
    for _ in range(2):
        assert answer(proxy.port, request_).endswith(b"asked")
    server.close()
    assert len(server.asked) == 2


def connect(port):
    """What a forward proxy at ``port`` answers to CONNECT."""
    return answer(port, b"CONNECT 127.0.0.1:9 HTTP/1.1\r\nHost: 127.0.0.1:9\r\n\r\n")


@pytest.mark.parametrize(("version", "first"), [("1.2", None), ("1.3", None), ("1.3", 3), ("1.3", 40)])
def test_a_parent_that_speaks_with_the_end_of_its_handshake_has_failed(version, first, run_forward, early, files):
    server = early(version, early=b"HTTP/1.1 200 OK\r\n\r\n", first=first)
    proxy = run_forward(parents=[f"https://localhost:{server.port};ca={files[0]}"])
    assert connect(proxy.port).startswith(b"HTTP/1.1 502 ")
    proxy.says(f"is left out for 30 s: https://localhost:{server.port} spoke before it was asked")
    server.close()
    assert server.asked == [b""]


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_a_parent_that_speaks_early_gets_no_request_in_absolute_form(version, run_forward, early, files):
    server = early(version)
    proxy = run_forward(parents=[f"https://localhost:{server.port};ca={files[0]}"])
    said = answer(proxy.port, b"GET http://127.0.0.1:9/ HTTP/1.1\r\nHost: 127.0.0.1:9\r\nConnection: close\r\n\r\n")
    assert said.startswith(b"HTTP/1.1 502 ") and b"early" not in said
    proxy.says(f"is left out for 30 s: https://localhost:{server.port} spoke before it was asked")
    server.close()
    assert server.asked == [b""]


@pytest.mark.parametrize(("version", "first"), [("1.2", None), ("1.3", None), ("1.3", 3), ("1.3", 40)])
def test_a_check_is_not_passed_by_who_speaks_with_the_end_of_the_handshake(version, first, run_proxy, early, files):
    server = early(version, first=first)
    proxy = run_proxy(
        "reverse", "--upstream", f"https://localhost:{server.port}", "--upstream-ca", files[0],
        "--health-check", "/", "--health-interval", "0.1", "--health-fall", "1",
    )  # fmt: skip
    proxy.says("it spoke before it was asked")
    proxy.process.terminate()
    proxy.process.wait(DEADLINE)
    server.close()
    assert not any(server.asked)


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_a_check_of_a_parent_finds_that_it_speaks_early(version, run_forward, early, files):
    server = early(version)
    proxy = run_forward({"check_interval": 0.2}, parents=[f"https://localhost:{server.port};ca={files[0]}", "direct"])
    proxy.says(f"is left out for 30 s: https://localhost:{server.port} spoke before it was asked")
