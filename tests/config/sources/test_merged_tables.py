"""What two files say, as one."""

from txproxy.config.sources.lines import Place, lines_of
from txproxy.config.sources.merged_tables import Piece
from txproxy.config.sources.outside_values import Outside
from txproxy.config.sources.toml_text import tables_of


def piece(file, text, references=()):
    places = {path: Place(file, line) for path, line in lines_of(text).items()}
    return Piece(tables_of(text, file), places, Outside(dict.fromkeys(references, file)))


ONE = """
[[listeners]]
name = "a"
[pools.web]
upstreams = ["http://a"]
[[pools.api.upstreams]]
url = "http://a"
[log]
level = "info"
"""
OTHER = """
[[listeners]]
name = "b"
[[listeners.rules]]
action = "deny"
[pools.web]
strategy = "random"
[[pools.api.upstreams]]
url = "http://b"
[pools.more]
"""


def test_tables_are_one_and_lists_of_tables_go_on():
    one = piece("one", ONE, [("log", "level"), ("listeners", 0, "name")])
    assert one.add(piece("other", OTHER, [("listeners", 0, "name")])) == []
    assert one.data == {
        "listeners": [{"name": "a"}, {"name": "b", "rules": [{"action": "deny"}]}],
        "pools": {
            "web": {"upstreams": ["http://a"], "strategy": "random"},
            "api": {"upstreams": [{"url": "http://a"}, {"url": "http://b"}]},
            "more": {},
        },
        "log": {"level": "info"},
    }
    assert one.places["listeners", 0, "name"] == ("one", 3)
    assert one.places["listeners", 1, "name"] == ("other", 3)
    assert one.places["listeners", 1, "rules", 0, "action"] == ("other", 5)
    assert one.places["pools", "web"] == ("one", 4) and one.places["pools", "web", "strategy"] == ("other", 7)
    assert one.places["pools", "api", "upstreams", 1, "url"] == ("other", 9)
    assert one.places[()] == ("one", 1)
    assert one.outside.references == {
        ("log", "level"): "one", ("listeners", 0, "name"): "one", ("listeners", 1, "name"): "other",
    }  # fmt: skip


def test_what_both_say_is_said_with_both_places():
    one = piece("one", ONE)
    twice = one.add(piece("other", '[pools.web]\nupstreams = ["http://b"]\n[log]\nlevel = "info"\n'))
    assert list(map(str, twice)) == [
        "other:2: pools.web.upstreams: it is said twice: one:5 has it as well; accepted is one of them",
        "other:4: log.level: it is said twice: one:9 has it as well; accepted is one of them",
    ]


def test_what_is_a_table_in_one_and_none_in_the_other_is_said_twice():
    for text in ("log = 1", "[[log]]", "listeners = []", "[listeners]"):
        assert len(piece("one", ONE).add(piece("other", text))) == 1, text
