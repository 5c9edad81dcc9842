"""TLS with real clients and servers: openssl, curl, nginx."""

import contextlib
import json
import re
import signal
import socket
import ssl
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.integration.conftest import DEADLINE, PATIENT, free_port, need, until
from tests.tls.authority import new_ca
from txproxy.tls.client_certificates import read_peer_certificate
from txproxy.tls.hardening import SERVER_CIPHERS
from txproxy.wire.client_hello import read_hello
from txproxy.wire.proxy_protocol import header

HERE = Path(__file__).parent
VERSIONS = pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])


class Site:
    """A CA and what it has signed, as files."""

    def __init__(self, directory):
        self.directory = directory
        self.ca = new_ca()
        self.clients = new_ca("the clients' CA")
        self.ca_file = self._write("ca", self.ca)
        self.clients_file = self._write("clients", self.clients)

    def _write(self, name, identity):
        return identity.write(self.directory, name)[0]

    def add(self, name, *names, **more):
        """The files of a certificate for ``names``."""
        return self.ca.issue(*names, **more).write(self.directory, name)

    def client(self, name, **more):
        """The files of a client's certificate, and the identity."""
        identity = self.clients.issue(**more)
        return *identity.write(self.directory, name), identity


@pytest.fixture
def site(tmp_path):
    return Site(tmp_path)


class Listener:
    """A running listener."""

    def __init__(self, process, port, log):
        self.process = process
        self.port = port
        self._log = log

    def reload(self):
        """SIGHUP, and what it says to that."""
        before = len(self._told())
        self.process.send_signal(signal.SIGHUP)
        return until(lambda: self._told()[before:], "the files are read again")[0]

    def _told(self):
        # What does not end yet is still being written.
        return re.findall("^read again: .*(?=\n)", self._log.read_text(), re.MULTILINE)


@pytest.fixture
def listen(processes, tmp_path):
    """Runs a listener."""

    def run(certificates, way="socket", **settings):
        port = free_port()
        log = tmp_path / f"listener-{port}.log"
        words = json.dumps({"certificates": certificates, "port": port, "way": way, **settings})
        with log.open("wb") as out:
            script = str(HERE / "tls_listener.py")
            process = processes(sys.executable, script, words, port=port, stdout=out, stderr=out)
        return Listener(process, port, log)

    return run


def s_client(port, *words, input=b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n"):
    """What openssl's client says."""
    done = subprocess.run(
        [need("openssl"), "s_client", "-connect", f"127.0.0.1:{port}", "-ign_eof", *words],
        input=input,
        capture_output=True,
        timeout=DEADLINE,
    )
    return (done.stdout + done.stderr).decode(errors="replace")


def connects(port, *words):
    """Whether a handshake succeeds."""
    said = s_client(port, *words, input=b"GET / HTTP/1.0\r\nConnection: close\r\n\r\n")
    return "HTTP/1.1 200 OK" in said or "HTTP/1.0 200" in said


def refused(*words):
    """Whether the server ends curl's connection. In TLS 1.3 curl may learn of that as late as it writes or reads."""
    words = [need("curl"), "-sS", *PATIENT, "--noproxy", "", *words]
    done = subprocess.run(words, capture_output=True, timeout=DEADLINE)
    return done.returncode in (35, 55, 56) and not done.stdout


@pytest.mark.parametrize("way", ["socket", "memory"])
def test_the_certificate_is_chosen_by_sni(listen, site, curl, way):
    files = [site.add("a", "a.test"), site.add("b", "b.test", "*.b.test")]
    port = listen(files, way).port
    for name in ("a.test", "b.test", "www.b.test"):
        for version in ("1.2", "1.3"):
            url = f"https://{name}:{port}/"
            words = ("--resolve", f"{name}:{port}:127.0.0.1", "--cacert", site.ca_file, "--tls-max", version)
            assert curl(*words, url) == "X-SSL-Client-Verify: NONE\n"
    # 60: the certificate is not for this name.
    curl("--resolve", f"c.test:{port}:127.0.0.1", "--cacert", site.ca_file, f"https://c.test:{port}/", code=60)
    curl("--resolve", f"x.y.b.test:{port}:127.0.0.1", "--cacert", site.ca_file, f"https://x.y.b.test:{port}/", code=60)
    for words in (["-noservername"], ["-servername", "unknown.test"]):
        assert re.search("^subject=CN ?= ?a.test$", s_client(port, *words), re.MULTILINE)


@pytest.mark.parametrize("way", ["socket", "memory"])
def test_files_are_read_again_without_dropping_a_connection(listen, site, way):
    listener = listen([site.add("a", "a.test"), site.add("b", "b.test")], way)
    trust = ssl.create_default_context(cafile=site.ca_file)

    def ask(connection):
        connection.sendall(b"GET / HTTP/1.1\r\n\r\n")
        return connection.recv(1000).startswith(b"HTTP/1.1 200 OK")

    def connect(name):
        return trust.wrap_socket(socket.create_connection(("127.0.0.1", listener.port), DEADLINE), server_hostname=name)

    with contextlib.ExitStack() as stack:
        old = stack.enter_context(connect("b.test"))
        assert ask(old)
        assert listener.reload() == "read again: False"
        site.add("b", "b.test", "c.test")
        assert listener.reload() == "read again: True"
        new = stack.enter_context(connect("c.test"))
        assert ask(new)
        assert ask(old)
        # A file that is broken changes nothing.
        (site.directory / "b.pem").write_text("half of it")
        assert listener.reload() == "read again: False"
        assert ask(stack.enter_context(connect("c.test")))


@pytest.mark.parametrize("way", ["socket", "memory"])
@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_clients_certificates_are_asked_for(listen, site, curl, way, version):
    port = listen([site.add("a", "localhost")], way, client_ca=site.clients_file).port
    cert, key, _ = site.client("ann", subject=x509.Name.from_rfc4514_string("CN=Ann,O=Org"))
    url, trust = f"https://localhost:{port}/", ("--cacert", site.ca_file, "--tls-max", version)
    told = curl(*trust, "--cert", cert, "--key", key, url)
    assert "X-SSL-Client-Verify: SUCCESS\nX-SSL-Client-Subject: CN=Ann,O=Org\n" in told
    assert refused(*trust, url)
    stranger = new_ca("the clients' CA").issue("stranger").write(site.directory, "stranger")
    assert refused(*trust, "--cert", stranger[0], "--key", stranger[1], url)


def test_clients_certificates_are_welcome_where_they_are_not_asked_for(listen, site, curl):
    port = listen([site.add("a", "localhost")], client_ca=site.clients_file, client_auth="optional").port
    cert, key, _ = site.client("ann", subject=x509.Name.from_rfc4514_string("CN=Ann"))
    url, trust = f"https://localhost:{port}/", ("--cacert", site.ca_file)
    assert curl(*trust, url) == "X-SSL-Client-Verify: NONE\n"
    assert "X-SSL-Client-Subject: CN=Ann\n" in curl(*trust, "--cert", cert, "--key", key, url)
    stranger = new_ca("the clients' CA").issue("stranger").write(site.directory, "stranger")
    assert refused(*trust, "--cert", stranger[0], "--key", stranger[1], url)


@pytest.mark.parametrize("way", ["socket", "memory"])
@pytest.mark.parametrize("name", ["a.test", "b.test"])
@VERSIONS
def test_sessions_are_resumed(listen, site, tmp_path, way, name, version):
    port = listen([site.add("a", "a.test"), site.add("b", "b.test")], way).port
    session = str(tmp_path / "session")
    assert "New, TLSv1." in s_client(port, version, "-servername", name, "-sess_out", session)
    assert "Reused, TLSv1." in s_client(port, version, "-servername", name, "-sess_in", session)


@pytest.mark.parametrize("ticket", [[], ["-no_ticket"]], ids=["tickets", "cache"])
def test_sessions_are_resumed_again_and_again(listen, site, ticket):
    port = listen([site.add("a", "a.test"), site.add("b", "b.test")]).port
    said = s_client(port, "-tls1_2", "-reconnect", "-servername", "b.test", *ticket)
    assert len(re.findall("^Reused, TLSv1.2", said, re.MULTILINE)) == 5


@VERSIONS
def test_a_resumed_session_is_that_of_the_same_client(listen, site, tmp_path, version):
    port = listen([site.add("a", "a.test")], client_ca=site.clients_file).port
    cert, key, _ = site.client("ann", subject=x509.Name.from_rfc4514_string("CN=Ann"))
    session = str(tmp_path / "session")
    said = s_client(port, version, "-cert", cert, "-key", key, "-sess_out", session)
    assert "X-SSL-Client-Subject: CN=Ann" in said
    again = s_client(port, version, "-sess_in", session)
    assert "Reused, TLSv1." in again
    assert "X-SSL-Client-Subject: CN=Ann" in again


@VERSIONS
def test_a_session_of_another_listener_lets_nobody_in(listen, site, tmp_path, version):
    files = [site.add("a", "a.test")]
    session = str(tmp_path / "session")
    s_client(listen(files).port, version, "-sess_out", session)
    said = s_client(listen(files, client_ca=site.clients_file).port, version, "-sess_in", session)
    assert "Reused" not in said
    assert "200 OK" not in said


# -- as a scanner does


@pytest.fixture
def scanned(listen, site):
    """Listeners with an RSA and an ECDSA key, all by default."""
    key = rsa.generate_private_key(65537, 2048)
    return [listen([site.add("rsa", "a.test", key=key)]).port, listen([site.add("ec", "a.test")]).port]


@pytest.fixture
def lax(processes, site):
    """Openssl's own server, which takes all that it can: what this machine's openssl has no part of proves nothing."""
    rsa_files, ec_files = (
        site.add("lax-rsa", "a.test", key=rsa.generate_private_key(65537, 2048)),
        site.add("lax-ec", "a.test"),
    )
    port = free_port()
    processes(
        need("openssl"), "s_server", "-accept", f"127.0.0.1:{port}", "-www", "-quiet",
        "-cert", rsa_files[0], "-key", rsa_files[1], "-dcert", ec_files[0], "-dkey", ec_files[1],
        "-cipher", "ALL:COMPLEMENTOFALL:@SECLEVEL=0", "-psk", "00",
        "-groups", "X25519:P-256:X448:P-521:P-384:ffdhe2048:ffdhe3072",
        port=port, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    return port


def all_ciphers():
    words = [need("openssl"), "ciphers", "-s", "-tls1_2", "ALL:COMPLEMENTOFALL:@SECLEVEL=0"]
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout.strip().split(":")


def test_no_version_under_1_2(scanned, lax):
    for version in ("-tls1", "-tls1_1"):
        words = (version, "-cipher", "ALL:@SECLEVEL=0")
        assert connects(lax, *words)
        assert not any(connects(port, *words) for port in scanned)
    for version in ("-tls1_2", "-tls1_3"):
        assert all(connects(port, version) for port in scanned)


def test_no_fallback_to_a_lower_version(scanned):
    assert not any(connects(port, "-tls1_2", "-fallback_scsv") for port in scanned)


def test_no_weak_cipher(scanned, lax):
    strong = SERVER_CIPHERS.split(":")

    def words(*ciphers):
        return ("-tls1_2", "-cipher", ":".join([*ciphers, "@SECLEVEL=0"]), "-psk", "00")

    weak = [cipher for cipher in all_ciphers() if cipher not in strong and connects(lax, *words(cipher))]
    assert len(weak) > 50
    # Whoever takes one of them takes a client that offers them all.
    assert connects(lax, *words(*weak))
    assert not any(connects(port, *words(*weak)) for port in scanned)
    for kind, port in zip(("RSA", "ECDSA"), scanned, strict=True):
        accepted = [cipher for cipher in strong if connects(port, "-tls1_2", "-cipher", cipher)]
        assert accepted == [cipher for cipher in strong if f"-{kind}-" in cipher]


def test_all_ciphers_of_1_3(scanned):
    for suite in ("TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"):
        assert all(connects(port, "-tls1_3", "-ciphersuites", suite) for port in scanned)
    for suite in ("TLS_AES_128_CCM_SHA256", "TLS_AES_128_CCM_8_SHA256"):
        assert not any(connects(port, "-tls1_3", "-ciphersuites", suite) for port in scanned)


@VERSIONS
def test_strong_groups_and_no_others(scanned, lax, version):
    rsa_port = scanned[0]
    for group in ("X25519", "P-256", "P-384"):
        assert connects(rsa_port, version, "-groups", group)
    for group in ("P-521", "X448"):
        assert connects(lax, version, "-groups", group)
        assert not connects(rsa_port, version, "-groups", group)
    if version == "-tls1_3":
        assert connects(lax, version, "-groups", "ffdhe2048")
        assert not connects(rsa_port, version, "-groups", "ffdhe2048")


def test_no_compression_and_no_renegotiation(scanned):
    for port in scanned:
        said = s_client(port, "-tls1_2", "-comp")
        assert "Compression: NONE" in said
        assert "Secure Renegotiation IS supported" in said
        # Without -ign_eof, R at a line's beginning asks for another handshake.
        done = subprocess.run(
            [need("openssl"), "s_client", "-connect", f"127.0.0.1:{port}", "-tls1_2"],
            input=b"R\n",
            capture_output=True,
            timeout=DEADLINE,
        )
        assert b"RENEGOTIATING" in done.stdout + done.stderr
        assert b"no renegotiation" in done.stdout + done.stderr


@pytest.mark.parametrize("way", ["socket", "memory"])
def test_alpn(listen, site, way):
    port = listen([site.add("a", "a.test")], way).port
    assert "ALPN protocol: http/1.1" in s_client(port, "-alpn", "h2,http/1.1")
    assert "No ALPN negotiated" in s_client(port)
    for version in ("-tls1_2", "-tls1_3"):
        # RFC 7301 section 3.2: no_application_protocol
        assert "alert number 120" in s_client(port, "-alpn", "h2", version)
    assert connects(port)


def test_the_command_serves_the_same(run_proxy, run_nginx, site, lax):
    cert, key = site.add("a", "a.test")
    proxy = run_proxy(
        "reverse", "--upstream", run_nginx().url, "--tls-cert", cert, "--tls-key", key, listen="--tls-listen"
    )  # fmt: skip
    for words in (
        ("-tls1_1", "-cipher", "ALL:@SECLEVEL=0"),
        ("-tls1_2", "-cipher", ":".join({*all_ciphers()} - {*SERVER_CIPHERS.split(":")}) + ":@SECLEVEL=0"),
        ("-tls1_3", "-groups", "ffdhe2048:P-521"),
    ):
        assert connects(lax, *words)
        assert "Cipher is (NONE)" in s_client(proxy.port, *words)
    session = str(site.directory / "session")
    assert "New, TLSv1.3" in s_client(proxy.port, "-sess_out", session)
    assert "Reused, TLSv1.3" in s_client(proxy.port, "-sess_in", session)


# -- as nginx has it


NGINX = """
worker_processes 1; daemon off; pid {dir}/nginx.pid; error_log {dir}/error.log; {user}
events {{ worker_connections 64; }}
http {{
  access_log off; client_body_temp_path {dir}/body; proxy_temp_path {dir}/proxy;
  fastcgi_temp_path {dir}/f; uwsgi_temp_path {dir}/u; scgi_temp_path {dir}/s;
  server {{
    listen 127.0.0.1:{port} ssl; ssl_certificate {cert}; ssl_certificate_key {key}; ssl_protocols TLSv1.2 TLSv1.3;
    ssl_client_certificate {ca}; ssl_verify_client optional; ssl_session_cache shared:s:1m;
    location / {{ return 200 "$ssl_session_reused $ssl_server_name $ssl_client_serial $ssl_client_s_dn\\n"; }}
  }}
}}
"""


@pytest.fixture
def nginx(processes, site):
    """An upstream that tells who has come to it; gives its port."""
    program = need("nginx")
    directory = site.directory / "nginx"
    directory.mkdir()
    port = free_port()
    cert, key = site.add("upstream", "upstream.test", "127.0.0.1")
    (directory / "nginx.conf").write_text(
        NGINX.format(dir=directory, port=port, cert=cert, key=key, ca=site.clients_file, user="user root;")
    )
    processes(program, "-p", str(directory), "-c", str(directory / "nginx.conf"), port=port)
    return port


@pytest.fixture
def dial(nginx):
    """Asks that upstream, and gives its answers."""

    def run(times=1, **settings):
        words = json.dumps({"address": "127.0.0.1", "port": nginx, "times": times, **settings})
        done = subprocess.run(
            [sys.executable, str(HERE / "tls_dialer.py"), words], capture_output=True, timeout=DEADLINE, check=True
        )
        assert done.stderr == b""
        return done.stdout.decode().splitlines()

    return run


def test_upstreams_see_our_certificate(dial, site):
    cert, key, identity = site.client("proxy", subject=x509.Name.from_rfc4514_string("CN=proxy,O=Org"))
    serial = read_peer_certificate(identity.certificate).serial
    answers = dial(host="127.0.0.1", ca_file=site.ca_file, cert_file=cert, key_file=key)
    assert answers == [f".  {serial} CN=proxy,O=Org"]


def test_upstreams_are_asked_for_the_name_they_have(dial, site):
    assert dial(host="127.0.0.1", ca_file=site.ca_file, server_name="upstream.test") == [". upstream.test  "]
    assert dial(host="other.test", ca_file=site.ca_file, server_name="upstream.test") == [". upstream.test  "]
    wrong = dial(host="127.0.0.1", ca_file=site.ca_file, server_name="other.test")
    assert wrong[0].startswith("tls_certificate_error: ")
    assert dial(host="upstream.test", ca_file=site.clients_file)[0].startswith("tls_certificate_error: ")
    assert dial(host="other.test", insecure=True) == [". other.test  "]


def test_upstreams_see_sessions_again(dial, site):
    assert dial(4, host="127.0.0.1", ca_file=site.ca_file) == [".   ", *["r   "] * 3]


@pytest.mark.parametrize(
    "subject",
    [
        "CN=Ann,O=Org,C=DE",
        r"CN=a\,b\+c\=d\"e\\f\<g\>h\;i",
        r"CN=\ a b\ ",
        r"CN=\#1",
        "CN=Zoë \U0001f600",
        "emailAddress=a@a.example,serialNumber=7,GN=Ann,SN=Other,title=Dr,initials=A,dnQualifier=q",
        "UID=7,DC=a,DC=example,street=Street 1,L=Town,ST=State,OU=Unit",
        "postalCode=1,businessCategory=x,jurisdictionC=DE,jurisdictionST=s,jurisdictionL=l,pseudonym=p",
    ],
)
def test_subjects_are_told_as_openssl_tells_them(site, subject):
    from txproxy.tls.client_certificates import _ATTRIBUTES

    names = {name: oid for oid, name in _ATTRIBUTES.items()}
    _, _, identity = site.client("someone", subject=x509.Name.from_rfc4514_string(subject, names))
    words = [need("openssl"), "x509", "-in", str(site.directory / "someone.pem"), "-noout", "-subject", "-serial"]
    told = subprocess.run([*words, "-nameopt", "RFC2253"], check=True, capture_output=True, text=True).stdout
    peer = read_peer_certificate(identity.certificate)
    assert told.splitlines() == [f"subject={peer.subject}", f"serial={peer.serial}"]


# -- ClientHellos


@pytest.mark.parametrize("client", ["openssl", "curl"])
def test_the_hello_of_a_real_client(processes, client):
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        if client == "openssl":
            words = ("s_client", "-connect", f"127.0.0.1:{port}", "-servername", "a.test", "-alpn", "h2,http/1.1")
        else:
            words = (
                "-sS",
                "--noproxy",
                "",
                "--http1.1",
                "--resolve",
                f"a.test:{port}:127.0.0.1",
                f"https://a.test:{port}",
            )
        processes(need(client), *words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        listening.settimeout(DEADLINE)
        connection, _ = listening.accept()
        with connection:
            connection.settimeout(DEADLINE)
            data = b""
            hello = None
            while hello is None:
                data += connection.recv(1)
                hello = read_hello(data)
    assert hello.server_name == "a.test"
    assert "http/1.1" in [protocol.decode() for protocol in hello.alpn]
    assert 0x0304 in hello.versions
    assert not hello.has_ech


UNEXPECTED = "a header of the PROXY protocol on a port that expects none"


def first_answer(port, data):
    with socket.create_connection(("127.0.0.1", port), DEADLINE) as connection:
        connection.sendall(data)
        received = b""
        while piece := connection.recv(65536):
            received += piece
        return received


@pytest.mark.parametrize("reactor", ["epoll", "txproxy"])
def test_who_speaks_something_else_on_a_port_is_told_so_and_logged_as_what_it_is(run_proxy, site, reactor):
    cert, key = site.add("site", "localhost")
    plain = free_port()
    proxy = run_proxy(
        "reverse", "--upstream=http://127.0.0.1:9", f"--listen=tcp:{plain}:interface=127.0.0.1", "--tls-cert", cert,
        "--tls-key", key, listen="--tls-listen", reactor=reactor,
    )  # fmt: skip
    get = b"GET /secret HTTP/1.1\r\nHost: localhost\r\n\r\n"
    preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0"
    hello = b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x03"
    for port, data, said in [
        (proxy.port, get, "plain HTTP on a TLS port"),
        (proxy.port, preface, "plain HTTP/2 on a TLS port"),
        (plain, preface, "HTTP/2 on a port for HTTP/1.1"),
        (plain, hello, "TLS on a port for plain HTTP"),
        *(
            (port, header(version, ("192.0.2.1", 5000), ("192.0.2.2", 443)) + data, UNEXPECTED)
            for version in (1, 2)
            for port, data in ((plain, get), (proxy.port, hello))
        ),
    ]:
        answer = first_answer(port, data)
        assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n") and f"This is {said}.\n".encode() in answer
        proxy.says(said)
    # and TLS is as it was
    url = f"https://localhost:{proxy.port}/"
    said = subprocess.run(
        ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "--cacert", site.ca_file, url],
        capture_output=True, text=True, timeout=DEADLINE,
    )  # fmt: skip
    assert said.stdout == "503"


@pytest.mark.parametrize("reactor", ["epoll", "asyncio", "txproxy"])
@pytest.mark.parametrize("kind", ["tcp", "unix", "haproxy", "PROXY", "PROXY over unix"])
def test_who_speaks_in_the_plain_at_a_tls_listener_of_any_kind_is_told_so(kind, reactor, run_proxy, site, tmp_path):
    cert, key = site.add("site", "localhost")
    path, port = str(tmp_path / "socket"), free_port()
    over_unix = "unix" in kind
    if over_unix:
        endpoint = f"unix:{path}"
    else:
        endpoint = f"{'haproxy:' if kind == 'haproxy' else ''}tcp:{port}:interface=127.0.0.1"
    words = ["--proxy-protocol", "--trusted-proxy", "unix:" if over_unix else "127.0.0.1"] if "PROXY" in kind else []
    proxy = run_proxy(
        "reverse", "--upstream=http://127.0.0.1:9", f"--tls-listen={endpoint}", "--tls-cert", cert, "--tls-key", key,
        *words, reactor=reactor,
    )  # fmt: skip
    header = b"PROXY TCP4 192.0.2.1 192.0.2.2 4711 443\r\n" if kind in ("haproxy", "PROXY", "PROXY over unix") else b""
    place = path if over_unix else ("127.0.0.1", port)

    def connect():
        connection = socket.socket(socket.AF_UNIX if over_unix else socket.AF_INET)
        connection.settimeout(DEADLINE)
        until(lambda: not connection.connect_ex(place), "the proxy listens")
        connection.sendall(header)
        return connection

    get = b"GET /secret HTTP/1.1\r\nHost: localhost\r\n\r\n"
    for first, said in [
        (get, "plain HTTP on a TLS port"),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "plain HTTP/2 on a TLS port"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "SSH on a TLS port"),
        (b"get /lower HTTP/1.1\r\n\r\n", "something that is not TLS on a TLS port"),
    ]:
        with connect() as connection:
            connection.sendall(first)
            received = b""
            while piece := connection.recv(65536):
                received += piece
        assert received.startswith(b"HTTP/1.1 400 Bad Request\r\n") and f"This is {said}.\n".encode() in received
        proxy.says(said)
    proxy.says("GET /secret")
    # and TLS is as it was
    trust = ssl.create_default_context(cafile=site.ca_file)
    with trust.wrap_socket(connect(), server_hostname="localhost") as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        assert connection.recv(65536).startswith(b"HTTP/1.1 503 ")
    assert "Traceback" not in proxy.log
