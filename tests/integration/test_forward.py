"""The policy of a forward proxy: curl and a browser before it, nginx behind it, and Squid as the judge of its rules."""

import hashlib
import json
import subprocess
import sys

import pytest

from tests.integration.conftest import DEADLINE, free_port, need, until

NAMES = dict.fromkeys(["site.example", "ads.example", "evil.example", "localhost"], "127.0.0.1")
# curl's statuses: the TLS handshake failed; nothing came; the proxy gave no tunnel
NO_TLS, NO_ANSWER, NO_TUNNEL = 35, 52, 56


@pytest.fixture
def users(tmp_path):
    """A password file with bob, whose password is hunter2, and the same for Digest."""
    hashed = subprocess.run(
        [need("openssl"), "passwd", "-6", "hunter2"], capture_output=True, check=True, text=True
    ).stdout
    (tmp_path / "passwords").write_text(f"bob:{hashed}")
    digest = hashlib.md5(b"bob:txproxy:hunter2", usedforsecurity=False).hexdigest()
    (tmp_path / "digests").write_text(f"bob:txproxy:{digest}\n")
    return tmp_path


def audited(file, count):
    """The entries of an audit log, once there are so many."""
    lines = until(lambda: len(lines := file.read_text().splitlines()) == count and lines, f"{count} lines in {file}")
    return [json.loads(line) for line in lines]


# -- who it is


@pytest.mark.parametrize("way", ["--proxy-basic", "--proxy-anyauth"])
def test_curl_logs_in_by_basic(way, users, run_forward, run_nginx, curl, certificate):
    origin = run_nginx()
    proxy = run_forward(auth={"password_file": str(users / "passwords")})
    name, secret = f"{origin.url}/name", f"https://localhost:{origin.tls_port}/"
    trust = ["--cacert", str(certificate[0])]
    assert "HTTP/1.1 407 " in curl("-i", "-x", proxy.url, name)
    curl("-x", proxy.url, *trust, secret, code=NO_TUNNEL)
    assert "HTTP/1.1 407 " in curl("-i", "-x", proxy.url, way, "-U", "bob:wrong", name)
    assert curl("-x", proxy.url, way, "-U", "bob:hunter2", name, name) == "nginx\n" * 2
    assert curl("-x", proxy.url, way, "-U", "bob:hunter2", *trust, secret) == "secret\n"
    proxy.says(f"exchange: CONNECT localhost:{origin.tls_port} 407 http_request_denied None")
    proxy.says(f"exchange: CONNECT localhost:{origin.tls_port} 200 tunnel bob")
    assert "hunter2" not in proxy.log
    # No credentials of the proxy's clients reach an origin.
    assert curl("-x", proxy.url, way, "-U", "bob:hunter2", f"{origin.url}/fields").startswith("|curl")


def test_curl_logs_in_by_digest(users, run_forward, run_nginx, curl, certificate):
    origin = run_nginx()
    proxy = run_forward(auth={"digest_file": str(users / "digests")})
    name, secret = f"{origin.url}/name", f"https://localhost:{origin.tls_port}/"
    login = ["-x", proxy.url, "--proxy-digest", "-U", "bob:hunter2"]
    assert curl(*login, name, name) == "nginx\n" * 2
    assert curl(*login, "--cacert", str(certificate[0]), secret) == "secret\n"
    assert "HTTP/1.1 407 " in curl("-i", "-x", proxy.url, "--proxy-digest", "-U", "bob:wrong", name)


# -- what may be


def test_the_options_of_the_command_line(users, run_proxy, run_nginx, curl, tmp_path):
    origin = run_nginx()
    (tmp_path / "ads.txt").write_text("*://*/banner/*\n")
    proxy = run_proxy(
        "forward", "--allow-destination", "127.0.0.1", "--allow-port", str(origin.port),
        "--auth-file", str(users / "passwords"), "--filter", str(tmp_path / "ads.txt"),
        "--allow-host", "127.0.0.1", "--allow-host", ".example", "--deny-host", "no.example",
    )  # fmt: skip
    me = ["-x", proxy.url, "-U", "bob:hunter2"]
    assert curl(*me, f"{origin.url}/name") == "nginx\n"
    assert "HTTP/1.1 407 " in curl("-i", "-x", proxy.url, f"{origin.url}/name")
    assert "List: ads" in curl(*me, f"{origin.url}/banner/1")
    assert "is not among the allowed hosts" in curl(*me, f"http://localhost:{origin.port}/")
    assert "no.example is not allowed" in curl(*me, f"http://no.example:{origin.port}/")
    proxy.says("127.0.0.1 - bob [")


def test_a_configuration_file(users, processes, run_nginx, curl, tmp_path):
    origin, port = run_nginx(), free_port()
    (tmp_path / "proxy.toml").write_text(f"""
[[listeners]]
mode = "forward"
listen = "tcp:{port}:interface=127.0.0.1"
allow_destinations = ["127.0.0.1"]
allow_ports = [{origin.port}]
audit = "audit.json"
auth = {{ password_file = "passwords", by_rules = true }}

[[listeners.rules]]
name = "open"
action = "allow"
url = "*/name"

[[listeners.rules]]
name = "known"
action = "allow"
users = "bob"
""")
    processes(sys.executable, "-m", "txproxy", "run", "--config", str(tmp_path / "proxy.toml"), port=port, cwd=tmp_path)
    proxy = ["-x", f"http://127.0.0.1:{port}"]
    assert curl(*proxy, f"{origin.url}/name") == "nginx\n"
    assert "HTTP/1.1 407 " in curl("-i", *proxy, f"{origin.url}/echo")
    assert curl(*proxy, "-U", "bob:hunter2", f"{origin.url}/echo").startswith("GET 127.0.0.1")
    lines = until(
        lambda: len(lines := (tmp_path / "audit.json").read_text().splitlines()) == 3 and lines,
        "three lines in the log",
    )
    entries = [json.loads(line) for line in lines]
    assert [(entry["user"], entry["verdict"], entry["rule"]) for entry in entries] == [
        (None, "allow", "open"), (None, "deny", "auth"), ("bob", "allow", "known")
    ]  # fmt: skip


def test_block_lists_and_hosts(run_forward, run_nginx, curl, tmp_path):
    origin = run_nginx()
    (tmp_path / "ads.txt").write_text("||ads.example^\n*://*/banner/*\n")
    proxy = run_forward({"names": NAMES}, filters=[str(tmp_path / "ads.txt")], deny_hosts=["evil.example"])
    site = f"http://site.example:{origin.port}"
    assert curl("-x", proxy.url, f"{site}/name") == "nginx\n"
    said = curl("-i", "-x", proxy.url, f"http://ads.example:{origin.port}/")
    assert "HTTP/1.1 403 " in said and "\nContent-Type: text/plain" in said and "List: ads\n" in said
    assert "<dd>ads</dd>" in curl("-x", proxy.url, "-H", "Accept: text/html", f"{site}/banner/1.gif")
    assert "evil.example is not allowed" in curl("-x", proxy.url, f"http://EVIL.example.:{origin.port}/name")
    curl("-x", proxy.url, f"https://evil.example:{origin.tls_port}/", code=NO_TUNNEL)


def test_a_tunnel_goes_where_it_says_or_nowhere(run_forward, run_nginx, curl, certificate, tmp_path):
    origin = run_nginx()
    proxy = run_forward({"names": NAMES}, agree_names=True, audit=str(tmp_path / "audit.json"))
    trust = ["--cacert", str(certificate[0])]
    port = origin.tls_port
    assert curl("-x", proxy.url, *trust, f"https://localhost:{port}/") == "secret\n"
    assert curl("-x", proxy.url, *trust, f"https://127.0.0.1:{port}/") == "secret\n"
    # curl asks the proxy for one host, and by TLS for another.
    elsewhere = ["--connect-to", f"evil.example:{port}:site.example:{port}"]
    curl("-x", proxy.url, "-k", *elsewhere, f"https://evil.example:{port}/", code=NO_TLS)
    # No TLS at all, but HTTP in a tunnel.
    curl("-p", "-x", proxy.url, f"http://site.example:{origin.port}/name", code=NO_ANSWER)
    entries = audited(tmp_path / "audit.json", 4)
    assert [(entry["host"], entry["verdict"]) for entry in entries] == [
        ("localhost", "allow"),
        ("127.0.0.1", "allow"),
        ("site.example", "deny"),
        ("site.example", "deny"),
    ]
    assert entries[0]["received"] > 300 and entries[0]["sent"] > 300
    assert "asks for evil.example" in entries[2]["reason"]


def test_a_program_never_holds_the_secret(run_forward, run_nginx, curl):
    origin = run_nginx()
    proxy = run_forward(
        {"names": {"api.example": "127.0.0.1", "site.example": "127.0.0.1"}},
        inject=[{"origin": f"http://api.example:{origin.port}", "headers": {"Authorization": "Bearer s3cret"}}],
        privacy=[{"replace": {"User-Agent": "none"}, "remove": ["Referer", "Cookie"]}],
    )
    fields = ["-H", "Authorization: Bearer own", "-H", "Referer: http://inside/", "-b", "id=7"]
    own = ["-H", "X-Forwarded-For: 10.0.0.7", "-x", proxy.url]
    assert curl(*own, *fields, f"http://api.example:{origin.port}/fields") == "Bearer s3cret|none|||\n"
    assert curl(*own, *fields, f"http://site.example:{origin.port}/fields") == "Bearer own|none|||\n"
    assert "s3cret" not in proxy.log


# -- Squid judges the same requests by the same rules


SQUID_RULES = """
acl staff proxy_auth bob
acl here src 127.0.0.1
acl elsewhere src 192.0.2.0/24
acl site dstdomain .site.example
acl one dstdomain one.example
acl private urlpath_regex ^/private/
acl pictures url_regex -i \\.gif$
acl ports port 1-65535
acl POSTS method POST
acl never time MTWHFAS 00:00-00:00
acl CONNECT method CONNECT
http_access deny elsewhere
http_access deny private
http_access deny CONNECT one
http_access deny POSTS one
http_access allow one here
http_access deny pictures
http_access allow site staff ports
http_access deny all
"""
OUR_RULES = [
    {"action": "deny", "clients": "192.0.2.0/24"},
    {"action": "deny", "url": "~^[a-z]+://[^/]*/private/"},
    {"action": "deny", "schemes": "connect", "hosts": "one.example"},
    {"action": "deny", "methods": "POST", "hosts": "one.example"},
    {"action": "allow", "hosts": "one.example", "clients": "127.0.0.1"},
    {"action": "deny", "url": "~(?i)\\.gif$"},
    {"action": "allow", "hosts": ".site.example", "users": "bob", "ports": "1-65535"},
]
REQUESTS = [
    ("GET", "http://one.example/name"),
    ("GET", "http://ONE.example./name"),
    ("GET", "http://x.one.example/name"),
    ("POST", "http://one.example/name"),
    ("GET", "http://one.example/private/x"),
    ("GET", "http://one.example/x.GIF"),
    ("GET", "http://site.example/name"),
    ("GET", "http://a.b.site.example/name"),
    ("GET", "http://site.example/x.gif"),
    ("GET", "http://site.example/private/name"),
    ("POST", "http://site.example/name"),
    ("GET", "http://othersite.example/name"),
    ("GET", "http://unknown.example/name"),
    ("CONNECT", "https://one.example/"),
    ("CONNECT", "https://site.example/"),
    ("CONNECT", "https://unknown.example/"),
]


def test_squid_judges_the_same(run_squid, run_forward, run_nginx, curl, users, open_folder):
    origin = run_nginx()
    hosts = ["one.example", "x.one.example", "site.example", "a.b.site.example", "othersite.example", "unknown.example"]
    (open_folder / "hosts").write_text("".join(f"127.0.0.1 {host}\n" for host in hosts))
    squid = run_squid("hunter2", (f"hosts_file {open_folder}/hosts", *SQUID_RULES.strip().splitlines()))
    ours = run_forward(
        {"names": dict.fromkeys(hosts, "127.0.0.1")},
        auth={"password_file": str(users / "passwords")},
        auth_by_rules=True,
        rules=OUR_RULES,
    )
    seen = set()
    for login in ([], ["-U", "bob:hunter2"]):
        for method, url in REQUESTS:
            scheme, _, rest = url.partition("://")
            host, _, path = rest.partition("/")
            port = origin.tls_port if method == "CONNECT" else origin.port
            words = [*login, "-k", "-o", "/dev/null", "-w", "%{http_connect} %{http_code}"]
            words += [] if method == "CONNECT" else ["-X", method]
            said = [
                curl("-x", proxy, *words, f"{scheme}://{host}:{port}/{path}", code=None)
                for proxy in (f"http://127.0.0.1:{squid.port}", ours.url)
            ]
            # What nginx says of a path or method that it does not have is not at issue.
            passed = [text.replace("404", "200").replace("405", "200") for text in said]
            assert passed[0] == passed[1], (method, url, login)
            seen.add(passed[0])
    # plain requests and tunnels that passed, that were refused, and that wanted to know who it is
    assert seen == {"000 200", "000 403", "000 407", "200 200", "403 000", "407 000"}


# -- a browser


@pytest.fixture
def browse(tmp_path):
    """What a browser makes of a URL, with the PAC file of a proxy."""

    def browse(proxy, url, *words):
        done = subprocess.run(
            [
                need("chromium"), "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
                "--disable-background-networking", "--disable-component-update", "--disable-sync",
                f"--user-data-dir={tmp_path}/browser", f"--proxy-pac-url={proxy.url}/proxy.pac", *words,
                "--dump-dom", url,
            ],
            capture_output=True, text=True, timeout=3 * DEADLINE, check=True,
        )  # fmt: skip
        return done.stdout

    return browse


def test_a_browser_browses(run_forward, run_nginx, browse, tmp_path):
    origin = run_nginx()
    (origin.directory / "www" / "page.html").write_text(
        "<title>page</title><p id=p>plain</p><script src=/script.js></script>"
    )
    (origin.directory / "www" / "script.js").write_text("document.getElementById('p').textContent = 'scripted'")
    (tmp_path / "ads.txt").write_text("ads.example\n")
    proxy = run_forward({"names": NAMES}, filters=[str(tmp_path / "ads.txt")], no_proxy=["direct.example"])
    assert '<p id="p">scripted</p>' in browse(proxy, f"http://site.example:{origin.port}/page.html")
    proxy.says(f"exchange: GET site.example:{origin.port} 200 ok None")
    blocked = browse(proxy, f"http://ads.example:{origin.port}/page.html")
    assert "<h1>Blocked</h1>" in blocked and "<dd>ads</dd>" in blocked
    secret = browse(proxy, f"https://site.example:{origin.tls_port}/", "--ignore-certificate-errors")
    assert "secret" in secret
    proxy.says(f"exchange: CONNECT site.example:{origin.tls_port} 200 ")


def test_a_browser_whose_hello_looks_encrypted_is_refused(run_forward, run_nginx, browse):
    origin = run_nginx()
    proxy = run_forward({"names": NAMES}, agree_names=True)
    url = f"https://site.example:{origin.tls_port}/"
    # Whether a ClientHello is encrypted or only looks so (GREASE), only its recipient could tell. What a browser does
    # then is its own affair: it may come again with one that hides nothing, which passes.
    browse(proxy, url, "--ignore-certificate-errors")
    proxy.says("its ClientHello is encrypted, or pretends to be (ECH)")
