"""Listeners and limits in a file."""

import attrs
import pytest

from tests.tls.authority import new_ca
from txproxy.components.settings import settings_of
from txproxy.config import ForwardListener, ReverseListener, TcpListener
from txproxy.forward.mode import ForwardPolicy
from txproxy.proxy.limits import Limits
from txproxy.tls.listener_contexts import HTTP1, WITH_HTTP2, ListenerTls

POOLS = '[pools.app]\nupstreams = "http://a"\n[pools.db]\nupstreams = "a:1"\n'


@pytest.fixture
def listener(read):
    return lambda text: read(f"[[listeners]]\n{text}\n{POOLS}").listeners[0]


@pytest.fixture
def certificates(tmp_path):
    """Files a.pem and a.key for a.example, the same for b.example, and ca.pem, relative to the configuration."""
    ca = new_ca()
    for name in ("a", "b"):
        ca.issue(f"{name}.example").write(tmp_path, name)
    (tmp_path / "ca.pem").write_bytes(ca.cert_pem)
    return tmp_path


def test_little_has_to_be_said(listener):
    made = listener('listen = "tcp:8080"\npool = "app"')
    assert made == ReverseListener(name="listener 1", listen=("tcp:8080",), pool="app")
    assert (made.via, made.limits) == ("txproxy", Limits())


def test_all_that_a_reverse_listener_can_have(read, certificates):
    (certificates / "sorry.html").write_text("sorry")
    made = read("""
        via = "none"
        limits = { idle_timeout = "5s", max_body_size = "1k", max_target_size = "9k", max_fields = 7 }
        [[listeners]]
        name = "web"
        mode = "reverse"
        listen = ["tcp:80", "unix:/run/x"]
        tls_listen = ["tcp:443"]
        certificates = [{ cert = "a.pem", key = "a.key" }, { cert = "b.pem", key = "b.key" }]
        tls.min_version = "1.3"
        tls.ciphers = "ECDHE+AESGCM"
        tls.client_ca = "ca.pem"
        tls.client_auth = "optional"
        tls.client_depth = 1
        proxy_protocol = true
        trusted_proxies = ["10.0.0.0/8", "::1"]
        pool = "app"
        host = "upstream"
        via = "edge"
        error_pages = { 503 = "sorry.html", 4xx = "sorry.html" }
        split_by = "client"
        tolerate = "bare-lf"
        limits = { idle_timeout = 1, max_connections = 5, tunnel_timeout = "2h", min_body_rate = "1k" }
        [pools.app]
        upstreams = "http://a"
    """).listeners[0]
    assert made == ReverseListener(
        name="web",
        listen=("tcp:80", "unix:/run/x"),
        tls_listen=("tcp:443",),
        tls=ListenerTls(
            certificates=tuple((str(certificates / f"{name}.pem"), str(certificates / f"{name}.key")) for name in "ab"),
            min_version="1.3",
            ciphers="ECDHE+AESGCM",
            client_ca=str(certificates / "ca.pem"),
            client_auth="optional",
            client_depth=1,
            prefix="",
            alpn=WITH_HTTP2,
        ),
        limits=Limits(
            idle_timeout=1,
            max_connections=5,
            max_body_size=1024,
            tunnel_timeout=7200,
            min_body_rate=1024,
            max_target_size=9216,
            max_fields=7,
        ),
        tolerate=("bare-lf",),
        proxy_protocol=True,
        trusted_proxies=("10.0.0.0/8", "::1"),
        pool="app",
        host="upstream",
        via="edge",
        error_pages=(("503", str(certificates / "sorry.html")), ("4xx", str(certificates / "sorry.html"))),
        split_by_client=True,
    )
    assert made.endpoints == ("tcp:80", "unix:/run/x", "tcp:443")


def test_a_certificate_may_have_its_key_with_it(listener, certificates):
    (certificates / "both.pem").write_bytes(
        (certificates / "a.key").read_bytes() + (certificates / "a.pem").read_bytes()
    )
    for text in ('"both.pem"', '["both.pem"]', '[{ cert = "both.pem" }]'):
        made = listener(f'tls_listen = "tcp:443"\ncertificates = {text}\npool = "app"')
        assert made.tls.certificates == ((str(certificates / "both.pem"), None),)


def test_clients_of_a_unix_socket_that_are_all_refused_are_a_warning(read):
    forward = '[[listeners]]\nmode = "forward"\nlisten = ["tcp:1", "unix:/run/x"]\n'
    made = read(forward)
    assert [warning.partition(": ")[2] for warning in made.warnings] == [
        "listeners[0].listen: no client on a UNIX socket is allowed; accepted is allow_clients with 'unix:' in it"
    ]
    assert not read(forward + 'allow_clients = ["unix:"]').warnings
    assert not read(forward.replace(', "unix:/run/x"', "")).warnings


def test_a_forward_listener(read):
    made = read("""
        via = "edge"
        [[listeners]]
        mode = "forward"
        listen = "tcp:3128"
        allow_clients = ["10.0.0.0/8"]
        allow_ports = [80, "8000-8999"]
        allow_destinations = ["10.0.0.1/32", "intern.example"]
        allow_hosts = "*.example"
        forwarded_for = "on"
    """).listeners[0]
    assert isinstance(made, ForwardListener)
    assert made.policy == ForwardPolicy(
        allow_clients=["10.0.0.0/8"], allow_ports=["80", "8000-8999"],
        allow_destinations=["10.0.0.1/32", "intern.example"], allow_hosts=["*.example"], forwarded_for="on", via="edge",
    )  # fmt: skip


def test_a_forward_listener_is_safe_as_it_comes(listener):
    assert listener('mode = "forward"\nlisten = "tcp:3128"').policy == ForwardPolicy()


def test_a_tcp_listener(listener, certificates):
    made = listener('mode = "tcp"\nlisten = "tcp:1"\npool = "db"\nsni = { "a.example" = "db", "*.b.example" = "db" }')
    assert isinstance(made, TcpListener)
    assert (made.pool, made.sni) == ("db", (("a.example", "db"), ("*.b.example", "db")))
    assert made.pools == ("db", "db", "db")
    made = listener('mode = "tcp"\ntls_listen = "tcp:1"\npool = "db"\ncertificates = { cert = "a.pem", key = "a.key" }')
    assert made.tls.alpn == (), "what the streams speak is not known here"


def test_each_limit_has_a_key():
    assert set(settings_of(Limits)) == {field.name for field in attrs.fields(Limits)}


APP = 'listen = "tcp:80"\npool = "app"\n'
FORWARD = 'mode = "forward"\nlisten = "tcp:80"\n'
TCP = 'listen = "tcp:80"\nmode = "tcp"\n'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('pool = "app"', "listeners[0]: it listens nowhere; accepted is listen or tls_listen"),
        ('listen = "tcp"\npool = "app"', "listeners[0].listen: 'tcp' is no endpoint: the port is no number"),
        ('listen = ["tcp:80", 1.5]\npool = "app"', "listeners[0].listen[1]: 1.5 is no endpoint; accepted are 8080, "),
        ('listen = "tcp:80"', "listeners[0]: it has nothing to do; accepted is pool, or a route for it"),
        (TCP, "listeners[0]: it has nothing to do; accepted is pool or sni"),
        ('listen = "tcp:80"\nmode = "revers"', "listeners[0].mode: 'revers' is not known (is reverse meant?)"),
        ('listen = "tcp:80"\npool = "ap"', "listeners[0].pool: there is no pool 'ap' (is app meant?); accepted: app,"),
        ('listen = "tcp:80"\npool = "db"', "listeners[0].pool: pool 'db' has upstreams such as HOST:PORT, for tcp"),
        (TCP + 'pool = "app"', "listeners[0].pool: pool 'app' has upstreams such as URLs"),
        (TCP + 'sni = { a = "x" }', "listeners[0].sni.a: there is no pool 'x'"),
        (TCP + 'sni = { "*" = "db" }', "listeners[0].sni: '*' is no host pattern: an asterisk stands in front"),
        (TCP + 'sni = { "a.b" = "db", "A.B" = "db" }', "listeners[0].sni: 'A.B' and 'a.b' are for the same hosts"),
        (APP + 'routes = "x"', "listeners[0].routes: there is no route 'x'; accepted: none, as"),
        (APP + 'sni = {}', "listeners[0].sni: no such key"),
        (APP + 'allow_hosts = []', "listeners[0].allow_hosts: no such key"),
        ('listen = "tcp:80"\nmode = "forward"\npool = "app"', "listeners[0].pool: no such key"),
        (APP + 'name = ""', "listeners[0].name: '' is no text"),
        (APP + 'proxy_protocol = true', "listeners[0].proxy_protocol: it needs trusted_proxies"),
        (APP + 'trusted_proxies = "a"', "listeners[0].trusted_proxies: 'a' is no network"),
        (APP + 'via = "a b"', "listeners[0].via: 'a b' is no pseudonym"),
        (APP + 'host = "a b"', "listeners[0].host: 'a b': not a host and port"),
        (APP + 'split_by = "x"', "listeners[0].split_by: 'x' is not known; accepted: chance"),
        (APP + 'error_pages = { 503 = "no" }', "listeners[0].error_pages.503: "),
        (APP + 'error_pages = { 200 = "a.pem" }', "listeners[0].error_pages.200: no status of"),
        (APP + 'limits = { idle = 1 }', "listeners[0].limits.idle: no such key (is idle_timeout"),
        (APP + 'limits.max_header_size = 1', "listeners[0].limits.max_header_size: 1 is too"),
        (APP + 'limits.max_target_size = 0', "listeners[0].limits.max_target_size: 0 is too little for any target"),
        (APP + 'limits.max_target_size = "65k"', "listeners[0].limits.max_target_size: 66560 is more than a head"),
        (APP + 'limits.max_fields = 0', "listeners[0].limits.max_fields: 0 cannot be"),
        (APP + 'tolerate = "all"', "listeners[0].tolerate: 'all' is not known; accepted: bare-lf"),
        (FORWARD + 'allow_clients = "x"', "listeners[0].allow_clients: 'x' is no network"),
        (FORWARD + 'allow_ports = [0]', "listeners[0].allow_ports[0]: 0 is no port"),
        (FORWARD + 'allow_ports = [true]', "listeners[0].allow_ports[0]: True is no port"),
        (FORWARD + 'allow_destinations = "1.2.3.4/x"', "listeners[0].allow_destinations: "),
        (FORWARD + 'allow_hosts = "a*b"', "listeners[0].allow_hosts: 'a*b' is no host pattern"),
        (FORWARD + 'forwarded_for = "x"', "listeners[0].forwarded_for: 'x' is no way"),
        ('tls_listen = "tcp:80"\npool = "app"', "listeners[0].tls_listen: it needs certificates; accepted is"),
        (APP + 'tls = {}', "listeners[0].tls: it needs certificates; accepted is"),
        (APP + 'certificates = { cert = "a.pem", key = "a.key" }',
         "listeners[0].certificates: nothing is served with them; accepted is tls_listen with them"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_one_line(faults, certificates, text, said):
    found = faults(f"[[listeners]]\n{text}\n{POOLS}")
    assert len(found) == 1, found
    assert found[0].partition(": ")[2].startswith(said)
    assert "accepted" in found[0]


PAIR = 'certificates = { cert = "a.pem", key = "a.key" }\n'
TLS = '[[listeners]]\ntls_listen = "tcp:443"\npool = "app"\n'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('certificates = [{ cert = "no.pem" }]', ["certificates[0]: cert DIR/no.pem: No such file or directory"]),
        ('certificates = [{ key = "a.key" }]', ["certificates[0]: cert is missing"]),
        ('certificates = [{ cert = "a.pem" }]', ["certificates[0]: cert DIR/a.pem: no private key can be read"]),
        ('certificates = [1, { cert = 2 }]', ["certificates[0]: 1 is no name", "certificates[1].cert: 2 is no name"]),
        (
            'certificates = [{ cert="a.pem", key="b.key" }, { cert="b.key" }, { cert="b.pem", key="ca.pem" }]',
            [
                "certificates[0]: key DIR/b.key: the key does not belong to the certificate in DIR/a.pem",
                "certificates[1]: cert DIR/b.key: no certificate can be read from it",
                "certificates[2]: key DIR/ca.pem: no private key can be read from it",
            ],
        ),
        (PAIR + 'tls.client_ca = "no"', ["tls.client_ca: DIR/no: No such file"]),
        (PAIR + 'tls.ciphers = "no"', ["tls.ciphers: no: there are no such ciphers; accepted is an Open"]),
        (PAIR + 'tls.min_version = "1.1"', ["tls.min_version: '1.1' is not known"]),
        (PAIR + 'tls.client_auth = "optional"', ["tls.client_auth: there is no"]),
        (PAIR + 'tls.version = 1', ["tls.version: no such key"]),
    ],
)  # fmt: skip
def test_what_is_wrong_with_tls_is_said_of_each_file(faults, certificates, text, said):
    found = faults(f"{TLS}{text}\n{POOLS}")
    assert len(found) == len(said), found
    for line, expected in zip(found, said, strict=True):
        assert line.partition(": ")[2].startswith("listeners[0]." + expected.replace("DIR", str(certificates)))


# -- HTTP/2


TLS_APP = 'listen = "tcp:80"\ntls_listen = "tcp:443"\ncertificates = { cert = "a.pem", key = "a.key" }\n'


@pytest.mark.parametrize(
    ("text", "http2", "h2c", "alpn"),
    [
        ('pool = "app"', True, False, WITH_HTTP2),
        ('pool = "app"\nhttp2 = false', False, False, HTTP1),
        ('pool = "app"\nhttp2 = true\nh2c = true', True, True, WITH_HTTP2),
        ('mode = "forward"', True, False, WITH_HTTP2),
        ('mode = "forward"\nhttp2 = false\nh2c = true', False, True, HTTP1),
        ('mode = "forward"\nprotocols = "socks5"', False, False, HTTP1),
    ],
)
def test_http2_is_offered_and_spoken(listener, certificates, text, http2, h2c, alpn):
    made = listener(TLS_APP + text)
    assert (made.http2, made.h2c, made.tls.alpn) == (http2, h2c, alpn)


def test_a_folder_of_error_pages_is_a_listener_s_own(read, tmp_path):
    for name, page in (("web", "404.html"), ("out", "5xx.html")):
        (tmp_path / name).mkdir()
        (tmp_path / name / page).write_text(page)
    text = '[[listeners]]\nlisten = "1"\npool = "app"\nerror_pages = "web"\n'
    text += '[[listeners]]\nlisten = "2"\nmode = "forward"\nerror_pages = "${OUT:-out}"\n'
    text += '[pools.app]\nupstreams = "http://a"\n'
    assert [one.error_pages for one in read(text).listeners] == [
        (("404", str(tmp_path / "web/404.html")),),
        (("5xx", str(tmp_path / "out/5xx.html")),),
    ]
