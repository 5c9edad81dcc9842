"""Squid's configuration as ours: what is allowed and denied, what else is taken over, and what is said of the rest."""

import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from txproxy.config import parse
from txproxy.errors import ConfigError
from txproxy.forward.access.conditions.condition_type import Surroundings
from txproxy.forward.access.decisions import Outcome, Rules
from txproxy.forward.request.facts import Facts
from txproxy.importers.squid.translation import translate, translate_file
from txproxy.wire.headers import Headers
from txproxy.wire.message import RequestHead

PATH = "squid.conf"
NOTHING_SPECIAL = "unless allow_destinations has them"
# The first configuration of Squid's own documentation: the local network is allowed, and the rest denied.
CLASSIC = """\
#
# Recommended minimum configuration:
#
acl localnet src 10.0.0.0/8     # RFC1918 possible internal network
acl localnet src 172.16.0.0/12  # RFC1918 possible internal network
acl localnet src 192.168.0.0/16 # RFC1918 possible internal network
acl localnet src fc00::/7       # RFC 4193 local private network range
acl localnet src fe80::/10      # RFC 4291 link-local (directly plugged) machines

acl SSL_ports port 443
acl Safe_ports port 80          # http
acl Safe_ports port 21          # ftp
acl Safe_ports port 443         # https
acl Safe_ports port 70          # gopher
acl Safe_ports port 210         # wais
acl Safe_ports port 1025-65535  # unregistered ports
acl Safe_ports port 280         # http-mgmt
acl Safe_ports port 488         # gss-http
acl Safe_ports port 591         # filemaker
acl Safe_ports port 777         # multiling http
acl CONNECT method CONNECT

http_access allow localhost manager
http_access deny manager
http_access deny !Safe_ports
http_access deny CONNECT !SSL_ports
http_access allow localnet
http_access allow localhost
http_access deny all

http_port 3128
cache_mem 256 MB
cache_dir ufs /var/spool/squid 100 16 256
coredump_dir /var/spool/squid
access_log daemon:/var/log/squid/access.log squid
refresh_pattern ^ftp:           1440    20%     10080
refresh_pattern .               0       20%     4320
"""


class Translated:
    """A translation, read by our own configuration, and its rules."""

    def __init__(self, text, path=PATH):
        translation = translate(text, path)
        self.toml = translation.toml
        self.notes = [note for note in translation.notes if not note.endswith(NOTHING_SPECIAL)]
        self.config = parse(self.toml, "proxy.toml")
        (self.listener,) = self.config.listeners
        self.policy = self.listener.policy

    def verdict(self, *given, **words):
        return self.decide(*given, **words).outcome

    def decide(self, method="GET", url="http://site.example/", client="10.0.0.1", **words):
        moment = datetime.datetime.fromisoformat(words.pop("at", "2026-03-30 12:00"))
        rules = Rules(
            self.policy.rules,
            surroundings=Surroundings(now=lambda: moment),
            authenticates=self.policy.auth is not None,
        )
        return rules.decide(facts(method, url, client, **words))

    def allows(self, *words, **more):
        outcome = self.verdict(*words, **more)
        assert outcome in (Outcome.ALLOW, Outcome.DENY)
        return outcome is Outcome.ALLOW


def facts(method, url, client, user=None, addresses=None, fields=()):
    scheme, _, rest = url.partition("://")
    authority, slash, path = rest.partition("/")
    host, _, port = authority.partition(":")
    lines = [line.encode() for line in fields]
    head = RequestHead(
        method.encode(),
        (slash + path).encode(),
        Headers.from_lines(lines),
        authority.encode(),
        None if method == "CONNECT" else scheme.encode(),
    )
    return Facts(head, client, host, int(port or {"http": 80, "https": 443}[scheme]), user, addresses=addresses)


def rules(access, *acls):
    return Translated("\n".join(["http_port 3128", *acls, *access.strip().splitlines()]))


# -- the first configuration


def test_the_classic_configuration_allows_the_local_network_and_denies_the_rest():
    translated = Translated(CLASSIC)
    assert translated.allows()
    assert translated.allows(client="fd00::1")
    assert translated.allows(client="127.0.0.1")
    assert not translated.allows(client="192.0.2.1")
    assert translated.allows(url="http://site.example:8080/")
    assert not translated.allows(url="http://site.example:25/")
    assert translated.allows("CONNECT", "https://site.example:443")
    assert not translated.allows("CONNECT", "https://site.example:8443")
    assert not translated.allows(url="http://site.example/squid-internal-mgr/info")


def test_the_classic_configuration_listens_and_logs_as_it_did_and_says_what_it_lost():
    translated = Translated(CLASSIC)
    assert translated.listener.listen == ("[::]:3128",)
    assert translated.config.access_log == "/var/log/squid/access.log"
    assert translated.policy.forwarded_for == "on"
    assert '# memory = "256M"' in translated.toml
    assert '# dir = "/var/spool/squid"' in translated.toml and '# size = "100M"' in translated.toml
    assert [note.split(": ")[:2] for note in translated.notes] == [
        ["squid.conf:32", "cache_mem"],
        ["squid.conf:33", "cache_dir"],
        ["squid.conf:34", "coredump_dir"],
        ["squid.conf:35", "access_log"],
        ["squid.conf:36", "refresh_pattern"],
        ["squid.conf:37", "refresh_pattern"],
    ]
    assert not translated.config.warnings


def test_private_destinations_are_closed_until_a_line_is_opened():
    translation = translate(CLASSIC, PATH)
    assert translation.notes[-1].startswith("squid.conf: http_access: loopback, link-local, private")
    opened = parse(translation.toml.replace("# allow_destinations", "allow_destinations"), PATH)
    assert opened.listeners[0].policy.allow_destinations == ("0.0.0.0/0", "::/0")


# -- access lists


def test_the_first_line_that_fits_decides_and_all_lists_of_it_have_to():
    translated = rules(
        "http_access deny here other\nhttp_access allow here\nhttp_access deny all",
        "acl here src 10.0.0.0/8",
        "acl other dstdomain .other.example",
    )
    assert translated.allows()
    assert not translated.allows(url="http://www.other.example/")
    assert not translated.allows(client="192.0.2.1")


@pytest.mark.parametrize(
    ("access", "allowed"),
    [
        ("", False),
        ("http_access allow here", False),
        ("http_access deny here", True),
        ("http_access deny here\nhttp_access allow here", False),
        ("http_access allow here\nhttp_access deny here", True),
    ],
)
def test_what_no_line_is_about_is_the_opposite_of_the_last(access, allowed):
    assert rules(access, "acl here src 10.0.0.0/8").allows(client="192.0.2.1") is allowed


@pytest.mark.parametrize(
    ("acl", "fits", "fits_not"),
    [
        ("src 10.1.0.0/16", {"client": "10.1.2.3"}, {"client": "10.2.0.1"}),
        ("src 10.1.2.3", {"client": "10.1.2.3"}, {"client": "10.1.2.4"}),
        ("src 10.1.0.0/255.255.0.0", {"client": "10.1.2.3"}, {"client": "10.2.0.1"}),
        ("src 10.1.0.5-10.1.0.9", {"client": "10.1.0.9"}, {"client": "10.1.0.10"}),
        ("src 10.1.0.0-10.3.0.0/16", {"client": "10.3.200.1"}, {"client": "10.4.0.0"}),
        ("src 2001:db8::/32", {"client": "2001:db8::1"}, {"client": "10.1.0.1"}),
        ("src ipv6", {"client": "2001:db8::1"}, {"client": "10.1.0.1"}),
        ("src 10.1.0.0/16 10.2.0.0/16", {"client": "10.2.0.1"}, {"client": "10.3.0.1"}),
        ("dst 198.51.100.0/24", {"addresses": ("198.51.100.1",)}, {"addresses": ("192.0.2.1",)}),
        ("dst -n 198.51.100.0/24", {"addresses": ("198.51.100.1",)}, {"addresses": ("192.0.2.1",)}),
        ("dstdomain .a.example", {"url": "http://x.A.example/"}, {"url": "http://ba.example/"}),
        ("dstdomain .a.example", {"url": "http://a.example/"}, {"url": "http://a.example.b/"}),
        ("dstdomain -n a.example", {"url": "http://a.example./"}, {"url": "http://x.a.example/"}),
        ("dstdomain *.a.example .b.example", {"url": "http://b.example/"}, {"url": "http://x.a.example/"}),
        (r"dstdom_regex ^ads?\.", {"url": "http://ad.example/"}, {"url": "http://x.ad.example/"}),
        (r"dstdom_regex -i ADS", {"url": "http://ads.example/"}, {"url": "http://x.example/ads"}),
        (r"url_regex \.gif$", {"url": "http://a.example/x.gif"}, {"url": "http://a.example/x.GIF"}),
        (r"url_regex -i \.gif$ +i Jpg", {"url": "http://a.example/x.GIF"}, {"url": "http://a.example/x.JPG"}),
        (r"url_regex [[:digit:]]{3}", {"url": "http://a.example/123"}, {"url": "http://a.example/12"}),
        (r"urlpath_regex ^/a", {"url": "http://b.example/ab"}, {"url": "http://a.example/b/a"}),
        (r"urlpath_regex ^/a|b$", {"url": "http://b.example/xb"}, {"url": "http://b.example/x/a"}),
        (r"urlpath_regex example", {"url": "http://b.example/example"}, {"url": "http://b.example/"}),
        (r"urlpath_regex -i \.(exe|zip)(\?.*)?$", {"url": "http://a/X.EXE?y"}, {"url": "http://a/x.exe/y"}),
        (r"urlpath_regex /", {"url": "http://a/"}, {"method": "CONNECT", "url": "https://a:443"}),
        ("port 80 8000-8010", {"url": "http://a:8005/"}, {"url": "http://a:8011/"}),
        ("port 0-1024", {"url": "http://a:1/"}, {"url": "http://a:1025/"}),
        ("method get POST", {"method": "GET"}, {"method": "PUT"}),
        ("method GET", {"method": "GET"}, {"method": "HEAD"}),
        ("method GET HEAD", {"method": "HEAD"}, {"method": "PUT"}),
        ("proto HTTP", {"url": "http://a/"}, {"url": "https://a/"}),
        ("browser -i ^curl/ wget", {"fields": ["User-Agent: Curl/8"]}, {"fields": ["User-Agent: libcurl/8"]}),
        ("referer_regex evil", {"fields": ["Referer: http://evil/"]}, {"fields": []}),
        ("req_header X-Tag ^a$", {"fields": ["X-Tag: a"]}, {"fields": ["X-Tag: ab"]}),
        ("time MTWHF 09:00-17:00", {"at": "2026-03-30 17:00:59"}, {"at": "2026-03-30 17:01"}),
        ("time MTWHF 09:00-17:00", {"at": "2026-03-30 09:00"}, {"at": "2026-03-29 12:00"}),
        ("time D 20:00-24:00", {"at": "2026-03-30 23:59:59"}, {"at": "2026-03-31 00:00"}),
        ("time S", {"at": "2026-03-29 00:00"}, {"at": "2026-03-30 00:00"}),
        ("time 06:00-07:30", {"at": "2026-03-29 07:30"}, {"at": "2026-03-30 07:31"}),
        ("time A 08:00-10:00 S 09:00-10:00", {"at": "2026-03-28 08:30"}, {"at": "2026-03-29 08:30"}),
    ],
)
def test_lists_fit_what_squid_says(acl, fits, fits_not):
    for access, good in (("allow x\nhttp_access deny all", True), ("deny !x\nhttp_access allow all", True)):
        if acl.startswith(("browser", "referer_regex", "req_header")) and "!" in access:
            continue
        translated = rules(f"http_access {access}", f"acl x {acl}")
        assert translated.allows(**fits) is good
        assert translated.allows(**fits_not) is not good


def test_lines_of_one_name_add_up():
    translated = rules(
        "http_access allow x\nhttp_access deny all",
        "acl x dstdomain a.example",
        "acl X dstdomain b.example",
        "acl r url_regex -i abc",
        "acl r url_regex DEF",
    )
    assert translated.allows(url="http://a.example/") and translated.allows(url="http://b.example/")
    # Each line begins with its own case.
    translated = rules("http_access allow r", "acl r url_regex -i abc", "acl r url_regex DEF")
    assert translated.allows(url="http://a/ABC") and translated.allows(url="http://a/DEF")
    assert not translated.allows(url="http://a/def")


def test_a_line_that_comes_after_its_use_holds_too():
    translated = rules("acl x dstdomain a.example\nhttp_access allow x\nacl x dstdomain b.example")
    assert translated.allows(url="http://b.example/")


def test_any_of_and_all_of():
    translated = rules(
        "http_access allow both\nhttp_access allow one\nhttp_access deny all",
        "acl here src 10.0.0.0/8",
        "acl there src 192.0.2.0/24",
        "acl posts method POST",
        "acl puts method PUT",
        "acl both all-of here posts",
        "acl both all-of there puts",
        "acl one any-of !here posts",
    )
    assert translated.allows("POST") and not translated.allows("GET")
    assert translated.allows("PUT", client="192.0.2.1") and translated.allows("GET", client="192.0.2.1")
    assert not translated.allows("PUT")


def test_lists_of_the_same_kind_in_one_line_mean_what_they_have_in_common():
    translated = rules(
        "http_access allow wide narrow high low sites shop\nhttp_access deny all",
        "acl wide src 10.0.0.0/8 192.0.2.0/24",
        "acl narrow src 10.1.0.0/16",
        "acl high port 1000-2000",
        "acl low port 1-1500",
        "acl sites dstdomain .example",
        "acl shop dstdomain .shop.example .other",
    )
    url = "http://a.shop.example:1200/"
    assert translated.allows(client="10.1.0.1", url=url)
    assert not translated.allows(client="10.2.0.1", url=url)
    assert not translated.allows(client="192.0.2.1", url=url)
    assert not translated.allows(client="10.1.0.1", url="http://a.shop.example:1600/")
    assert not translated.allows(client="10.1.0.1", url="http://a.example:1200/")
    assert not translated.allows(client="10.1.0.1", url="http://other:1200/")


def test_what_cannot_be_is_no_rule():
    translated = rules(
        "http_access allow a b\nhttp_access allow none\nhttp_access allow CONNECT plain\nhttp_access deny all",
        "acl a src 10.0.0.0/8",
        "acl b src 192.0.2.0/24",
        "acl none proto FTP",
        "acl plain proto HTTP",
    )
    assert [rule.name for rule in translated.policy.rules] == ["9: deny all"]


def test_files_of_values_and_included_files(tmp_path):
    (tmp_path / "bad list.txt").write_text("# those that are bad\nbad.example\n\n.worse.example # very\n")
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "conf.d" / "2.conf").write_text("http_access allow all\n")
    (tmp_path / "conf.d" / "1.conf").write_text('acl bad dstdomain \\\n  "bad list.txt"\nhttp_access deny bad\n')
    (tmp_path / "conf.d" / "bad list.txt").write_text((tmp_path / "bad list.txt").read_text())
    (tmp_path / "squid.conf").write_text(f"http_port 3128\ninclude {tmp_path}/conf.d/*.conf\ninclude none.conf\n")
    path = str(tmp_path / "squid.conf")
    translated = Translated((tmp_path / "squid.conf").read_text(), path)
    assert not translated.allows(url="http://bad.example/") and not translated.allows(url="http://x.worse.example/")
    assert translated.allows(url="http://x.bad.example/")
    assert translated.policy.rules[0].name == f"{tmp_path}/conf.d/1.conf:3: deny bad"
    assert f"{path}:3: include: {tmp_path}/none.conf: No such file or directory" in translated.notes


def test_a_file_that_includes_itself_ends(tmp_path):
    path = tmp_path / "squid.conf"
    path.write_text(f"http_port 3128\ninclude {path}\n")
    assert any("more than 16 files" in note for note in translate_file(str(path)).notes)


def test_a_file_that_is_not_there_says_so(tmp_path):
    with pytest.raises(ConfigError, match=r"none\.conf: No such file or directory; accepted is a squid\.conf"):
        translate_file(str(tmp_path / "none.conf"))


# -- users


@pytest.fixture
def users(tmp_path):
    file = tmp_path / "passwd"
    file.write_text("bob:$apr1$abcdefgh$" + "." * 22 + "\n")
    return file


def auth_param(file):
    return f"auth_param basic program /usr/lib/squid/basic_ncsa_auth {file}"


def test_users_are_asked_where_a_list_asks(users):
    translated = rules(
        "http_access allow free\nhttp_access deny !known\nhttp_access allow boss\nhttp_access deny all",
        auth_param(users),
        "auth_param basic realm Our proxy",
        "auth_param basic credentialsttl 2 hours",
        "auth_param basic children 5 startup=0",
        "acl free dstdomain -n .free.example",
        "acl known proxy_auth REQUIRED",
        "acl boss proxy_auth bob",
    )
    policy = translated.policy
    assert (policy.auth.password_file, policy.auth.realm, policy.auth.remember) == (str(users), "Our proxy", 7200)
    assert policy.auth_by_rules
    assert translated.allows(url="http://free.example/")
    assert translated.verdict() is Outcome.NEEDS_USER
    assert translated.allows(user="bob") and not translated.allows(user="alice")
    assert not translated.notes


def verdicts(translated, **given):
    """What comes of nobody, bob and alice: the action, and whether other credentials are asked for."""
    found = []
    for user in (None, "bob", "alice"):
        verdict = translated.decide(user=user, **given)
        found.append("407" if verdict.challenge or verdict.outcome is Outcome.NEEDS_USER else verdict.outcome.value)
    return found


@pytest.mark.parametrize(
    ("access", "said"),
    [
        # What is looked at last says whether others may try: a list of users, or not.
        ("http_access deny bob\nhttp_access allow all", ["407", "407", "allow"]),
        ("http_access deny bob all\nhttp_access allow all", ["407", "deny", "allow"]),
        ("http_access deny !bob\nhttp_access allow all", ["407", "allow", "407"]),
        ("http_access allow bob\nhttp_access deny all", ["407", "allow", "deny"]),
        # As Squid does with what no line is about.
        ("http_access allow bob", ["407", "allow", "407"]),
        ("http_access allow all bob", ["407", "allow", "407"]),
        ("http_access allow bob all", ["407", "allow", "407"]),
        ("http_access allow all !bob", ["407", "407", "allow"]),
    ],
)
def test_others_may_try_where_users_are_looked_at_last(users, access, said):
    translated = rules(access, auth_param(users), "acl known proxy_auth REQUIRED", "acl bob proxy_auth bob")
    assert verdicts(translated) == said


def test_where_nobody_can_be_asked_nobody_gets_in():
    translated = rules(
        "http_access deny thieves\nhttp_access allow known\nhttp_access allow all",
        "auth_param basic program /usr/lib/squid/basic_ldap_auth -b dc=example",
        "acl known proxy_auth REQUIRED",
        "acl thieves proxy_auth mallory",
    )
    assert not translated.allows(user="bob") and not translated.allows()
    assert [note.split(": ", 2)[1] for note in translated.notes] == [
        "auth_param", "acl", "acl", "http_access", "http_access"
    ]  # fmt: skip


# -- what cannot be said


def test_a_list_that_cannot_be_said_makes_less_be_allowed_and_more_denied():
    translated = rules(
        "http_access allow mac\nhttp_access deny mac posts\nhttp_access allow here\nhttp_access deny mac",
        "acl mac arp 01:02:03:04:05:06",
        "acl posts method POST",
        "acl here src 10.0.0.0/8",
    )
    assert translated.allows() and not translated.allows("POST")
    assert not translated.allows(client="192.0.2.1")
    why = "there is nothing like the type arp here"
    assert translated.notes == [
        f"squid.conf:2: acl: mac: {why}",
        f"squid.conf:5: http_access: it is left out, and allows nothing: {why}",
        f"squid.conf:6: http_access: it denies more than it should, without mac: {why}",
        f"squid.conf:8: http_access: it denies all that comes to it, without mac: {why}",
    ]


@pytest.mark.parametrize(
    ("acl", "says"),
    [
        ("src host.example", "host.example is no network: names are not looked up for it"),
        ("src 10.0.0.1-::1", "10.0.0.1-::1 is no network"),
        ("dst nowhere", "nowhere is no network"),
        ("dstdomain .", ". is no domain"),
        ('dstdomain "/nonexistent"', '"/nonexistent": No such file or directory'),
        ("dstdom_regex a(b", "a(b is no expression that can be translated"),
        ("urlpath_regex (^/a)", "where a path begins can only be said at the beginning"),
        ("port http", "http is no port"),
        ("port 1-99999", "1-99999 is no port"),
        ("time X", "X is no day"),
        ("time 25:00", "25:00 is no time of day"),
        ("time 10:00-09:00", "10:00-09:00 is no time of day"),
        ("browser -i", "it has no expressions"),
        ("req_header X-Tag", "it names no field, or no expression"),
        ("external ldap_group staff", "there is nothing like the type external here"),
        ("any-of x", "it stands for itself"),
        ("any-of unheard-of", "there is no acl unheard-of"),
        ("proxy_auth bob", "there is no auth_param that says who the users are"),
    ],
)
def test_a_list_that_cannot_be_said_says_why(acl, says):
    translated = rules("http_access allow x", f"acl x {acl}")
    assert not translated.allows()
    assert translated.notes[0].startswith("squid.conf:2: acl: x: ") and says in translated.notes[0]


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ("acl x", "squid.conf:1: acl: a name and a type are wanted"),
        ("acl x src 10.0.0.1\nacl x port 80", "squid.conf:2: acl: it is of the types src and port"),
        ("http_access allow", "squid.conf:1: http_access: allow or deny, and lists, are wanted"),
        ("http_access perhaps all", "squid.conf:1: http_access: allow or deny, and lists, are wanted"),
        (
            "if ${process_number} = 1\nhttp_access allow all\nendif",
            "squid.conf:1: if: it is not known here; until endif",
        ),
        ("acl x browser a\nhttp_access deny !x", "it denies all that comes to it, without !x: there is no opposite of"),
        ("cachemgr_passwd none all", "squid.conf:1: cachemgr_passwd: there is nothing like it here"),
        ("delay_pools 2", "squid.conf:1: delay_pools: bandwidth is bounded otherwise"),
        ("http_access allow all", "squid.conf: http_port: there is none; taken to be 3128"),
        ("acl x url_regex ^a", "squid.conf:1: acl: x: of a tunnel, it is searched in https://HOST/"),
        ("acl x dstdomain a", "squid.conf: acl: hosts that are given by their address are not looked up for a name"),
    ],
)
def test_what_is_not_taken_over_is_told_with_its_place(lines, says):
    notes = translate(lines, PATH).notes
    assert any(says in note for note in notes), notes


def test_lists_that_squid_has_by_itself_may_be_named_again():
    translated = rules(
        "http_access allow manager\nhttp_access deny all",
        "acl all src 0.0.0.0/0.0.0.0",
        "acl manager proto cache_object",
        "acl localhost src 127.0.0.1/255.255.255.255",
        "acl to_localhost dst 127.0.0.0/8",
    )
    assert not translated.allows(client="::1") and not translated.allows()
    assert not translated.notes


def test_too_many_connections_of_a_client_are_a_limit():
    translated = rules(
        "http_access deny many\nhttp_access deny here many\nhttp_access allow all",
        "acl many maxconn 20",
        "acl here src 10.0.0.0/8",
    )
    assert translated.listener.limits.max_connections_per_client == 20
    assert translated.allows(client="192.0.2.1") and not translated.allows()
    assert [note.split(": ")[0] for note in translated.notes] == ["squid.conf:5"]


# -- everything together, against Squid's own way of deciding


POOL = {
    "here src 10.0.0.0/8": lambda q: q["client"].startswith("10."),
    "one src 10.1.0.0/16 192.0.2.0/24": lambda q: q["client"].startswith(("10.1.", "192.0.2.")),
    "low port 1-1024": lambda q: q["port"] <= 1024,
    "some port 80 443 1000-2000": lambda q: q["port"] in (80, 443) or 1000 <= q["port"] <= 2000,
    "posts method POST CONNECT": lambda q: q["method"] in ("POST", "CONNECT"),
    "gets method GET": lambda q: q["method"] == "GET",
    "shop dstdomain .shop.example": lambda q: ("." + q["host"]).endswith(".shop.example"),
    "sites dstdomain .example other": lambda q: ("." + q["host"]).endswith(".example") or q["host"] == "other",
    "work time MTWHF 09:00-17:00": lambda q: q["day"] < 5 and "09:00" <= q["time"] <= "17:00",
    "early time 08:00-10:00": lambda q: "08:00" <= q["time"] <= "10:00",
    "ads dstdom_regex ads": lambda q: "ads" in q["host"],
    "all-of-it": lambda q: True,
}
NAMES = {name.split()[0]: fits for name, fits in POOL.items()}
NAMES["all"] = NAMES.pop("all-of-it")
references = st.tuples(st.booleans(), st.sampled_from(sorted(NAMES)))
lines_of_access = st.lists(
    st.tuples(st.sampled_from(["allow", "deny"]), st.lists(references, min_size=1, max_size=4)), max_size=5
)
requests = st.fixed_dictionaries(
    {
        "client": st.sampled_from(["10.0.0.1", "10.1.0.1", "192.0.2.1", "2001:db8::1"]),
        "port": st.sampled_from([80, 443, 1024, 1500, 3000]),
        "method": st.sampled_from(["GET", "HEAD", "POST", "CONNECT"]),
        "host": st.sampled_from(["shop.example", "ads.shop.example", "other", "x.other", "a.example"]),
        "day": st.integers(0, 6),
        "time": st.sampled_from(["07:59", "08:00", "09:00", "10:00", "10:01", "17:00", "17:01"]),
    }
)


def squid_allows(access, request):
    """The first line of which all lists fit, or the opposite of the last one."""
    for action, lists in access:
        if all(NAMES[name](request) is not negated for negated, name in lists):
            return action == "allow"
    return bool(access) and access[-1][0] == "deny"


@given(lines_of_access, st.lists(requests, min_size=1, max_size=20))
@settings(max_examples=100, deadline=None)
def test_any_lines_of_access_decide_as_squid_does(access, asked):
    text = [f"http_access {action} {' '.join('!' * no + name for no, name in lists)}" for action, lists in access]
    acls = [f"acl {definition}" for definition in POOL if " " in definition]
    translated = rules("\n".join(text), *acls)
    exact = not any("http_access" in note for note in translated.notes)
    for request in asked:
        scheme = "https" if request["method"] == "CONNECT" else "http"
        ours = translated.allows(
            request["method"],
            f"{scheme}://{request['host']}:{request['port']}" + ("/" if scheme == "http" else ""),
            request["client"],
            at=f"2026-03-{30 + request['day'] if request['day'] < 2 else 23 + request['day']} {request['time']}:30",
        )
        squids = squid_allows(access, request)
        # What could not be said exactly is stricter.
        assert ours == squids or (not exact and not ours), request


# -- conditions


@pytest.mark.parametrize(
    ("lines", "allowed"),
    [
        ("if true\nhttp_access deny all\nelse\nhttp_access allow all\nendif", False),
        ("if false\nhttp_access deny all\nelse\nhttp_access allow all\nendif", True),
        ("if 1 = 1\nhttp_access deny all\nendif\nhttp_access allow all", False),
        ("if 1=2\nhttp_access deny all\nendif\nhttp_access allow all", True),
        ("if 1=1\nif false\nhttp_access deny all\nendif\nendif\nhttp_access allow all", True),
        # Who knows which process that is: nothing more is allowed.
        ("if ${process_number} = 1\nhttp_access deny all\nendif\nhttp_access allow all", False),
        (
            "if ${process_number} = 1\nhttp_access allow all\nelse\nhttp_access allow all\nendif\nhttp_access deny all",
            False,
        ),
    ],
)
def test_conditions_are_followed_and_where_they_cannot_be_nothing_more_is_allowed(lines, allowed):
    assert rules(lines).allows() is allowed


# -- other programs' files


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("worker_processes auto;\nevents {\n}\nhttp {\n  server { listen 80; }\n}\n", "a configuration of nginx"),
        ("server\n{\n  listen 80;\n}\n", "a configuration of nginx"),
        ("global\n  daemon\nfrontend web\n  bind :80\n", "a configuration of HAProxy"),
        ("listen stats\n  bind :80\n", "a configuration of HAProxy"),
        ("ServerName a\n<VirtualHost *:80>\nProxyPass / http://b/\n</VirtualHost>\n", "a configuration of Apache"),
        ('[[listeners]]\nlisten = "8080"\n', "a configuration of txproxy, or other TOML"),
        ("admin:\n  address: x\n", "not one line of it is a directive of Squid's"),
        ('{"apps": {}}\n', "not one line of it is a directive of Squid's"),
    ],
)
def test_a_file_of_another_program_is_told_as_such(tmp_path, text, what):
    file = tmp_path / "other.conf"
    file.write_text(text)
    with pytest.raises(ConfigError) as raised:
        translate_file(str(file))
    (line,) = str(raised.value).splitlines()
    assert line.startswith(f"{file}: ") and what in line and line.endswith("; accepted is a squid.conf")


@pytest.mark.parametrize("text", ["", "# nothing\n", CLASSIC, "http_access allow all\n", "cache_effective_user x\n"])
def test_a_file_of_squids_is_none_of_these(tmp_path, text):
    file = tmp_path / "squid.conf"
    file.write_text(text)
    assert translate_file(str(file)).toml
