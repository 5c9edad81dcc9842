"""The policy of a forward listener in a file."""

import hashlib

import pytest

from txproxy.config import ForwardListener
from txproxy.forward.access.content_policy import ContentRules
from txproxy.forward.access.rules import Rule
from txproxy.forward.auth.auth_policy import AuthPolicy
from txproxy.forward.egress.credentials_injection import Injection
from txproxy.forward.mode import ForwardMode, ForwardPolicy
from txproxy.forward.request.privacy import Privacy
from txproxy.forward.request.targets import Bind
from txproxy.forward.request.url_rewrites import Rewrite

FORWARD = '[[listeners]]\nmode = "forward"\nlisten = "tcp:3128"\n'


@pytest.fixture
def files(tmp_path):
    (tmp_path / "ads.txt").write_text("ads.example\n")
    (tmp_path / "work.txt").write_text("work.example\n")
    (tmp_path / "users").write_text("bob:$apr1$r31.....$HqJZimcKQFAMYayBlzkrA/\n")
    digest = hashlib.md5(b"bob:office:x", usedforsecurity=False).hexdigest()
    (tmp_path / "digests").write_text(f"bob:office:{digest}\n")
    (tmp_path / "tokens").write_text("t0ken:bob\n")
    (tmp_path / "groups").write_text("staff: bob\n")
    return tmp_path


@pytest.fixture
def policy(read, files):
    return lambda text: read(FORWARD + text).listeners[0].policy


def test_all_that_it_can_have(policy, files):
    made = policy("""
        allow_clients = ["10.0.0.0/8"]
        allow_ports = [80, "8000-8999"]
        allow_destinations = ["10.0.0.1/32", "intern.example"]
        allow_hosts = "*.example"
        deny_hosts = [".evil.example"]
        ask_timeout = "20s"
        safe_search = ["google", "youtube"]
        agree_names = true
        via = "edge"
        forwarded_for = "on"
        parents = ["http://user:pw@parent.example:3128;host=*.far.example", "direct"]
        parent_check_interval = 5
        no_proxy = ["intern.example", "10.0.0.0/8"]
        bind = "192.0.2.1"
        pac = false
        audit = "audit.json"
        content = { deny_types = ["application/x-msdownload", "video/*"], max_size = "10M" }

        [listeners.auth]
        digest_file = "digests"
        token_file = "tokens"
        group_file = "groups"
        certificate_field = "cn"
        certificate_users = { "Bob B." = "bob" }
        realm = "office"
        remember = "1m"
        digest_secret = "s3cret"
        by_rules = true

        [listeners.lists]
        work = "work.txt"

        [[listeners.rules]]
        name = "work"
        action = "allow"
        hosts = ["@work", "*.work.example"]
        groups = "staff"
        hours = "08:00-18:00"
        tunnel_timeout = "8h"
        days = "mon-fri"

        [[listeners.rules]]
        action = "ask"
        not_clients = ["10.1.0.0/16"]
        headers = { User-Agent = "*curl*" }

        [[listeners.rewrites]]
        hosts = "old.example"
        to = "https://new.example{path}"
        redirect = 301

        [[listeners.privacy]]
        hosts = [".tracker.example"]
        remove = ["Cookie"]
        replace = { User-Agent = "none" }
        keep = ["Accept"]
        remove_from_responses = "Set-Cookie"

        [[listeners.inject]]
        origin = "https://api.example"
        headers = { Authorization = "Bearer s3cret" }
        rules = ["work"]

        [[listeners.binds]]
        address = "192.0.2.7"
        hosts = "far.example"
        rules = "work"
    """)
    assert made.auth == AuthPolicy(
        digest_file=str(files / "digests"), token_file=str(files / "tokens"), group_file=str(files / "groups"),
        certificate_field="cn", certificate_users={"Bob B.": "bob"}, realm="office", remember=60.0,
        digest_secret=b"s3cret",
    )  # fmt: skip
    assert [parent.name for parent in made.parents] == ["http://parent.example:3128", "direct"]
    assert made.parents.check_interval == 5
    assert list(made.lists.lists) == ["work"]
    assert made.audit.path == str(files / "audit.json") and not (files / "audit.json").exists()
    expected = ForwardPolicy(
        allow_clients=["10.0.0.0/8"], allow_ports=["80", "8000-8999"], allow_hosts=["*.example"],
        allow_destinations=["10.0.0.1/32", "intern.example"], deny_hosts=[".evil.example"], ask_timeout=20,
        safe_search=["google", "youtube"], agree_names=True, via="edge", forwarded_for="on", bind="192.0.2.1",
        no_proxy=["intern.example", "10.0.0.0/8"], pac=False,
        content=ContentRules(deny_types=["application/x-msdownload", "video/*"], max_size=10 << 20),
        rules=[
            Rule(name="work", action="allow", hosts=["@work", "*.work.example"], groups="staff", hours="08:00-18:00",
                 days="mon-fri", tunnel_timeout=28800),
            Rule(action="ask", not_clients=["10.1.0.0/16"], headers={"User-Agent": "*curl*"}),
        ],
        rewrites=[Rewrite(name="rewrite 1", hosts="old.example", to="https://new.example{path}", redirect=301)],
        privacy=[
            Privacy(hosts=[".tracker.example"], remove=["Cookie"], replace={"User-Agent": "none"}, keep=["Accept"],
                    remove_from_responses="Set-Cookie"),
        ],
        inject=[Injection(origin="https://api.example", headers={"Authorization": "Bearer s3cret"}, rules="work")],
        binds=[Bind(address="192.0.2.7", hosts="far.example", rules="work")],
        auth=made.auth, auth_by_rules=True, parents=made.parents, lists=made.lists, audit=made.audit,
    )  # fmt: skip
    assert made == expected


def test_block_lists_are_files_that_may_have_names(policy):
    made = policy('filters = ["ads.txt", { file = "work.txt", name = "leisure" }]')
    assert list(made.filters.lists) == ["ads", "leisure"]
    assert policy('filters = "ads.txt"').filters.lists["ads"] is made.filters.lists["ads"], "it is read once"


def test_it_can_be_served(policy):
    made = policy('auth = { password_file = "users" }\nfilters = "ads.txt"\n[[listeners.rules]]\naction = "allow"\n')
    assert ForwardMode(made).rules.rules == made.rules


def test_what_is_doubtful_is_a_warning_with_its_place(read, files):
    (files / "mixed.txt").write_text("a.example\n???\n")
    made = read(
        FORWARD
        + """
        filters = ["mixed.txt"]
        [[listeners.rules]]
        action = "deny"
        [[listeners.rules]]
        name = "late"
        action = "allow"
        """
    )
    assert [warning.partition(": ")[2] for warning in made.warnings] == [
        "listeners[0].filters: mixed: 1 of 2 lines are neither hosts nor URL patterns and were left out; "
        "the first is line 2: '???'",
        "listeners[0].rules[1]: the rule 'late' can never match: 'rule 1' before it matches all that it does",
    ]
    assert isinstance(made.listeners[0], ForwardListener)


def test_what_clients_may_speak(read):
    assert read(FORWARD).listeners[0].protocols == ("http", "socks5")
    assert read(FORWARD + 'protocols = "socks5"').listeners[0].protocols == ("socks5",)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('protocols = ["http", "ftp"]', ["protocols[1]: 'ftp' is not known"]),
        ('deny_hosts = ["a.example", "a*b"]', ["deny_hosts[1]: 'a*b' is no host pattern"]),
        ('filters = ["ads.txt", "nowhere.txt"]', ["filters[1]: "]),
        ('filters = [{ name = "x" }]', ["filters[0]: file is missing"]),
        ('filters = [{ file = "ads.txt", colour = 1 }]', ["filters[0].colour: no such key"]),
        ('filters = ["ads.txt", "ads.txt"]', ["filters: "]),
        ("filters = [1]", ["filters[0]: 1 is no name of a file"]),
        ('lists = { a = "nowhere.txt" }', ["lists.a: "]),
        ('lists = "ads.txt"', ["lists: 'ads.txt' is no table"]),
        ('auth = "users"', ["auth: 'users' is no table"]),
        ("auth = {}", ["auth: authentication without users"]),
        ('auth = { password_file = "nowhere" }', ["auth.password_file: "]),
        ('auth = { password_file = "users", certificate_field = "dn" }', ["auth.certificate_field: "]),
        ('auth = { password_file = "users", realm = "\\"" }', ["auth: "]),
        ('auth = { password_file = "users", remember = -1 }', ["auth.remember: "]),
        ('ask_timeout = "soon"', ["ask_timeout: 'soon' is no time"]),
        ('safe_search = ["google", "altavista"]', ["safe_search[1]: 'altavista' is not known"]),
        ("agree_names = 1", ["agree_names: 1 is neither"]),
        ('content = { deny_types = "exe" }', ["content.deny_types: 'exe' is no content type"]),
        ('content = { max_size = "big" }', ["content.max_size: 'big' is no size"]),
        ('parents = ["ftp://user:s3cret@a"]', ["parents[0]: "]),
        ("parent_check_interval = 5", ["parent_check_interval: there are no parents"]),
        ('no_proxy = ["*"]', ["no_proxy[0]: '*' would leave nothing"]),
        ('bind = "eth0"', ["bind: 'eth0' is no address"]),
        ('audit = ""', ["audit: '' is no text"]),
        ("[[listeners.rules]]\nhosts = 'a.example'", ["rules[0]: action is missing"]),
        ("[[listeners.rules]]\naction = 'maybe'", ["rules[0].action: 'maybe' is not known"]),
        ("[[listeners.rules]]\naction = 'deny'\nhost = 'a'", ["rules[0].host: no such key (is hosts meant?)"]),
        ("[[listeners.rules]]\naction = 'deny'\nports = 0", ["rules[0].ports: "]),
        ("[[listeners.rules]]\naction = 'deny'\nhosts = '@none'", ["rules[0].hosts: there is no list 'none'"]),
        (
            "[[listeners.rules]]\naction = 'deny'\nused_more_than = 'much'",
            ["rules[0].used_more_than: 'much' is no amount"],
        ),
        (
            "[[listeners.rules]]\naction = 'deny'\nname = 'a'\n[[listeners.rules]]\naction = 'deny'\nname = 'a'",
            ["rules[1].name: "],
        ),
        ("[[listeners.rewrites]]\nhosts = 'a.example'", ["rewrites[0]: to is missing"]),
        ("[[listeners.rewrites]]\nhosts = 'a.example'\nto = 'x'", ["rewrites[0].to: 'x' is no URL"]),
        ("[[listeners.rewrites]]\nhosts = 'a.example'\nto = 'http://b/'\nredirect = 200", ["rewrites[0].redirect: "]),
        ("[[listeners.privacy]]\nremove = 'Host'", ["privacy[0].remove: Host is for the proxy itself"]),
        ("[[listeners.privacy]]\nreplace = { A = 1 }", ["privacy[0].replace.A: 1 is no text"]),
        ("[[listeners.inject]]\nheaders = { A = 'x' }", ["inject[0]: origin is missing"]),
        ("[[listeners.inject]]\norigin = 'https://a.example'", ["inject[0]: https://a.example: there is nothing"]),
        ("[[listeners.inject]]\norigin = 'a'\nheaders = { A = 'x' }", ["inject[0]: 'a' is no origin"]),
        (
            "[[listeners.inject]]\norigin = 'https://a'\nheaders = { A = 'x' }\nrules = 'none'",
            ["inject: there is no rule 'none'"],
        ),
        ("[[listeners.binds]]\nhosts = 'a.example'", ["binds[0]: address is missing"]),
        ("[[listeners.binds]]\naddress = 'a.example'", ["binds[0].address: 'a.example' is no address"]),
        (
            "deny_hosts = '*'\nbind = 'x'\n[[listeners.rules]]\naction = 'no'\n[[listeners.privacy]]\nkeep = 'a b'",
            ["deny_hosts: ", "bind: ", "rules[0].action: ", "privacy[0].keep: "],
        ),
    ],
)
def test_what_is_wrong_is_said_with_its_place(faults, files, text, said):
    found = faults(FORWARD + text)
    assert len(found) == len(said), found
    for line, start in zip(found, said, strict=True):
        assert "listeners[0]" in line and start in line
        assert "accepted" in line
        assert "s3cret" not in line


def test_a_secret_that_cannot_be_sent_is_not_shown(faults):
    text = "[[listeners.inject]]\norigin = 'https://a.example'\nheaders = { Authorization = 's3cret\\n' }"
    (line,) = faults(FORWARD + text.replace("'s3cret\\n'", '"s3cret\\n"'))
    assert "Authorization" in line and "s3cret" not in line
    (line,) = faults(FORWARD + "[[listeners.inject]]\norigin = 'https://a.example'\nheaders = { Authorization = [1] }")
    assert "inject[0].headers.Authorization: this is no text" in line
