"""What is well written and does nothing is said at start."""

import pytest

from tests.tls.authority import new_ca
from txproxy.tap import Options

FORWARD = "[[listeners]]\nlisten = 'tcp:3128'\nmode = 'forward'\n"
RULE = "[[listeners.rules]]\naction = 'allow'\n"
TCP = "[[listeners]]\nlisten = 'tcp:5432'\nmode = 'tcp'\npool = 'db'\n"
TCP_POOL = "\n[pools.db]\nupstreams = ['db.example:5432']\n"
REVERSE = "[[listeners]]\nlisten = 'tcp:8080'\npool = 'app'\n"
POOL = "[pools.app]\nupstreams = ['http://a.example']\n"
SECOND = "[[routes]]\nname = 'b'\npool = 'app'\n"
USERS = "auth = { password_file = 'users' }\n"


@pytest.fixture
def doubts(read, tmp_path):
    """The warnings of a text, without file and line."""
    (tmp_path / "users").write_text("bob:$apr1$abcdefgh$" + "." * 22 + "\n")
    (tmp_path / "groups").write_text("staff: bob\n")
    (tmp_path / "list").write_text("ads.example\n")
    (tmp_path / "ca.pem").write_bytes(new_ca().cert_pem)
    return lambda text: [warning.split(": ", 1)[1] for warning in read(text).warnings]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        # users
        (RULE + "users = 'bob'", "rules[0].users: nobody is asked who he is"),
        (RULE + "not_groups = 'x'", "rules[0].not_groups: nobody is asked who he is"),
        (USERS.replace("}", ", by_rules = true }"), "auth.by_rules: no rule names users or groups, so that nobody"),
        (USERS.replace("}", ", group_file = 'groups' }"), "auth.group_file: no rule names groups"),
        (USERS.replace("}", ", digest_secret = 'x' }"), "auth.digest_secret: there is no Digest to use it for"),
        ("auth = { certificate_field = 'cn' }", "auth.certificate_field: no client shows a certificate"),
        # rules
        ("[[listeners.rules]]\naction = 'ask'\nports = 443", "rules[0].action: nobody can answer"),
        ("ask_timeout = 5", "ask_timeout: no rule asks"),
        ("lists = { ads = 'list' }", "lists.ads: no rule names it"),
        (RULE + "ports = 22", "rules[0].ports: allow_ports has none of them for anything"),
        (
            RULE + "ports = 8443\nschemes = 'connect'",
            "rules[0].ports: allow_ports has none of them for tunnels",
        ),
        (
            "allow_ports = 443\n[[listeners.rules]]\naction = 'allow'\nports = '80-90'\nmethods = 'GET'",
            "rules[0].ports: allow_ports has none of them for requests",
        ),
        # hosts
        ("allow_hosts = []", "allow_hosts: there is none in it, so that nothing may be reached"),
        (
            "allow_hosts = ['a.example', 'b.example']\ndeny_hosts = '.b.example'",
            "allow_hosts[1]: b.example is denied by .b.example, and what is denied comes first",
        ),
        ("allow_hosts = 'a.example'\ndeny_hosts = 'c.example'", "deny_hosts[0]: c.example is not among"),
        # HTTP/2
        ("http2 = true", "http2: it is for clients that speak TLS"),
        # ways
        ("no_proxy = 'a.example'\npac = false", "no_proxy: there are no parents, and no PAC file"),
        (
            "[[listeners.inject]]\norigin = 'http://a.example'\nheaders = { X = 'y' }",
            "inject[0].origin: what is injected goes there for all to read",
        ),
        (
            "binds = [{ address = '192.0.2.1' }, { address = '192.0.2.2', hosts = 'a.example' }]",
            "binds[1]: one before it, of 192.0.2.1, is for all that it is for",
        ),
        # fields
        ("[[listeners.privacy]]\nhosts = 'a.example'", "privacy[0]: it changes nothing"),
        ("[[listeners.privacy]]\nremove = ['X', 'Set-Cookie']", "privacy[0].remove: Set-Cookie: requests have no"),
        ("[[listeners.privacy]]\nkeep = 'ETag'", "privacy[0].keep: ETag: requests have no such field"),
        (
            "[[listeners.privacy]]\nremove_from_responses = 'User-Agent'",
            "privacy[0].remove_from_responses: User-Agent: responses have no such field",
        ),
        ("protocols = 'socks5'\ncontent = { max_size = '1M' }", "content: clients of SOCKS ask for tunnels"),
        # who can come
        ("trusted_proxies = '10.0.0.0/8'", "trusted_proxies: there is nothing to believe them here"),
    ],
)  # fmt: skip
def test_what_a_forward_listener_says_to_no_effect(doubts, text, said):
    (found,) = doubts(FORWARD + text)
    assert found.startswith(f"listeners[0].{said}")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (FORWARD.replace("3128", "3128:interface=127.0.0.1") + "allow_clients = '10.0.0.0/8'",
         "listeners[0].allow_clients: it listens on loopback alone"),
        (TCP + "trusted_proxies = '::1'" + TCP_POOL, "listeners[0].trusted_proxies: there is nothing to believe them"),
        (TCP + "limits = { max_body_size = 5, idle_timeout = 5 }" + TCP_POOL, "listeners[0].limits.max_body_size"),
        # pools
        (REVERSE + POOL + "tls = { ca = 'ca.pem' }", "pools.app.tls: no upstream speaks TLS"),
        (REVERSE + POOL.replace("example", "example;backup"), "pools.app.upstreams: all of them are backups"),
        (REVERSE + POOL + "queue = 5", "pools.app.queue: nobody waits, as no upstream has a bound"),
        (REVERSE + POOL + "queue_timeout = 5", "pools.app.queue_timeout: nobody waits"),
        (
            REVERSE + POOL.replace("http:", "https:") + "tls = { ca = 'ca.pem', insecure = true }",
            "pools.app.tls.ca: nothing is verified where insecure is true",
        ),
        (REVERSE + POOL + "health = { kind = 'grpc' }", "pools.app.health.kind: gRPC needs HTTP/2, which not all"),
        (
            REVERSE + POOL.replace("http:", "https:") + "alpn = 'http/1.1'\nhealth = { kind = 'grpc' }",
            "pools.app.health.kind: gRPC needs HTTP/2",
        ),
        # routes
        (REVERSE + POOL + SECOND + "path = '/x'\nweight = 2", "routes[0].weight: no other route matches the same"),
        (REVERSE + "split_by = 'client'\n" + POOL, "listeners[0].split_by: none of its routes share by weight"),
        # bounds
        (
            "[limits]\nstream_window = '17M'\n" + REVERSE + POOL,
            "limits.stream_window: a request has no window of 17825792 where all of its connection have 16777216 ",
        ),
        (
            "[limits]\nstream_window = '1M'\n" + REVERSE + "limits = { connection_window = '64k' }\n" + POOL,
            "listeners[0].limits.connection_window: a request has no window of 1048576",
        ),
        ("[[bandwidths]]\ndown = '1M'\n" + REVERSE + POOL, "bandwidths[0]: it is for forward listeners"),
        ("[[quotas]]\nday = '1G'\nper = 'user'\n" + FORWARD, "quotas[0].per: nobody is asked who he is"),
        (
            "[[quotas]]\nday = '1G'\nper = 'rule'\nonly = ['webb']\n" + FORWARD
            + "[[listeners.rules]]\nname = 'web'\naction = 'allow'",
            "quotas[0].only: there is no rule 'webb' (is web meant?)",
        ),
        ("usage_file = 'u'\n" + FORWARD, "usage_file: nothing is counted"),
    ],
)  # fmt: skip
def test_what_a_file_says_to_no_effect(doubts, text, said):
    (found,) = doubts(text)
    assert found.startswith(said)


@pytest.mark.parametrize(
    "text",
    [
        FORWARD + USERS + RULE + "users = 'bob'",
        FORWARD + "[[listeners.rules]]\naction = 'deny'\nports = 22\n[[listeners.rules]]\naction = 'allow'",
        FORWARD + RULE + "ports = [22, 443]",
        FORWARD + "allow_hosts = '.a.example'\ndeny_hosts = ['x.a.example', '.example']",
        FORWARD.replace("3128", "3128:interface=127.0.0.1") + "allow_clients = ['10.0.0.0/8', '::1']",
        FORWARD + "proxy_protocol = true\ntrusted_proxies = '10.0.0.0/8'",
        FORWARD + "[[listeners.privacy]]\nkeep = []",
        FORWARD + "protocols = 'socks5'\nsafe_search = 'google'",
        FORWARD + "lists = { ads = 'list' }\n[[listeners.rules]]\naction = 'allow'\nnot_hosts = '@ads'",
        "usage_file = 'u'\n[[quotas]]\nday = '1G'\n" + FORWARD,
        "[limits]\nconnection_window = '64k'\n" + REVERSE + "limits = { stream_window = '64k' }\n" + POOL,
        REVERSE + POOL.replace("http:", "h2c:") + "health = { kind = 'grpc' }",
        REVERSE + POOL.replace("http:", "https:") + "alpn = ['h2', 'http/1.1']\nhealth = { kind = 'grpc' }",
        "[admin]\nlisten = 'unix:a'\n" + FORWARD + RULE.replace("allow", "ask"),
        REVERSE + POOL.replace("example", "example;max=5") + "queue = 5",
        "workers = 5\n" + REVERSE + POOL.replace("example", "example;max=5"),
        REVERSE + POOL.replace("example", "example;max=1;weight=2"),
        REVERSE
        + "split_by = 'client'\n"
        + POOL
        + SECOND
        + "weight = 1\n"
        + SECOND.replace("'b'", "'c'")
        + "weight = 2",
        REVERSE + "trusted_proxies = '::1'\n" + POOL + SECOND + "hsts = true",
        TCP + "limits = { idle_timeout = 5 }" + TCP_POOL,
    ],
)
def test_what_has_an_effect_is_not_doubted(doubts, text):
    if "'.example'" in text:
        (found,) = doubts(text)
        assert "is denied by .example" in found
    else:
        assert doubts(text) == []


@pytest.mark.parametrize("key", ["path = '/x'", "method = 'GET'", "expect = 200", "host = 'a'"])
def test_who_is_only_connected_to_is_asked_nothing(doubts, key):
    (found,) = doubts(REVERSE + POOL + f"health = {{ kind = 'connect', {key} }}")
    assert found.startswith(f"pools.app.health.{key.split()[0]}: it is for kind = 'http'")


@pytest.mark.parametrize("key", ["path = '/x'", "method = 'GET'", "expect = 200"])
def test_a_call_of_grpc_has_its_own(doubts, key):
    (found,) = doubts(REVERSE + POOL.replace("http:", "h2c:") + f"health = {{ kind = 'grpc', {key} }}")
    assert found.startswith(f"pools.app.health.{key.split()[0]}: it is for kind = 'http': a call of gRPC")


def test_hosts_to_no_effect_are_told_on_the_command_line_too(capfd):
    Options().parseOptions(
        ["forward", "--allow-host=a.example", "--deny-host=.a.example", "--deny-host=b.example", "--access-log=none"]
    )
    assert capfd.readouterr().err.splitlines() == [
        "txproxy forward: --allow-host: a.example is denied by .a.example, and what is denied comes first",
        "txproxy forward: --deny-host: b.example is not among the allowed hosts anyway",
    ]
