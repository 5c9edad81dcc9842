"""The PAC file: what is in it, by a JavaScript that runs it, and who gets it."""

import json
import subprocess

import pytest

from tests.integration.conftest import need
from txproxy import ForwardPolicy, ForwardProxyFactory
from txproxy.forward.pac import pac_file
from txproxy.forward.parents.no_proxy import NoProxy
from txproxy.testing import ProxyInMemory

HERE = "PROXY proxy.example:3128"
GET = b"GET /proxy.pac HTTP/1.1\r\nHost: proxy.example:3128\r\n\r\n"


def evaluate(text, urls):
    """What the PAC file ``text`` says of each of ``urls``, as a browser asks it: with nothing else defined."""
    script = (
        "const vm = require('vm'); const box = vm.createContext({});"
        f"vm.runInContext({json.dumps(text.decode('ascii'))}, box);"
        f"console.log(JSON.stringify({json.dumps(urls)}.map(([url, host]) =>"
        " vm.runInContext(`FindProxyForURL(${JSON.stringify(url)}, ${JSON.stringify(host)})`, box))));"
    )
    done = subprocess.run([need("node"), "-e", script], capture_output=True, timeout=60, check=True)
    return json.loads(done.stdout)


EXCEPTIONS = [
    "corp.example",
    "*.lab.example",
    "ports.example:8443",
    "10.0.0.0/8",
    "192.0.2.7",
    "172.16.0.1:81",
    "fd00::/9",
    "2001:db8::7",
    "0.0.0.0/32",
]


def test_what_it_says():
    expected = {
        "http://www.example/": False,
        "http://intranet/": True,
        "http://localhost:8000/": True,
        "http://127.0.0.1/": True,
        "http://[::1]/": True,
        "http://127.0.0.1.example/": False,
        "http://corp.example/": True,
        "https://WWW.Corp.Example./x?y": True,
        "http://notcorp.example/": False,
        "http://corp.example.org/": False,
        "http://lab.example/": False,
        "http://a.b.lab.example/": True,
        "https://ports.example:8443/": True,
        "https://ports.example/": False,
        "https://u:8443@ports.example/": False,
        "http://10.255.0.1/": True,
        "http://11.0.0.1/": False,
        "http://10.0.0.1.example/": False,
        "http://10.0.0.999/": False,
        "http://192.0.2.7/": True,
        "http://192.0.2.70/": False,
        "http://172.16.0.1:81/": True,
        "http://172.16.0.1/": False,
        "http://0.0.0.0/": True,
        "http://0.0.0.1/": False,
        "http://[fd00::1]/": True,
        "http://[fd7f::]/": True,
        "http://[fd80::]/": False,
        "http://[2001:DB8:0:0::7]:81/": True,
        "http://[2001:db8::0.0.0.7]/": True,
        "http://[2001:db8::8]/": False,
        "http://[::ffff:10.0.0.1]/": True,
        "http://[::ffff:a00:1]/": True,
        "http://[::ffff:b00:1]/": False,
        "wss://www.example/": False,
    }
    urls = []
    for url in expected:
        authority = url.partition("://")[2].partition("/")[0].rpartition("@")[2]
        host = authority.partition("]")[0].strip("[") if authority.startswith("[") else authority.partition(":")[0]
        # Browsers differ in whether they leave the brackets.
        urls += [[url, host], [url, f"[{host}]" if authority.startswith("[") else host]]
    said = evaluate(pac_file(HERE, NoProxy(EXCEPTIONS)), urls)
    assert dict(zip(expected, said[::2], strict=True)) == {
        url: "DIRECT" if direct else HERE for url, direct in expected.items()
    }
    assert said[::2] == said[1::2]


def test_without_exceptions():
    text = pac_file("HTTPS [::1]:3129", NoProxy())
    assert evaluate(text, [["http://a.example/", "a.example"], ["http://a/", "a"]]) == ["HTTPS [::1]:3129", "DIRECT"]
    assert text.count(b"\n") < 10


def test_it_looks_up_no_name():
    text = pac_file(HERE, NoProxy(EXCEPTIONS)).decode()
    assert not [function for function in ("isInNet", "dnsResolve", "isResolvable", "myIpAddress") if function in text]


# -- who gets it


@pytest.fixture
def make():
    made = []

    def make(**policy):
        proxy = ProxyInMemory(lambda reactor: ForwardProxyFactory(ForwardPolicy(**policy), reactor=reactor))
        made.append(proxy)
        return proxy

    yield make
    for proxy in made:
        proxy.close()


def ask(proxy, request=GET, scheme="http"):
    proxy.factory.scheme = scheme
    client = proxy.connect()
    client.send(request)
    head, _, body = client.received.partition(b"\r\n\r\n")
    return head, body


def test_it_is_served_in_the_words_of_who_asks(make):
    proxy = make(no_proxy=["corp.example"])
    head, body = ask(proxy)
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"\r\nContent-Type: application/x-ns-proxy-autoconfig\r\n" in head
    assert body == pac_file(HERE, NoProxy(["corp.example"]))
    assert not proxy.network.dialed


@pytest.mark.parametrize(
    ("scheme", "host", "answer"),
    [
        ("http", b"10.0.0.1", b'"PROXY 10.0.0.1:80"'),
        ("https", b"proxy.example", b'"HTTPS proxy.example:443"'),
        ("https", b"[2001:db8::1]:3129", b'"HTTPS [2001:db8::1]:3129"'),
    ],
)
def test_the_proxy_is_called_what_the_client_calls_it(make, scheme, host, answer):
    assert b"return " + answer in ask(make(), GET.replace(b"proxy.example:3128", host), scheme)[1]


def test_without_a_host_it_is_the_address_that_was_connected_to(make):
    assert b'"PROXY 127.0.0.1:8080"' in ask(make(), b"GET /proxy.pac HTTP/1.0\r\n\r\n")[1]


def test_a_query_changes_nothing_and_head_has_no_body(make):
    assert ask(make(), GET.replace(b".pac", b".pac?x=1"))[1] == ask(make())[1]
    head, body = ask(make(), GET.replace(b"GET", b"HEAD"))
    assert head.startswith(b"HTTP/1.1 200 ") and not body


def test_the_connection_is_used_on(make):
    proxy = make()
    client = proxy.connect()
    client.send(GET + GET)
    assert client.received.count(b"HTTP/1.1 200 OK") == 2


@pytest.mark.parametrize("host", [b"a;b", b"a'b", b"a$b", b"a%22b", b"a(b)"])
def test_no_name_becomes_more_than_a_name(make, host):
    head, _ = ask(make(), GET.replace(b"proxy.example", host))
    assert head.startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize(
    ("policy", "request_bytes", "status"),
    [
        ({"allow_clients": ["192.0.2.0/24"]}, GET, 403),
        ({"pac": False}, GET, 400),
        ({}, GET.replace(b"GET", b"DELETE"), 405),
        ({}, GET.replace(b"/proxy.pac", b"/proxy.pacx"), 400),
        ({}, GET.replace(b"/proxy.pac", b"/"), 400),
    ],
)
def test_others_do_not_get_it(make, policy, request_bytes, status):
    head, body = ask(make(**policy), request_bytes)
    assert int(head.split(b" ")[1]) == status and b"FindProxy" not in body


def test_a_pac_file_of_an_origin_is_the_origins(make):
    proxy = make()
    ask(proxy, b"GET http://example.com/proxy.pac HTTP/1.1\r\nHost: example.com\r\n\r\n")
    assert len(proxy.network.dialed) == 1
