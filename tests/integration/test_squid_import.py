"""Squid's own files: it reads those that the tests translate, and judges requests as their translation does."""

import base64
import http.server
import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.importers.squid import test_cache_places as places
from tests.importers.squid import test_translation as translated
from tests.integration.conftest import DEADLINE, NCSA_AUTH, free_port, need

TXPROXY = (sys.executable, "-m", "txproxy")
CLASSIC = translated.CLASSIC
COMMON = places.COMMON
# Of each type of list that is known here, and of each directive that is taken over.
ALL = """
http_port 3128
http_port 127.0.0.1:3129 name=other
http_port [::1]:3130
auth_param basic program /usr/lib/squid/basic_ncsa_auth {users}
auth_param basic children 5
auth_param basic realm Our proxy
auth_param basic credentialsttl 2 hours
acl here src 10.0.0.0/8 192.168.0.1-192.168.0.9 fd00::/8
acl mask src 10.0.0.0-10.3.0.0/16
acl there dst 10.1.0.0/16
acl shop dstdomain -n .shop.example www.other.example
acl listed dstdomain "{list}"
acl ads dstdom_regex -i ^ads?[0-9]*\\. [[:alpha:]]ad\\.
acl pictures url_regex -i \\.(gif|jpe?g)$ +i /Big
acl programs urlpath_regex -i ^/get/ \\.(exe|zip)(\\?.*)?$
acl SSL_ports port 443
acl Safe_ports port 80 1025-65535
acl Safe_ports port 443
acl posts method POST PUT
acl plain proto HTTP
acl known proxy_auth REQUIRED
acl boss proxy_auth bob alice
acl work time MTWHF 09:00-17:00
acl work time A 09:00-12:00
acl days time D
acl curl browser -i ^curl/
acl from referer_regex -i evil
acl tagged req_header X-Tag ^a$
acl either any-of here !posts
acl both all-of here posts
acl many maxconn 20
http_access deny many
http_access deny !Safe_ports
http_access deny CONNECT !SSL_ports
http_access deny ads programs
http_access deny listed
http_access allow here known work !pictures
http_access allow both boss
http_access deny all
cache_peer parent.example parent 3128 0 no-query default login=me:secret
cache_peer shop.example parent 8080 0 no-query name=shop weight=2 round-robin
cache_peer_access shop allow shop
cache_peer_access shop deny all
never_direct allow all
always_direct allow shop
tcp_outgoing_address 192.0.2.7 shop
tcp_outgoing_address 192.0.2.8
cache_mem 256 MB
cache_dir ufs {spool} 100 16 256
access_log daemon:{spool}/access.log squid
forwarded_for delete
via off
visible_hostname proxy.example
request_header_access Referer deny all
request_header_access User-Agent deny all
request_header_replace User-Agent none
reply_header_access Server deny all
client_ip_max_connections 8
connect_timeout 1 minute
read_timeout 15 minutes
request_timeout 90 seconds
client_idle_pconn_timeout 2 minutes
shutdown_lifetime 5 seconds
request_header_max_size 32 KB
request_body_max_size 10 MB
"""


@pytest.fixture
def whole(tmp_path):
    """A file with everything in it."""
    (tmp_path / "list").write_text("# bad ones\n.bad.example\nworse.example\n")
    (tmp_path / "users").write_text("bob:$apr1$abcdefgh$" + "." * 22 + "\n")
    text = ALL.format(list=tmp_path / "list", users=tmp_path / "users", spool=tmp_path)
    (tmp_path / "whole.conf").write_text(text)
    return tmp_path / "whole.conf"


def squid_reads(file):
    """What Squid says of a file; it has to be one of Squid's."""
    done = subprocess.run(
        [need("squid"), "-k", "parse", "-f", str(file)], capture_output=True, text=True, timeout=DEADLINE
    )
    assert done.returncode == 0, done.stderr
    return [line for line in done.stderr.splitlines() if "ERROR" in line or "FATAL" in line or "unrecognized" in line]


@pytest.mark.parametrize("lines", [CLASSIC, f"http_port 3128\n{COMMON}"], ids=["classic", "caching"])
def test_squid_reads_what_people_have(lines, tmp_path):
    (tmp_path / "squid.conf").write_text(lines)
    assert squid_reads(tmp_path / "squid.conf") == []


def test_squid_reads_each_list_and_each_directive_that_is_translated(whole):
    assert squid_reads(whole) == []


def imported(run_program, file):
    done = run_program(*TXPROXY, "import", str(file))
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr.splitlines()


def test_the_command_translates_to_what_the_command_reads(run_program, whole, tmp_path):
    toml, notes = imported(run_program, whole)
    lines = whole.read_text().splitlines()
    for note in notes:
        place, directive, _ = note.removeprefix(str(whole)).split(": ", 2)
        if place:
            assert lines[int(place.removeprefix(":")) - 1].split()[0] == directive
    (tmp_path / "proxy.toml").write_text(toml)
    done = run_program(*TXPROXY, "check", str(tmp_path / "proxy.toml"))
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("words", "status", "says"),
    [
        ((), 2, "accepted is txproxy import FILE"),
        (("one", "two"), 2, "accepted is txproxy import FILE"),
        (
            ("/nonexistent",),
            1,
            "/nonexistent: No such file or directory; accepted are squid.conf and nginx.conf that can be read",
        ),
    ],
)
def test_a_wrong_call_of_the_command_is_one_line(run_program, words, status, says):
    done = run_program(*TXPROXY, "import", *words)
    assert done.returncode == status and says in done.stderr and done.stderr.count("\n") == 1
    assert done.stdout == ""


# -- the same requests to both

NAMES = {
    "shop.example": "127.0.0.1", "www.shop.example": "127.0.0.1", "bad.example": "127.0.0.1",
    "x.bad.example": "127.0.0.1", "notbad.example": "127.0.0.1", "ad7.site.example": "127.0.0.1",
    "far.example": "127.0.0.77", "other.example": "127.0.0.1",
}  # fmt: skip
ACCESS = r"""
acl staff_net src 127.0.0.1/32
acl guests src 127.0.0.3-127.0.0.5
acl banned src 127.0.0.9
acl SSL_ports port {tls_port}
acl Safe_ports port 80 443
acl Safe_ports port {port} {tls_port}
acl bad dstdomain .bad.example
acl shop dstdomain .shop.example
acl ads dstdom_regex -i ^AD[0-9]+\.
acl pictures url_regex -i \.gif$
acl private urlpath_regex ^/private/
acl far dst 127.0.0.77
acl posts method POST
acl bots browser -i bot
acl always time SMTWHFA
acl staff proxy_auth bob
http_access deny banned
http_access deny !Safe_ports
http_access deny CONNECT !SSL_ports
http_access deny bad
http_access deny ads
http_access deny bots !staff_net
http_access deny private posts
http_access allow guests shop !pictures always
http_access deny guests
http_access deny far
http_access allow staff_net staff
http_access deny staff_net
http_access allow shop
http_access deny all
"""
GET, POST, CONNECT = "GET", "POST", "CONNECT"
CASES = [
    ("127.0.0.1", GET, "shop.example/name"),
    ("127.0.0.1", POST, "shop.example/private/x"),
    ("127.0.0.1", GET, "shop.example/private/x"),
    ("127.0.0.1", GET, "bad.example/name"),
    ("127.0.0.1", GET, "x.bad.example/name"),
    ("127.0.0.1", GET, "notbad.example/name"),
    ("127.0.0.1", GET, "ad7.site.example/name"),
    ("127.0.0.1", GET, "far.example/name"),
    ("127.0.0.1", CONNECT, "shop.example"),
    ("127.0.0.1", CONNECT, "bad.example"),
    ("127.0.0.1", CONNECT, "far.example"),
    ("127.0.0.2", GET, "shop.example/name"),
    ("127.0.0.2", GET, "www.shop.example/name"),
    ("127.0.0.2", GET, "other.example/name"),
    ("127.0.0.2", CONNECT, "shop.example"),
    ("127.0.0.3", GET, "shop.example/name"),
    ("127.0.0.3", GET, "shop.example/x.GIF"),
    ("127.0.0.5", CONNECT, "shop.example"),
    ("127.0.0.5", GET, "other.example/name"),
    ("127.0.0.6", GET, "shop.example/name"),
    ("127.0.0.9", GET, "shop.example/name"),
]


@pytest.fixture
def run_both(run_program, run_squid, processes, open_folder, tmp_path):
    """Runs a Squid with some lines, and a proxy from its file; gives their ports."""

    def run(lines, password=None):
        (open_folder / "hosts").write_text("".join(f"{address} {name}\n" for name, address in NAMES.items()))
        squid = run_squid(password, (f"hosts_file {open_folder}/hosts", *lines.strip().splitlines()))
        toml, _ = imported(run_program, squid.directory / "squid.conf")
        port = free_port()
        toml = toml.replace(f"tcp:{squid.port}:", f"tcp:{port}:").replace("# allow_destinations", "allow_destinations")
        toml = toml.replace(f"{squid.directory}/access.log", f"{tmp_path}/ours.log")
        file, script = tmp_path / f"ours-{port}.toml", Path(__file__).parent / "imported_proxy.py"
        file.write_text(toml)
        with (tmp_path / "ours.out").open("wb") as out:
            processes(sys.executable, str(script), str(file), json.dumps(NAMES), port=port, stdout=out, stderr=out)
        return squid.port, port

    return run


@pytest.fixture
def both(run_both, run_nginx):
    """Both of them with the lists above; gives their ports, and the origin's."""
    origin = run_nginx()
    squid, ours = run_both(ACCESS.format(port=origin.port, tls_port=origin.tls_port), "hunter2")
    return squid, ours, origin


def test_both_let_the_same_requests_pass(both, curl):
    squid, ours, origin = both
    seen = set()
    for client, method, place in CASES:
        for login in ([], ["-U", "bob:hunter2"]):
            for agent in ("curl/8", "FriendlyBot/1"):
                words = ["--interface", client, *login, "-A", agent, "-k", "-o", "/dev/null"]
                words += ["-w", "%{http_connect} %{http_code}"]
                host, _, path = place.partition("/")
                if method == CONNECT:
                    words += [f"https://{host}:{origin.tls_port}/"]
                else:
                    words += ["-X", method, f"http://{host}:{origin.port}/{path}"]
                said = [
                    _verdict(curl("-x", f"http://127.0.0.1:{port}", *words, code=None), method)
                    for port in (squid, ours)
                ]
                assert said[0] == said[1], (client, method, place, login, agent)
                seen.add((method == CONNECT, said[0]))
    assert seen == {(tunnel, said) for tunnel in (False, True) for said in ("allowed", "403", "407")}


def _verdict(said, method):
    connect, code = said.split()
    status = connect if method == CONNECT else code
    # What nginx says of a path or method that it does not have is not at issue, nor whether anybody listens there.
    return status if status in ("403", "407") else "allowed"


# Each client has its own lines: which of them asks for other credentials, and which does not.
AGAIN = """
auth_param basic program {program} {users}
auth_param basic children 1
acl known proxy_auth REQUIRED
acl bob proxy_auth bob
acl c1 src 127.0.0.1
acl c2 src 127.0.0.2
acl c3 src 127.0.0.3
acl c4 src 127.0.0.4
acl c5 src 127.0.0.5
http_access deny c1 bob
http_access allow c1
http_access deny c2 bob c2
http_access allow c2
http_access deny c3 !bob
http_access allow c3
http_access allow c4 bob
http_access deny c4
http_access deny !known
http_access allow c5 bob c5
"""


def test_both_ask_the_same_clients_for_other_credentials(run_both, run_nginx, curl, open_folder):
    if not Path(NCSA_AUTH).exists():
        need(NCSA_AUTH)
    (open_folder / "people").write_text("".join(f"{name}:{_hashed('pass')}\n" for name in ("bob", "alice")))
    origin = run_nginx()
    ports = run_both(AGAIN.format(program=NCSA_AUTH, users=open_folder / "people"))
    said = {}
    for client in range(1, 7):
        for user in ("bob", "alice", None):
            words = ["--interface", f"127.0.0.{client}", "-o", "/dev/null", "-w", "%{http_code}"]
            words += ["-U", f"{user}:pass"] if user is not None else []
            codes = [
                curl("-x", f"http://127.0.0.1:{port}", *words, f"http://shop.example:{origin.port}/name", code=None)
                for port in ports
            ]
            assert codes[0] == codes[1], (client, user)
            said[client, user] = codes[0]
    assert [said[client, "bob"] for client in range(1, 7)] == ["407", "403", "200", "200", "200", "403"]
    assert [said[client, "alice"] for client in range(1, 7)] == ["200", "200", "407", "403", "407", "403"]


def _hashed(password):
    return subprocess.run(
        [need("openssl"), "passwd", "-apr1", password], capture_output=True, check=True, text=True
    ).stdout.strip()


# -- the same ways

WAYS = """
acl shop dstdomain -n .shop.example
acl bad dstdomain -n .bad.example
acl other dstdomain -n other.example
cache_peer 127.0.0.1 parent {first} 0 no-query no-digest name=first login={login}
cache_peer 127.0.0.1 parent {second} 0 no-query no-digest name=second
cache_peer_access first deny shop
cache_peer_access first allow all
cache_peer_access second allow shop
cache_peer_access second deny all
always_direct allow other
never_direct allow all
nonhierarchical_direct off
http_access deny bad
http_access allow all
"""


class _Parent(http.server.BaseHTTPRequestHandler):
    """Answers each request with its own name, and what it was told of who asks."""

    def do_GET(self):
        body = f"{self.server.name} {self.headers.get('Proxy-Authorization', '')}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words):
        pass


@pytest.fixture
def parents():
    """Two of them, which run in threads."""
    servers = []
    for name in ("first", "second"):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Parent)
        server.name = name
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
    yield [server.server_port for server in servers]
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    ("login", "sent"),
    [
        ("us%40corp:pa%3Ass%%", b"us@corp:pa:ss%"),
        ("a%3Ab:c%00d%zz", b"a:b:c%00d%zz"),
    ],
)
def test_both_send_requests_the_same_way_with_the_same_login(run_both, run_nginx, parents, curl, login, sent):
    origin = run_nginx()
    ports = run_both(WAYS.format(first=parents[0], second=parents[1], login=login))
    said = {}
    for host in ("far.example", "shop.example", "www.shop.example", "other.example", "bad.example"):
        words = ["-w", " %{http_code}", f"http://{host}:{origin.port}/name"]
        answers = [curl("-x", f"http://127.0.0.1:{port}", *words, code=None) for port in ports]
        codes = [answer.split()[-1] for answer in answers]
        assert codes[0] == codes[1], (host, answers)
        if codes[0] == "200":
            assert answers[0] == answers[1]
        said[host] = answers[1].split(" ")[0] if codes[0] == "200" else codes[0]
        if host == "far.example":
            assert f"Basic {base64.b64encode(sent).decode()} " in answers[1]
    assert said["far.example"] == "first" and said["shop.example"] == said["www.shop.example"] == "second"
    assert said["bad.example"] == "403" and said["other.example"] not in ("first", "second")
