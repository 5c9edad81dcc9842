"""Where nginx listens, and for which hosts."""

import pytest

from tests.importers.nginx.imported import imported
from txproxy.errors import ConfigError
from txproxy.importers.nginx.listening import place_of
from txproxy.importers.notes import Untranslatable


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("80", ("0.0.0.0", "80")), ("*:81", ("0.0.0.0", "81")), ("127.0.0.1", ("127.0.0.1", "80")),
        ("127.0.0.1:82", ("127.0.0.1", "82")), ("localhost:83", ("127.0.0.1", "83")), ("[::]:84", ("[::]", "84")),
        ("[::1]", ("[::1]", "80")), ("unix:/run/x.sock", ("/run/x.sock", "")),
    ],
)  # fmt: skip
def test_addresses_and_ports(text, place):
    assert place_of(text) == place


@pytest.mark.parametrize("text", ["", "www.example:80", "127.0.0.1:99999", "x"])
def test_what_is_no_place_is_told(text):
    with pytest.raises(Untranslatable):
        place_of(text)


def endpoints(lines):
    found = imported(lines, checked=False)
    return [(one.get("listen"), one.get("tls_listen")) for one in found.listeners], found


def test_sockets_with_the_same_servers_are_one_listener():
    found, _ = endpoints("server { listen 80; listen [::]:80; listen 8080; return 204; }")
    assert found == [(["[::]:80", "0.0.0.0:8080"], None)]
    found, whole = endpoints("server { listen [::]:81; return 204; }")
    assert found == [(["[::]:81"], None)] and whole.notes == ["listen: [::] is IPv4 as well here"]


def test_a_server_without_a_place_has_port_80():
    assert endpoints("server { return 204; }")[0] == [(["0.0.0.0:80"], None)]


def test_plain_and_tls_are_two():
    tls = "ssl_certificate a.pem; ssl_certificate_key b.pem;"
    found, whole = endpoints(f"server {{ listen 80; listen 443 ssl; {tls} return 204; }}")
    assert found == [(["0.0.0.0:80"], None), (None, ["0.0.0.0:443"])]
    assert whole.listeners[1]["certificates"] == [{"cert": "/etc/nginx/a.pem", "key": "/etc/nginx/b.pem"}]
    assert whole.listeners[1]["http2"] is False and "http2" not in whole.listeners[0]
    assert [route["listeners"] for route in whole.routes] == [["plain 80"], ["tls 443"]]
    assert not endpoints(f"server {{ listen 443 ssl http2; {tls} return 204; }}")[1].listeners[0].get("http2")


def test_tls_is_as_the_server_for_other_hosts_says():
    lines = (
        "ssl_certificate a; ssl_certificate_key b; ssl_protocols TLSv1.3; ssl_ciphers HIGH; ssl_client_certificate c;"
        "ssl_verify_client optional; ssl_verify_depth 2;"
    )
    (one,) = endpoints(f"server {{ listen 443 ssl; {lines} return 204; }}")[1].listeners
    client = {"client_ca": "/etc/nginx/c", "client_auth": "optional", "client_depth": 2}
    assert one["tls"] == {"min_version": "1.3", "ciphers": "HIGH", **client}
    lines = "ssl_certificate a; ssl_certificate_key b; ssl_protocols TLSv1.1 TLSv1.2;"
    notes = endpoints(f"server {{ listen 443 ssl; {lines} return 204; }}")[1].notes
    assert "ssl_protocols: TLSv1.1 is not spoken here: it is 1.2 at least" in notes
    assert "ssl_protocols: TLSv1.3 is spoken as well" in notes


def test_servers_that_take_certificates_of_different_authorities_are_closed():
    tls = "listen 443 ssl; ssl_certificate a; ssl_certificate_key b;"
    lines = "".join(
        f"server {{ {tls} server_name {name}.example; {more} location / {{ proxy_pass http://127.0.0.1:1; }} }}"
        for name, more in (
            ("a", "ssl_client_certificate one.pem; ssl_verify_client on;"),
            ("b", "ssl_client_certificate two.pem; ssl_verify_client on;"),
            ("c", ""),
        )
    )
    _, found = endpoints(lines)
    assert "tls" not in found.listeners[0]
    assert [(one.get("hosts"), one.get("respond"), "pool" in one) for one in found.routes] == [
        (None, 403, False), (["b.example"], 403, False), (["c.example"], None, True)
    ]  # fmt: skip
    why = (
        "ssl_verify_client: a listener has one file of authorities, and these are /etc/nginx/one.pem and "
        "/etc/nginx/two.pem: its server answers 403"
    )
    assert found.notes == [why]
    _, found = endpoints(lines.replace("two.pem", "one.pem"))
    assert found.listeners[0]["tls"]["client_auth"] == "require" and all("pool" in one for one in found.routes)


def test_a_listener_without_a_certificate_is_left_out():
    with pytest.raises(ConfigError, match="no server in it that can be taken over"):
        imported("server { listen 443 ssl; return 204; }")


NAMES = """
server {{ listen 80; server_name first.example; return 201; }}
server {{ listen 80 {}; server_name {}; return 202; }}
"""


@pytest.mark.parametrize(
    ("names", "hosts"),
    [
        ("a.example B.example", ["a.example", "b.example"]),
        ("*.a.example .b.example", ["*.a.example", ".b.example"]),
        ("www.*", [r"~(?i)www\..+"]),
        (r"~^shop\d+\.example$", [r"~(?i)shop\d+\.example"]),
    ],
)
def test_names_are_hosts_of_routes(names, hosts):
    first, second = sorted(imported(NAMES.format("", names)).routes, key=lambda one: one["respond"])
    assert second["hosts"] == hosts and "hosts" not in first


def test_the_default_server_is_for_all_that_no_other_is_for():
    first, second = imported(NAMES.format("default_server", "_")).routes
    assert first["hosts"] == ["first.example"] and "hosts" not in second


def test_the_default_servers_own_name_comes_before_a_pattern_of_another():
    found = imported(NAMES.format("", "*.example")).routes
    assert [(one.get("hosts"), one["respond"]) for one in found] == [
        (["first.example"], 201), (None, 201), (["*.example"], 202)
    ]  # fmt: skip


def test_a_server_without_a_name_that_clients_use_is_never_asked():
    found = imported(NAMES.format("", "_"))
    assert len(found.routes) == 1 and found.notes == ["server: no host leads to it at plain 80"]


def test_what_is_not_spoken_is_left_out():
    found = imported("server { listen 80; listen 443 quic; return 204; }")
    assert len(found.listeners) == 1 and found.notes == ["listen: it is left out: quic is not spoken here"]
