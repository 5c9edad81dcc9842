"""Squid's directives beside its access lists, one by one."""

import pytest

from tests.importers.squid.directive_lines import Translated, told
from txproxy.config import parse
from txproxy.importers.squid.translation import translate


@pytest.mark.parametrize(
    ("port", "endpoint"),
    [
        ("8080", "[::]:8080"),
        ("127.0.0.1:8080", "tcp:8080:interface=127.0.0.1"),
        ("192.0.2.1:8080 name=main", "tcp:8080:interface=192.0.2.1"),
        ("[::1]:8080", r"tcp6:8080:interface=\:\:1"),
    ],
)
def test_ports(port, endpoint):
    translated = Translated(f"http_port {port}")
    assert translated.listener.listen == ("[::]:3128", endpoint)
    assert not translated.notes


@pytest.mark.parametrize("mode", ["intercept", "transparent", "tproxy", "accel vhost", "ssl-bump cert=/x"])
def test_ports_at_which_clients_do_not_know_of_a_proxy_are_left_out(mode):
    translated = Translated(f"http_port 8080 {mode}")
    assert translated.listener.listen == ("[::]:3128",)
    assert "is not done" in translated.notes[0]


def test_a_port_at_a_name_is_left_out():
    assert told("http_port proxy.example:8080") == (
        "proxy.example is a name; an address of this machine is wanted, such as 127.0.0.1:8080"
    )


@pytest.mark.parametrize("port", ["http", "0", "99999", "127.0.0.1:x", ""])
def test_what_is_no_port(port):
    assert told(f"http_port {port}").endswith(" is no port")


def test_a_port_inside_tls():
    translation = translate("https_port 3129 tls-cert=/etc/squid/c.pem tls-key=/etc/squid/k.pem", "squid.conf")
    assert 'tls_listen = ["[::]:3129"]' in translation.toml
    assert 'certificates = [{ cert = "/etc/squid/c.pem", key = "/etc/squid/k.pem" }]' in translation.toml
    assert "listen = " not in translation.toml.replace("tls_listen = ", "")
    assert told("https_port 3129") == "it has no certificate"


@pytest.mark.parametrize("mode", ["on", "off", "transparent", "delete"])
def test_forwarded_for(mode):
    assert Translated(f"forwarded_for {mode}").policy.forwarded_for == mode


def test_forwarded_for_is_never_more_than_it_was():
    translated = Translated("forwarded_for truncate")
    assert translated.policy.forwarded_for == "delete" and len(translated.notes) == 1
    assert Translated("").policy.forwarded_for == "on"


@pytest.mark.parametrize(
    ("lines", "via"),
    [
        ("", "txproxy"),
        ("via off", None),
        ("via on", "txproxy"),
        ("visible_hostname proxy.example", "proxy.example"),
        ("visible_hostname proxy.example\nvia off", None),
        ("request_header_access Via deny all", None),
    ],
)
def test_via(lines, via):
    assert Translated(lines).policy.via == via


def test_fields_that_are_removed_and_replaced():
    translated = Translated(
        "request_header_access Referer deny all\nrequest_header_access User-Agent deny all\n"
        "request_header_access Cookie allow all\nrequest_header_replace User-Agent Mozilla/5.0 (none)\n"
        "request_header_replace From nobody\nreply_header_access Server deny all\n"
        "request_header_access X-Forwarded-For deny all"
    )
    (privacy,) = translated.policy.privacy
    assert (privacy.remove, privacy.replace) == (("Referer",), (("User-Agent", "Mozilla/5.0 (none)"),))
    assert privacy.keep is None and privacy.remove_from_responses == ("Server",)
    assert translated.policy.forwarded_for == "delete"
    assert not translated.notes


def test_fields_of_which_only_some_are_kept():
    translated = Translated(
        "request_header_access Accept allow all\nrequest_header_access Host allow all\n"
        "request_header_access Content-Type allow all\nrequest_header_access All deny all\n"
        "request_header_replace User-Agent none"
    )
    (privacy,) = translated.policy.privacy
    assert (privacy.keep, privacy.replace) == (("Accept", "Content-Type"), (("User-Agent", "none"),))


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("request_header_access Referer deny localhost", "privacy is by hosts, and not by other lists"),
        ("request_header_access Other deny all", "fields have to be named, or all others removed by keep"),
        ("request_header_access Connection deny all", "Connection is for the proxy itself to say, for each hop anew"),
        ("request_header_access", "it says too little"),
        ("reply_header_access All deny all", "fields of responses are removed by name, for all"),
        ("forwarded_for perhaps", "perhaps is not known"),
        ("visible_hostname a/b", "a/b is no pseudonym for Via"),
        ("auth_param ntlm program /usr/bin/ntlm_auth", "ntlm is not taken over"),
        ("auth_param basic program /usr/lib/squid/basic_pam_auth", "basic_pam_auth is not asked"),
        ('auth_param basic realm "x"', "the realm has characters that a realm cannot have"),
        ("auth_param basic casesensitive off", "names are told apart by case"),
        ("auth_param basic blankpassword on", "blankpassword is not taken over"),
    ],
)
def test_what_origins_or_clients_are_told_that_is_not_taken_over(line, why):
    assert told(line).startswith(why)


@pytest.mark.parametrize(
    ("line", "access"),
    [
        ("access_log none", (None, "combined")),
        ("access_log /var/log/a.log combined", ("/var/log/a.log", "combined")),
        ("access_log stdio:/var/log/a.log logformat=combined", ("/var/log/a.log", "combined")),
        ("access_log daemon:/var/log/a.log combined", ("/var/log/a.log", "combined")),
        ("cache_access_log /var/log/a.log combined", ("/var/log/a.log", "combined")),
        ("access_log /var/log/a.log", ("/var/log/a.log", "squid")),
        ("access_log stdio:/var/log/a.log squid", ("/var/log/a.log", "squid")),
        ("", ("-", "combined")),
    ],
)
def test_the_log_of_access(line, access):
    translated = Translated(line)
    config = translated.config
    assert (config.access_log, config.access_log_format) == access and not translated.notes


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("access_log syslog:local1.info squid", "syslog:local1.info is no file"),
        ("access_log udp://h:1 squid", "udp://h:1 is no file"),
        ("access_log /a.log mine", "taken over in the format squid, and not mine; access_format may say"),
        ("access_log /a.log combined CONNECT", "taken over for all requests"),
    ],
)
def test_what_a_log_is_not(line, why):
    assert told(line).startswith(why)


def test_there_is_one_log():
    translated = Translated("access_log /a.log combined\naccess_log /b.log combined")
    assert translated.config.access_log == "/a.log"
    assert translated.notes == ["squid.conf:4: access_log: there is one log of access"]


@pytest.mark.parametrize(
    ("line", "key", "value"),
    [
        ("client_ip_max_connections 8", "max_connections_per_client", 8),
        ("client_ip_max_connections -1", "max_connections_per_client", None),
        ("connect_timeout 1 minute", "connect_timeout", 60),
        ("connect_timeout 500 milliseconds", "connect_timeout", 0.5),
        ("read_timeout 15 minutes", "response_timeout", 900),
        ("request_timeout 90", "header_timeout", 90),
        ("client_idle_pconn_timeout 2 weeks", "idle_timeout", 1209600),
        ("shutdown_lifetime 5 seconds", "drain_timeout", 5),
        ("shutdown_lifetime 0", "drain_timeout", 30),
        ("request_header_max_size 32 KB", "max_header_size", 32768),
        ("request_body_max_size 10 MB", "max_body_size", 10 << 20),
        ("request_body_max_size 0", "max_body_size", None),
        ("request_body_max_size 1000 bytes", "max_body_size", 1000),
    ],
)
def test_limits(line, key, value):
    translated = Translated(line)
    assert getattr(translated.listener.limits, key) == value and not translated.notes


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("connect_timeout soon", "soon is no time"),
        ("connect_timeout 5 lightyears", "5 lightyears is no time"),
        ("connect_timeout", " is no time"),
        ("request_body_max_size much", "much is no size"),
        ("client_ip_max_connections many", "it is no number"),
        ("cache_mem 256 sheets", "256 sheets is no size"),
        ("maximum_object_size much", "much is no size"),
        ("cache_dir rock /var/spool", "nothing is no size in MB"),
    ],
)
def test_what_is_no_limit(line, why):
    assert told(line) == why.strip() or told(line) == why


@pytest.mark.parametrize("name", ['a"b', "a\\b", "a'b\\c", "tab\there", "Zoë", "a]b", "a#x", "a\nb = 1"])
def test_what_is_written_is_read_as_it_was(name):
    translation = translate(f"http_port 3128\naccess_log /none/{name}\n", f"{name}.conf")
    written = parse(translation.toml, "proxy.toml")
    assert written.access_log == f"/none/{name.split()[0]}"
