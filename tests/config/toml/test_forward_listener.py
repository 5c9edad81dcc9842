"""The policy of a forward listener in a file."""

import pytest

from tests.config.toml.conftest import FORWARD
from txproxy.auth.auth_policy import AuthPolicy
from txproxy.forward.access.content_policy import ContentRules
from txproxy.forward.access.rules import Rule
from txproxy.forward.blocklists.filtering import ListFile
from txproxy.forward.egress.credentials_injection import Injection
from txproxy.forward.mode import ForwardMode, ForwardPolicy
from txproxy.forward.request.privacy import Privacy
from txproxy.forward.request.targets import Bind
from txproxy.forward.request.url_rewrites import Rewrite


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
    assert [parent.name for parent in made.parents.made()] == ["http://parent.example:3128", "direct"]
    assert made.parents.check_interval == 5
    assert made.lists == (ListFile(str(files / "work.txt"), "work"),)
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
        auth=made.auth, auth_by_rules=True, parents=made.parents, lists=made.lists,
    )  # fmt: skip
    assert made == expected


@pytest.mark.parametrize(("text", "where"), [("-", "-"), ("audit.json", "{folder}/audit.json")])
def test_an_audit_log_is_named_and_not_made(read, files, text, where):
    listener = read(FORWARD + f'audit = "{text}"').listeners[0]
    assert listener.audit == where.format(folder=files) and listener.policy.audit is None
    assert not (files / "audit.json").exists()


def test_it_can_be_served(policy):
    made = policy('auth = { password_file = "users" }\nfilters = "ads.txt"\n[[listeners.rules]]\naction = "allow"\n')
    assert ForwardMode(made).rules.rules == made.rules


def test_what_clients_may_speak(read):
    assert read(FORWARD).listeners[0].protocols == ("http", "socks5")
    assert read(FORWARD + 'protocols = "socks5"').listeners[0].protocols == ("socks5",)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('protocols = ["http", "ftp"]', ["protocols[1]: 'ftp' is not known"]),
        ('deny_hosts = ["a.example", "a*b"]', ["deny_hosts[1]: 'a*b' is no host pattern"]),
        ('ask_timeout = "soon"', ["ask_timeout: 'soon' is no time"]),
        ('safe_search = ["google", "altavista"]', ["safe_search[1]: 'altavista' is not known"]),
        ("agree_names = 1", ["agree_names: 1 is neither"]),
        ('parents = ["ftp://user:s3cret@a"]', ["parents[0]: "]),
        ("parent_check_interval = 5", ["parent_check_interval: there are no parents"]),
        ('no_proxy = ["*"]', ["no_proxy[0]: '*' would leave nothing"]),
        ('bind = "eth0"', ["bind: 'eth0' is no address"]),
        ('audit = ""', ["audit: '' is no text"]),
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
