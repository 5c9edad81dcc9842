"""The parts of a forward listener's policy that are tables."""

import pytest

from tests.config.toml.conftest import FORWARD
from txproxy.config import ForwardListener
from txproxy.forward.blocklists.filtering import Filters, ListFile


def test_block_lists_are_files_that_may_have_names(policy, files):
    made = policy('filters = ["ads.txt", { file = "work.txt", name = "leisure" }]')
    assert made.filters == (ListFile(str(files / "ads.txt")), ListFile(str(files / "work.txt"), "leisure"))


def test_a_list_that_was_read_to_check_it_is_not_read_again_by_who_opens_it(read, files):
    config = read(FORWARD + 'filters = "ads.txt"\nlists = { work = "work.txt" }')
    loaded = [filters.lists for filters in config.opened if isinstance(filters, Filters)]
    assert [list(lists) for lists in loaded] == [["work"], ["ads"]]
    policy = config.listeners[0].policy
    assert Filters(policy.filters).lists["ads"] is loaded[1]["ads"]
    assert Filters(policy.lists).lists["work"] is loaded[0]["work"]


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


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('filters = ["ads.txt", "nowhere.txt"]', ["filters[1]: "]),
        ('filters = [{ name = "x" }]', ["filters[0]: file is missing"]),
        ('filters = [{ file = "ads.txt", colour = 1 }]', ["filters[0].colour: no such key"]),
        ('filters = ["ads.txt", "ads.txt"]', ["filters: "]),
        ("filters = [1]", ["filters[0]: 1 is no name of a file"]),
        ('lists = { a = "nowhere.txt" }', ["lists.a: "]),
        (
            "lists = { a = 'nowhere.txt' }\n[[listeners.rules]]\naction = 'deny'\nhosts = '@a'",
            ["lists.a: "],
        ),
        ('lists = "ads.txt"', ["lists: 'ads.txt' is no table"]),
        ('auth = "users"', ["auth: 'users' is no table"]),
        ("auth = {}", ["auth: authentication without users"]),
        ('auth = { password_file = "nowhere" }', ["auth.password_file: "]),
        ('auth = { password_file = "users", certificate_field = "dn" }', ["auth.certificate_field: "]),
        ('auth = { password_file = "users", realm = "\\"" }', ["auth.realm: "]),
        ('auth = { password_file = "users", remember = -1 }', ["auth.remember: "]),
        ('content = { deny_types = "exe" }', ["content.deny_types: 'exe' is no content type"]),
        ('content = { max_size = "big" }', ["content.max_size: 'big' is no size"]),
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
