"""What was changed, written into a text."""

import os
import sys

import pytest

from txproxy.config.persisting.edits import Edits, NotInstalled, edited
from txproxy.config.toml.file import parse
from txproxy.errors import ConfigError
from txproxy.upstreams.overlay import PoolEdits, UpstreamEdit

if not os.environ.get("TXPROXY_REQUIRE_PEERS"):
    pytest.importorskip("tomlkit")

LISTENER = '[[listeners]]\nlisten = ["127.0.0.1:8080"]\npool = "app"  # all of it\n'
LINES = """\
# the edge

[pools.app]  # what is served
upstreams = [
    "http://a",  # the first
    "http://b;weight=2;backup",
    # what follows is new
    { url = "http://c", weight = 3 },
]
strategy = "random"

"""


def changed(*edits, removed=(), added=(), text=LINES):
    edits = tuple(UpstreamEdit(place, "", weight, order) for place, weight, order in edits)
    removed = tuple((place, "") for place in removed)
    new = edited(text + LISTENER, Edits((PoolEdits("app", removed, edits, added),)))
    assert new.endswith(LISTENER)
    return new.removesuffix(LISTENER), parse(new, "edge.toml").pool("app").upstreams


def test_texts_and_tables_are_changed_and_all_else_stays_as_it_is():
    new, upstreams = changed((0, None, "draining"), (1, 5, None), (2, 0, "disabled"))
    assert upstreams == ("http://a;drain", "http://b;weight=5;backup", "http://c;weight=0;disabled")
    assert new == LINES.replace('"http://a"', '"http://a;drain"').replace("b;weight=2", "b;weight=5").replace(
        '{ url = "http://c", weight = 3 }', '{ url = "http://c", weight = 0, disabled = true}'
    )


def test_some_go_and_others_come():
    new, upstreams = changed((2, 4, None), removed=[1], added=("http://d;weight=2", "http://e"))
    assert upstreams == ("http://a", "http://c;weight=4", "http://d;weight=2", "http://e")
    kept = [line for line in LINES.splitlines() if "http://b" not in line and "http://c" not in line]
    assert [line for line in new.splitlines() if line in kept] == kept


@pytest.mark.parametrize(
    ("before", "order", "after"),
    [
        ('"http://a;drain"', "enabled", '"http://a"'),
        ('"http://a;drain;max=2"', "disabled", '"http://a;max=2;disabled"'),
        ('{ url = "http://a", drain = true }', "enabled", '{ url = "http://a"  }'),
        ('{ url = "http://a;drain" }', "enabled", '{ url = "http://a" }'),
        ('{ url = "http://a;backup" }', "draining", '{ url = "http://a;backup;drain" }'),
    ],
)
def test_an_order_takes_the_place_of_another(before, order, after):
    new, _ = changed((0, None, order), text=f'[pools.app]\nupstreams = [{before}, "http://b"]\n')
    assert new.splitlines()[1] == f'upstreams = [{after}, "http://b"]'


def test_one_that_stands_alone_becomes_a_list():
    _, upstreams = changed((0, 2, None), added=("http://b",), text='[pools.app]\nupstreams = "http://a"\n')
    assert upstreams == ("http://a;weight=2", "http://b")


def test_tables_of_their_own_stay_such():
    text = '[[pools.app.upstreams]]\nurl = "http://a"  # one\n\n[[pools.app.upstreams]]\nurl = "http://b"\n\n'
    new, upstreams = changed((0, 2, None), removed=[1], added=("http://c;max=3;backup",), text=text)
    assert upstreams == ("http://a;weight=2", "http://c;max=3;backup")
    assert new.startswith('[[pools.app.upstreams]]\nurl = "http://a"  # one\n') and new.count("[[") == 2


@pytest.mark.parametrize(("before", "after"), [('[log]\nlevel = "warn"  # few\n', '[log]\nlevel = "debug"  # few\n')])
def test_a_level_is_written_where_it_stands(before, after):
    assert edited(before + LISTENER, Edits(level="debug")) == after + LISTENER


def test_a_level_that_is_not_there_is_written_after_all_else():
    text = LINES + LISTENER
    new = edited(text, Edits(level="debug"))
    assert new.startswith(text) and parse(new, "edge.toml").log_level == "debug"
    new = edited(text + '[log]\naccess = "none"\n', Edits(level="debug"))
    assert parse(new, "edge.toml").log_level == "debug"


def test_nothing_to_be_written_changes_nothing():
    assert edited(LINES + LISTENER, Edits((PoolEdits("app"),))) == LINES + LISTENER


def test_each_change_is_told():
    pool = PoolEdits(
        "app", ((0, "http://a"),), (UpstreamEdit(1, "http://b", 3, "draining"),), ("http://c;max=1",), ("http://d is",)
    )
    edits = Edits((pool,), "warn")
    assert list(edits.told()) == [
        "pool app: http://a is not in it any more",
        "pool app: http://b has weight 3 and is draining",
        "pool app: http://c;max=1 is in it",
        "log: the level is warn",
    ]
    assert edits.left == ("pool app: http://d is",)


def test_without_the_library_that_is_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "tomlkit", None)
    with pytest.raises(NotInstalled):
        edited(LISTENER, Edits(level="debug"))


def test_what_would_not_be_kept_is_not_written(monkeypatch):
    import tomlkit

    monkeypatch.setattr(tomlkit, "dumps", lambda document: "[log]\n")
    with pytest.raises(ConfigError, match="would not be kept"):
        edited(LISTENER, Edits(level="debug"))


INTERRUPTED = """\
# the edge
workers = 2

[[listeners]]  # the first
name = "one"
listen = "tcp:1"
pool = "app"

# what is served
[pools.app]
strategy = "random"  # by chance
upstreams = [
    "http://a",  # the first
    '''http://b
[log]''', # no table
]

[pools.app.health]
path = "/well"

[[listeners]]
name = "two"
listen = "tcp:2"
pool = "other"

[pools.other]
upstreams = "http://c"

[[listeners.rules]]
name = "x" # of the second
"""


def test_lists_of_tables_that_are_interrupted_stay_where_they_are():
    import tomlkit

    assert tomlkit.dumps(tomlkit.parse(INTERRUPTED)) != INTERRUPTED, "or there is nothing to mend"
    pools = (PoolEdits("app", (), (UpstreamEdit(0, "", 4, None),)), PoolEdits("other", (), (), ("http://d",)))
    found = edited(INTERRUPTED, Edits(pools, level="warn"))
    expected = INTERRUPTED.replace('"http://a"', '"http://a;weight=4"').replace(
        'upstreams = "http://c"', 'upstreams = ["http://c", "http://d"]'
    )
    assert found == f'{expected}[log]\nlevel = "warn"\n'
    again = edited(found, Edits(level="debug"))
    assert again == found.replace('level = "warn"', 'level = "debug"')


TABLES = """\
[[listeners]]
name = "one"
[[pools.app.upstreams]]  # the first
url = "http://a"
[[pools.app.upstreams]]
url = "http://b"  # the second
[[listeners]]
name = "two"
"""


def test_so_do_those_of_upstreams():
    found = edited(TABLES, Edits((PoolEdits("app", ((0, ""),), (UpstreamEdit(1, "", 3, None),), ("http://c",)),)))
    assert found.startswith('[[listeners]]\nname = "one"\n[[pools.app.upstreams]]')
    assert found.endswith('[[listeners]]\nname = "two"\n')
    assert '"http://b"  # the second\nweight = 3\n' in found and "http://a" not in found and '"http://c"' in found


@pytest.mark.parametrize(
    "text",
    [
        # Its own tables are interrupted by another one's.
        TABLES + '[[pools.app.upstreams]]\nurl = "http://c"\n',
        'pools.app.upstreams = ["http://a"]\n[[listeners]]\nname = "one"\n[cache]\n[[listeners]]\nname = "two"\n',
        'pools = { app = { upstreams = ["http://a"] } }\n[[listeners]]\n[cache]\n[[listeners]]\n',
    ],
    ids=["its own", "dotted", "inline"],
)
def test_what_has_no_one_place_is_left_to_who_has_written_it(text):
    with pytest.raises(ConfigError, match="would not be kept"):
        edited(text, Edits((PoolEdits("app", (), (UpstreamEdit(0, "", 2, None),)),)))


def test_a_level_that_stands_at_the_top_is_no_table_of_its_own():
    text = 'log.level = "warn"\n[[listeners]]\n[cache]\n[[listeners]]\n'
    with pytest.raises(ConfigError, match="would not be kept"):
        edited(text, Edits(level="debug"))
