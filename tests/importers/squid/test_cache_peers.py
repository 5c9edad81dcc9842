"""Squid's peers: which parents they become, and which way requests go."""

import pytest

from tests.importers.squid.directive_lines import Translated, told
from txproxy.forward.access.decisions import Rules
from txproxy.forward.parents.parent import Kind
from txproxy.forward.request.facts import Facts
from txproxy.interfaces.answers import Outcome
from txproxy.wire.headers import Headers
from txproxy.wire.message import RequestHead


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
    parent = next(iter(translated.policy.parents.made()))
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
    (parent,) = translated.policy.parents.made()
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
    parents = translated.policy.parents.made() if translated.policy.parents is not None else None
    for host in hosts:
        head = RequestHead(b"GET", b"/", Headers(()), host.encode(), b"http")
        verdict = Rules(translated.policy.rules).decide(Facts(head, "127.0.0.1", host, 80))
        tried = []
        while verdict.outcome is Outcome.ALLOW:
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
    assert [parent.name for parent in translated.policy.parents.made()] == ["http://p:1", "direct", "direct"]
    assert [note.split(": ")[0] for note in translated.notes] == ["squid.conf:6"]


def test_where_to_connect_from():
    translated = Translated(
        "acl in dstdomain -n .in.example\ntcp_outgoing_address 192.0.2.1 in\ntcp_outgoing_address 192.0.2.2"
    )
    (bind,) = translated.policy.binds
    assert (translated.policy.bind, bind.address, bind.hosts) == ("192.0.2.2", "192.0.2.1", (".in.example",))
    assert told("tcp_outgoing_address host.example") == "host.example is no address"
    assert told("tcp_outgoing_address 192.0.2.1 CONNECT") == "it is not about names of hosts alone"
