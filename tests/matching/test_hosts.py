"""Hosts in one spelling, and what host patterns mean in every mode."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from txproxy.errors import ConfigError
from txproxy.forward.access.conditions.condition_types import CONDITION_TYPES
from txproxy.forward.access.destinations import Destinations
from txproxy.forward.blocklists.block_list import parse_list
from txproxy.forward.parents.no_proxy import NoProxy
from txproxy.forward.parents.parent import Parent
from txproxy.forward.parents.selection import Parents
from txproxy.forward.policy import ForwardPolicy
from txproxy.forward.request.privacy import Privacy
from txproxy.forward.request.targets import Bind, Targets
from txproxy.forward.request.url_rewrites import Rewrite
from txproxy.matching.hosts import (
    HostPattern,
    HostPatterns,
    HostTable,
    glob_host,
    host_name,
    is_literal,
    listed_host,
    literal,
    named_host,
    normal_host,
    spellings,
)
from txproxy.matching.url_patterns import UrlGlob
from txproxy.reverse.rewriting.response_rewrite import ResponseRewrite
from txproxy.reverse.routing.matches import Match, host_of
from txproxy.stream.sni_routing import ByName
from txproxy.upstreams.discovery.lookups import HostName, ServiceName

# What people write where a host is meant, and which is none; with what is said of it.
NO_HOSTS = [
    ("", "it is empty"),
    (" ", "it is empty"),
    ("http://a.example", "this is a URL"),
    ("https://a.example/x", "this is a URL"),
    ("a.example/x", "a host has no slash"),
    ("10.0.0.0/8", "a host has no slash"),
    ("fd00::/8", "a host has no slash"),
    ("a.example:443", "a port has no place here"),
    ("a.example:", "a port has no place here"),
    ("[::1]:443", "a port has no place here"),
    ("a.example,b.example", "more than one"),
    ("a.example;b.example", "more than one"),
    ("a.example b.example", "more than one, or has blanks in it"),
    (" a.example", "blanks"),
    ("a.example\n", "blanks"),
    ("a..example", "nothing between two dots"),
    (".", "it is empty"),
    ("..a.example", "nothing between two dots"),
    ("a.example..", "nothing between two dots"),
    ("*", "an asterisk stands in front of a dot"),
    ("*.", "it is empty"),
    ("*a.example", "an asterisk"),
    ("a.*", "an asterisk"),
    ("a.*.example", "an asterisk"),
    ("*.*.example", "an asterisk"),
    ("-a.example", "a name has letters"),
    ("a_b!.example", "a name has letters"),
    ("user@a.example", "a name has letters"),
    ("a%2eexample", "a name has letters"),
    ("~a.example", "a name has letters"),
    ("a" * 64 + ".example", "63 between dots"),
    ("a." * 130 + "example", "at most 253 characters"),
    ("ü" * 70 + ".example", "IDNA has no such name"),
    ("xn--a.example", "no Punycode"),
    ("xn--.example", "no Punycode"),
    ("xn--ü.example", "IDNA has no such name"),
    ("10.0", "of four parts"),
    ("10.0.0.256", "of four parts"),
    ("0x7f.1", "of four parts"),
    ("2130706433", "of four parts"),
    ("a.b.1x", "of four parts"),
    ("010.0.0.1", "of four parts"),
    ("*.10.0.0.1", "an address has nothing below it"),
    (".::1", "an address has nothing below it"),
    ("::x", "no IPv6 address"),
    ("[::1", "no IPv6 address"),
    ("::1]", "no IPv6 address"),
    ("[10.0.0.1]", "no IPv6 address"),
    ("fe80::1%eth0", "no IPv6 address"),
    ("\ud800.example", "IDNA has no such name"),
]


@pytest.mark.parametrize(
    ("host", "normal"),
    [
        ("Example.COM", "example.com"),
        ("example.com.", "example.com"),
        ("example.com..", "example.com"),
        ("%65xample.com", "example.com"),
        ("example.com%2e", "example.com"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("b%C3%BCcher.example", "xn--bcher-kva.example"),
        ("%EF%BC%91%EF%BC%92%EF%BC%97.0.0.1", "127.0.0.1"),  # full-width digits
        ("127%E3%80%820.0.1", "127.0.0.1"),  # an ideographic full stop
        ("127.0.0.1", "127.0.0.1"),
        ("127.1", "127.0.0.1"),
        ("2130706433", "127.0.0.1"),
        ("0x7f000001", "127.0.0.1"),
        ("0x7F.0.0.1", "127.0.0.1"),
        ("0177.0.0.1", "127.0.0.1"),
        ("127.0.0.1.", "127.0.0.1"),
        ("[::1]", "::1"),
        ("0:0:0:0:0:0:0:1", "::1"),
        ("::ffff:7f00:1", "127.0.0.1"),
        ("[2001:DB8::0:1]", "2001:db8::1"),
        # These are no addresses, and stay as they are.
        ("1.2.3.4.5", "1.2.3.4.5"),
        ("::x", "::x"),
        ("a.b.1x", "a.b.1x"),
        ("ü" * 70 + ".example", "ü" * 70 + ".example"),
        ("", ""),
    ],
)
def test_a_host_has_one_spelling(host, normal):
    assert normal_host(host) == normal


@given(st.text(st.characters(codec="ascii", exclude_categories=["C"]), max_size=40))
def test_the_normal_spelling_of_a_host_is_its_own(host):
    normal = normal_host(host)
    if "%" not in normal and "[" not in normal and "]" not in normal:
        assert normal_host(normal) == normal


@pytest.mark.parametrize(
    ("host", "literal"),
    [("192.0.2.1", True), ("2001:db8::1", True), ("example.com", False), ("1.2.3", False), ("a.1x", False)],
)
def test_literals_are_addresses(host, literal):
    assert is_literal(host) is literal


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Example.COM", "example.com"),
        ("example.com.", "example.com"),
        ("localhost", "localhost"),
        ("_dmarc.a_b.example", "_dmarc.a_b.example"),
        ("r1---sn-x.example", "r1---sn-x.example"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("XN--BCHER-KVA.example", "xn--bcher-kva.example"),
        ("xn--strae-oqa.example", "xn--strae-oqa.example"),  # of IDNA 2008, which has the sharp s
        ("127.0.0.1", "127.0.0.1"),
        ("127.0.0.1.", "127.0.0.1"),
        ("::1", "::1"),
        ("[2001:DB8:0::1]", "2001:db8::1"),
        ("[::ffff:127.0.0.1]", "127.0.0.1"),
        ("a" * 63 + ".example", "a" * 63 + ".example"),
    ],
)
def test_a_host_that_is_written_down_is_compared_in_its_normal_form(text, name):
    assert host_name(text) == normal_host(text) == name
    assert str(HostPattern.parse(text)) == name


@pytest.mark.parametrize(("text", "why"), NO_HOSTS, ids=lambda text: ascii(text)[:40])
def test_what_is_no_host_pattern_is_one_line_that_says_why_and_what_is_accepted(text, why):
    with pytest.raises(ConfigError) as raised:
        HostPattern.parse(text)
    said = str(raised.value)
    assert "is no host pattern: " in said and why in said and "\n" not in said and len(said) < 300
    assert said.endswith("accepted are example.com, *.example.com (all below it), .example.com (both) or an address")
    with pytest.raises(ConfigError, match=r"is no host: .*; accepted are example\.com or an address"):
        host_name(text)


def _kind(key):
    return next(kind for kind in CONDITION_TYPES if kind.key == key).parse


# Every place where somebody writes a pattern of hosts.
PLACES = {
    "allow_hosts": lambda text: Targets(allow=[text]),
    "deny_hosts": lambda text: Targets(deny=[text]),
    "rules": _kind("hosts"),
    "privacy": lambda text: Privacy(hosts=[text]),
    "binds": lambda text: Bind(address="192.0.2.1", hosts=[text]),
    "rewrites": lambda text: Rewrite(name="x", to="http://a/", hosts=[text]),
    "routes": lambda text: Match(hosts=[text]),
    "sni": lambda text: ByName({text: "A"}),
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("text", [text for text, _ in NO_HOSTS if text[:1] != "~"], ids=lambda text: ascii(text)[:40])
def test_every_place_refuses_what_is_none(place, text):
    with pytest.raises(ConfigError, match=r"is no host pattern: .*; accepted are"):
        PLACES[place](text)


# Where a slash makes a network, and a semicolon begins the next parameter.
IN_A_GRAMMAR = [text for text, _ in NO_HOSTS if text and "/" not in text and ";" not in text]


@pytest.mark.parametrize("text", IN_A_GRAMMAR, ids=lambda text: ascii(text)[:40])
def test_places_with_a_grammar_around_it_refuse_what_is_none(text):
    with pytest.raises(ConfigError, match="accepted"):
        Parents([f"http://proxy.example;host={text}"])
    with pytest.raises(ConfigError, match="accepted"):
        Destinations([text])


@pytest.mark.parametrize("text", ["http://a", "a:80", "a b", "a,b", "*.a", "..a", "a..b", "-a", "10.0", "10.0.0.0/8"])
def test_cookies_have_domains_that_are_hosts(text):
    for domains in ({"a.example": text}, {text: "a.example"}):
        with pytest.raises(ConfigError, match="is no host: "):
            ResponseRewrite(cookie_domains=domains, map_back=True)


@pytest.mark.parametrize("text", ["a,b", "a..example", "-a.example", "xn--a.example", "10.0", "u@a.example", "::1"])
def test_urls_have_hosts_that_are_some(text):
    with pytest.raises(ConfigError, match="accepted"):
        UrlGlob(f"http://{text}/")


@pytest.mark.parametrize(
    "text", ["http://a", "a..example", "-a.example", "xn--a.example", "10.0", "a.example:x", "10.0.0.0/33", "*"]
)
def test_exceptions_from_a_proxy_are_no_other_names(text):
    with pytest.raises(ConfigError, match=r"accepted are example\.com"):
        NoProxy([text])


@pytest.mark.parametrize("text", [*(text for text, _ in NO_HOSTS), "10.0.0.1", "::1"], ids=ascii)
def test_what_is_looked_up_again_and_again_is_a_name(text):
    for kind in (lambda: HostName(text, 80), lambda: ServiceName(text)):
        with pytest.raises(ConfigError, match=r"is no (host|name).*; accepted is the name of a host or service"):
            kind()


@pytest.mark.parametrize(
    ("host", "named"),
    [
        ("A.Example.", "a.example"),
        ("a.example..", "a.example."),
        ("a%2eexample", "a%2eexample"),
        ("0x7f.1", "0x7f.1"),
        ("2001:DB8:0::1", "2001:db8::1"),
        ("::ffff:127.0.0.1", "127.0.0.1"),
        ("", ""),
    ],
)
def test_a_host_that_is_named_is_not_decoded(host, named):
    assert named_host(host) == named
    assert host_of(f"[{host}]:80".encode() if ":" in host else host.encode()) == named


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("ads.example", "ads.example"),
        (".ads.example", "ads.example"),
        ("*.ads.example", "ads.example"),
        ("10.0.0.1", "10.0.0.1"),
        ("[::1]", "::1"),
        ("*ads.example", None),
        ("http://ads.example", None),
    ],
)
def test_an_entry_of_a_block_list_is_for_all_below_it_however_it_is_written(text, host):
    assert listed_host(text) == host
    found = parse_list("x", [text]).hosts
    assert (host is not None) is (len(found) > 0)
    assert host is None or (found.find(host), found.find(f"x.{host}") is not None) == (host, True)


@pytest.mark.parametrize(
    ("text", "pattern"),
    [
        ("a.example", ".a.example"),
        (".a.example", ".a.example"),
        ("*.a.example", "*.a.example"),
        ("10.0.0.1", "10.0.0.1"),
    ],
)
def test_an_exception_from_a_proxy_is_for_all_below_it_unless_it_says_for_those_alone(text, pattern):
    assert str(HostPattern.parse_exception(text)) == pattern


@pytest.mark.parametrize(
    ("text", "address"),
    [("192.0.2.1", "192.0.2.1"), ("::1", "::1"), ("[::1]", "::1"), ("fe80::1%e0", "fe80::1%e0")],
)
def test_an_address_of_this_machine_is_the_same_everywhere(text, address):
    assert literal(text) == Bind(address=text).address == ForwardPolicy(bind=text).bind == address
    assert Parent(f"http://proxy.example;bind={text}").address.bind == address


@pytest.mark.parametrize("text", ["[192.0.2.1]", "[::1", "::1]", "a.example", "192.0.2", "010.0.0.1", "192.0.2.1/32"])
def test_what_is_no_address_of_this_machine_is_refused(text):
    for place in (
        literal,
        lambda text: Bind(address=text),
        lambda text: ForwardPolicy(bind=text),
        lambda text: Parent(f"http://proxy.example;bind={text}"),
    ):
        with pytest.raises(ConfigError, match="is no address"):
            place(text)


@pytest.mark.parametrize("text", ["*ü.example", "*..example", "ü" * 70 + ".*", "*.\udcfc.example"])
def test_what_no_host_can_be_like_is_refused(text):
    assert glob_host("*.BÜCHER.example.") == "*.xn--bcher-kva.example"
    with pytest.raises(ConfigError, match="is no host: wildcards stand beside ASCII alone"):
        glob_host(text)


ASKED = ["a.example", "b.a.example", "c.b.a.example", "xa.example", "example", ""]
MEANT = [
    ("a.example", ["a.example"]),
    ("*.a.example", ["b.a.example", "c.b.a.example"]),
    (".a.example", ["a.example", "b.a.example", "c.b.a.example"]),
    ("A.Example.", ["a.example"]),
    ("*.A.Example.", ["b.a.example", "c.b.a.example"]),
]


@pytest.mark.parametrize(("text", "meant"), MEANT)
def test_a_pattern_means_the_same_hosts_everywhere(text, meant):
    pattern, patterns, table = HostPattern.parse(text), HostPatterns([text]), HostTable([(text, 1)])
    rule = _kind("hosts")(text)
    assert [host for host in ASKED if pattern.holds(host)] == meant
    assert [host for host in ASKED if host in patterns] == meant
    assert [host for host in ASKED if table.find(host)] == meant
    assert [host for host in ASKED if host in HostPatterns([rule])] == meant
    assert [host for host in ASKED if Privacy(hosts=text).is_for(host)] == meant
    assert [host for host in ASKED if not Match(hosts=text).why_not(host, b"/", None, None)] == meant
    parents = Parents([f"http://proxy.example;host={text}"])
    assert [host for host in ASKED if not parents.choose(host).direct] == meant


@pytest.mark.parametrize(
    ("one", "covered", "other"),
    [
        ("a.example", ["a.example"], ["*.a.example", ".a.example", "b.a.example"]),
        ("*.a.example", ["*.a.example", "b.a.example", ".b.a.example", "*.b.a.example"], ["a.example", ".a.example"]),
        (".a.example", ["a.example", "*.a.example", ".a.example", "b.a.example"], ["xa.example", ".example"]),
    ],
)
def test_a_pattern_covers_those_that_ask_for_less(one, covered, other):
    pattern = HostPattern.parse(one)
    assert [text for text in covered + other if pattern.covers(HostPattern.parse(text))] == covered


def test_patterns_are_asked_for_addresses_as_well():
    patterns = HostPatterns(["[::1]", "127.0.0.1", "10.0.0.1."])
    assert all(host in patterns for host in ("::1", "127.0.0.1", "10.0.0.1"))
    assert "0.0.1" not in patterns


def test_of_a_table_what_says_most_of_a_host_is_found():
    texts = {".a.example": "loose", "a.example": "own", "*.b.a.example": "deep", "*.example": "wide", "::1": "six"}
    table = HostTable(texts.items())
    found = {
        "a.example": "own",
        "x.a.example": "loose",
        "x.b.a.example": "deep",
        "b.a.example": "loose",
        "z.example": "wide",
        "y.z.example": "wide",
        "example": None,
        "::1": "six",
        "": None,
    }
    assert {host: table.find(host) for host in found} == found
    assert HostTable().find("a.example") is None


@pytest.mark.parametrize("texts", [("a.example", "A.example."), ("*.a.example", ".a.example")])
def test_a_table_has_nothing_twice(texts):
    with pytest.raises(ConfigError, match="are for the same hosts; accepted is each once"):
        HostTable([(text, 1) for text in texts])


@pytest.mark.parametrize(
    ("host", "found"),
    [
        ("example.com", ("example.com",)),
        ("192.0.2.1", ("192.0.2.1",)),
        ("2001:db8::1", ("2001:db8::1",)),
        ("64:ff9b::c000:201", ("64:ff9b::c000:201", "192.0.2.1")),
        ("2002:c000:201::", ("2002:c000:201::", "192.0.2.1")),
        (
            "2001:0:4136:e378:8000:63bf:3fff:fdfe",
            ("2001:0:4136:e378:8000:63bf:3fff:fdfe", "65.54.227.120", "192.0.2.1"),
        ),
        ("::1", ("::1",)),
        ("a:b", ("a:b",)),
    ],
)
def test_a_host_is_refused_with_what_it_carries(host, found):
    assert spellings(host) == found
