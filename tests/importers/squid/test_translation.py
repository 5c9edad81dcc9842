"""Squid's configuration as ours: what is allowed and denied, what else is taken over, and what is said of the rest."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.importers.squid.access_lines import PATH, Translated, rules
from txproxy.config import parse
from txproxy.errors import ConfigError
from txproxy.importers.squid.translation import translate, translate_file
from txproxy.interfaces.answers import Outcome

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
    assert translated.config.access_log_format == "squid"
    assert translated.policy.forwarded_for == "on"
    assert translated.config.cache.size == 256 << 20
    assert [rule.name for rule in translated.config.cache.rules] == ["37: refresh_pattern ."]
    assert [note.split(": ")[:2] for note in translated.notes] == [
        ["squid.conf:33", "cache_dir"],
        ["squid.conf:34", "coredump_dir"],
        ["squid.conf:36", "refresh_pattern"],
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


@pytest.mark.no_cover
@given(lines_of_access, st.lists(requests, min_size=1, max_size=20))
@settings(max_examples=100)
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
