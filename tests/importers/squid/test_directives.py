"""Squid's directives beside its access lists, one by one."""

import re

import pytest

from txproxy.config import parse
from txproxy.forward.access.decisions import Outcome, Rules
from txproxy.forward.parents.parent import Kind
from txproxy.forward.request.facts import Facts
from txproxy.importers.squid.translation import translate
from txproxy.wire.headers import Headers
from txproxy.wire.message import RequestHead


class Translated:
    """The translation of some lines, with the notes that are about them."""

    def __init__(self, lines):
        translation = translate(f"http_access allow all\nhttp_port 3128\n{lines}\n", "squid.conf")
        self.toml = translation.toml
        self.notes = [note for note in translation.notes if re.match(r"squid\.conf:\d", note)]
        self.config = parse(self.toml, "proxy.toml")
        self.listener = self.config.listeners[0]
        self.policy = self.listener.policy


def told(lines, *, of="squid.conf:3: "):
    """Why the line could not be taken over."""
    notes = Translated(lines).notes
    assert len(notes) == 1 and notes[0].startswith(of), notes
    return notes[0].removeprefix(of).partition(": ")[2]


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


@pytest.mark.parametrize(
    ("lines", "parents"),
    [
        ("cache_peer p.example parent 3128 0 no-query", ["http://p.example:3128", "direct"]),
        ("cache_peer p.example parent 3128 0 no-query default\nnever_direct allow all", ["http://p.example:3128"]),
        ("cache_peer 2001:db8::1 parent 3128 0 tls\nnever_direct allow all", ["https://[2001:db8::1]:3128"]),
        (
            "cache_peer a parent 1 0\ncache_peer b parent 2 0\ncache_peer c parent 3 0 default\nnever_direct allow all",
            ["http://a:1", "http://b:2;backup", "http://c:3;backup"],
        ),
        (
            "cache_peer a parent 1 0 round-robin weight=3\ncache_peer b parent 2 0 round-robin\n"
            "cache_peer c parent 3 0\nnever_direct allow all",
            ["http://a:1;weight=3", "http://b:2", "http://c:3;backup"],
        ),
        (
            "acl in dstdomain -n .in.example\ncache_peer a parent 1 0\ncache_peer_access a allow in\n"
            "cache_peer_access a deny all",
            ["http://a:1;host=.in.example", "direct;host=.in.example"],
        ),
    ],
)
def test_parents(lines, parents):
    translated = Translated(lines)
    written = translated.toml.split("parents = ")[1].partition("\n\n")[0]
    for parent in parents:
        assert f'"{parent}"' in written
    assert written.count('"') == 2 * len(parents)
    assert ["CONNECT, and what" in note for note in translated.notes] == [True]


def test_credentials_of_parents_are_written_as_a_url_has_them():
    translated = Translated("cache_peer p parent 3128 0 login=us:er@:p@ss:w/ord\nnever_direct allow all")
    parent = next(iter(translated.policy.parents))
    assert parent.kind is Kind.HTTP and parent._login == (b"us", b"er@:p@ss:w/ord")


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        ("cache_peer p sibling 3128 3130", "a sibling is asked for nothing here; parents are"),
        ("cache_peer p parent 80 0 originserver", "originserver makes a reverse proxy: mode = 'reverse' with a pool"),
        ("cache_peer p parent", "a host, its type and two ports are wanted"),
        ("cache_peer_access p allow all", "there is no cache_peer p before it"),
        ("never_direct allow localhost", "taken to be for all: it is not about names of hosts alone"),
        ("always_direct allow CONNECT", "left out: it is not about names of hosts alone"),
        ("always_direct say", "allow or deny, and lists, are wanted"),
        ("prefer_direct on", "parents come first, and direct is the last resort"),
    ],
)
def test_parents_that_are_not_taken_over(lines, why):
    assert told(lines) == why


@pytest.mark.parametrize(
    ("options", "lost"),
    [
        ("login=PASS", "login=PASS"),
        ("login=PASSTHRU", "login=PASSTHRU"),
        ("login=*:secret", "login=*"),
        ("login=secret", "login, which is no USER:PASSWORD"),
        ("login=a%0Db:secret", "login, which is no USER:PASSWORD"),
        ("login=:secret", "login, which is no USER:PASSWORD"),
        ("carp", "carp"),
        ("connection-auth=on", "connection-auth"),
    ],
)
def test_what_a_parent_is_taken_over_without(options, lost):
    notes = Translated(f"cache_peer p parent 3128 0 {options}\nnever_direct allow all").notes
    assert f"squid.conf:3: cache_peer: taken over without {lost}" in notes
    assert not any("secret" in note for note in notes)
    assert "squid.conf:3: cache_peer: taken over without ICP" in Translated("cache_peer p parent 3128 3130").notes


@pytest.mark.parametrize(
    ("login", "is_sent"),
    [
        ("us%40corp:pa%3Ass%%", b"us@corp:pa:ss%"),
        ("a%3Ab:c", b"a:b:c"),
        ("a:b%", b"a:b%"),
        ("a:%zz%4", b"a:%zz%4"),
        ("a:%00b", b"a:%00b"),
        ("a:%%41", b"a:%41"),
        ("a:%C3%A9", b"a:\xc3\xa9"),
        ("a:%e9", b"a:\xe9"),
        ("z\u00e9:x", b"z\xc3\xa9:x"),
    ],
)
def test_escapes_of_a_login_are_those_of_squid(login, is_sent):
    translated = Translated(f"cache_peer p parent 3128 0 login={login}\nnever_direct allow all")
    (parent,) = translated.policy.parents
    assert b":".join(parent._login) == is_sent


PEERS = """
acl in dstdomain -n .in.example
acl shop dstdomain -n .shop.in.example www.in.example
acl net src 192.0.2.0/24
cache_peer a parent 1 0
cache_peer b parent 2 0
"""


def goes(lines, *hosts):
    """Where requests to hosts go: the ports of the parents, 0 for the origin itself, ``denied`` where a rule does."""
    translated = Translated(PEERS + lines + "\nhttp_access allow all")
    found = {}
    for host in hosts:
        head = RequestHead(b"GET", b"/", Headers(()), host.encode(), b"http")
        verdict = Rules(translated.policy.rules).decide(Facts(head, "127.0.0.1", host, 80))
        tried = []
        while verdict.outcome is Outcome.ALLOW:
            parents = translated.policy.parents
            one = parents.choose(host, tried) if parents is not None else None
            if one is None:
                break
            tried.append(one)
        ways = [one.address.port for one in tried] or [0]
        found[host] = ways if verdict.outcome is Outcome.ALLOW else "denied"
    return found


@pytest.mark.parametrize(
    ("lines", "ways"),
    [
        ("", {"x": [1, 2, 0], "in.example": [1, 2, 0]}),
        ("never_direct allow all", {"x": [1, 2]}),
        ("cache_peer_access a deny in", {"x": [1, 2, 0], "in.example": [2, 0], "y.in.example": [2, 0]}),
        ("cache_peer_access a allow in", {"x": [2, 0], "in.example": [1, 2, 0]}),
        ("cache_peer_access a allow in\ncache_peer_access a deny all", {"x": [2, 0], "in.example": [1, 2, 0]}),
        (
            "cache_peer_access a deny shop\ncache_peer_access a allow in\ncache_peer_access a deny all",
            {"x": [2, 0], "in.example": [1, 2, 0], "www.in.example": [2, 0], "v.www.in.example": [1, 2, 0],
             "y.shop.in.example": [2, 0]},
        ),
        (
            "never_direct allow in\ncache_peer_access a deny in\ncache_peer_access b deny in",
            {"x": [1, 2, 0], "in.example": "denied"},
        ),
        ("never_direct allow in", {"x": [1, 2, 0], "in.example": [1, 2]}),
        ("never_direct deny in\nnever_direct allow all", {"x": [1, 2], "in.example": [1, 2, 0]}),
        ("always_direct allow in", {"x": [1, 2, 0], "in.example": [0], "y.in.example": [0], "yin.example": [1, 2, 0]}),
        ("always_direct allow in\nnever_direct allow all", {"x": [1, 2], "in.example": [0]}),
        ("always_direct deny shop\nalways_direct allow in", {"www.in.example": [1, 2, 0], "v.www.in.example": [0]}),
        ("always_direct allow all", {"x": [0]}),
        (
            "cache_peer_access a allow in\ncache_peer_access b allow in\nnever_direct allow all",
            {"x": "denied", "in.example": [1, 2]},
        ),
        (
            "cache_peer_access a deny all\ncache_peer_access b allow shop\nnever_direct allow all",
            {"x": "denied", "in.example": "denied", "www.in.example": [2], "y.shop.in.example": [2]},
        ),
        # What cannot be told from the host alone is for nobody, but never_direct is for all.
        ("cache_peer_access a allow net", {"x": [2, 0]}),
        ("cache_peer_access a deny net", {"x": [1, 2, 0]}),
        ("never_direct allow net", {"x": [1, 2]}),
    ],
)  # fmt: skip
def test_requests_go_the_way_that_squid_would_send_them(lines, ways):
    assert goes(lines, *ways) == ways


def test_what_is_said_of_ways_is_noted():
    assert told(PEERS + "always_direct allow all", of="squid.conf:7: ") == (
        "always_direct leaves nothing to any peer: there are no parents"
    )
    assert not Translated(PEERS + "nonhierarchical_direct off\nprefer_direct off").notes
    lines = "cache_peer_access a deny all\ncache_peer_access b deny all\nnever_direct allow all"
    notes = Translated(PEERS + lines).notes
    assert any("is denied by a rule (403), and not tried (503)" in note for note in notes)


def test_hosts_without_a_parent():
    translated = Translated(
        "acl in dstdomain -n .in.example intranet\nacl net dst 10.0.0.0/8\nalways_direct allow in\n"
        "always_direct allow net\nalways_direct deny all\ncache_peer p parent 1 0\nnonhierarchical_direct off"
    )
    assert translated.policy.no_proxy == ("10.0.0.0/8",)
    assert [parent.name for parent in translated.policy.parents] == ["http://p:1", "direct", "direct"]
    assert [note.split(": ")[0] for note in translated.notes] == ["squid.conf:6"]


def test_where_to_connect_from():
    translated = Translated(
        "acl in dstdomain -n .in.example\ntcp_outgoing_address 192.0.2.1 in\ntcp_outgoing_address 192.0.2.2"
    )
    (bind,) = translated.policy.binds
    assert (translated.policy.bind, bind.address, bind.hosts) == ("192.0.2.2", "192.0.2.1", (".in.example",))
    assert told("tcp_outgoing_address host.example") == "host.example is no address"
    assert told("tcp_outgoing_address 192.0.2.1 CONNECT") == "it is not about names of hosts alone"


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
        ("access_log none", None),
        ("access_log /var/log/a.log combined", "/var/log/a.log"),
        ("access_log stdio:/var/log/a.log logformat=combined", "/var/log/a.log"),
        ("access_log daemon:/var/log/a.log combined", "/var/log/a.log"),
        ("cache_access_log /var/log/a.log combined", "/var/log/a.log"),
        ("", "-"),
    ],
)
def test_the_log_of_access(line, access):
    translated = Translated(line)
    assert translated.config.access_log == access and not translated.notes


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("access_log syslog:local1.info squid", "syslog:local1.info is no file"),
        ("access_log udp://h:1 squid", "udp://h:1 is no file"),
        ("access_log /a.log", "taken over in the format combined, and not squid"),
        ("access_log /a.log mine", "taken over in the format combined, and not mine"),
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
        ("cache_dir rock /var/spool", "a kind of store, its folder and its size are wanted"),
    ],
)
def test_what_is_no_limit(line, why):
    assert told(line) == why.strip() or told(line) == why


@pytest.mark.parametrize("name", ['a"b', "a\\b", "a'b\\c", "tab\there", "Zoë", "a]b", "a#x", "a\nb = 1"])
def test_what_is_written_is_read_as_it_was(name):
    translation = translate(f"http_port 3128\naccess_log /none/{name}\n", f"{name}.conf")
    written = parse(translation.toml, "proxy.toml")
    assert written.access_log == f"/none/{name.split()[0]}"
