"""A configuration in several files."""

import os

import attrs
import pytest

from txproxy.config.sources.included import Included, read_sources
from txproxy.config.toml.file import load, load_admin, parse
from txproxy.errors import ConfigError

MAIN = 'include = ["conf.d/*.toml", "pools.toml"]\n[[listeners]]\nlisten = "127.0.0.1:8080"\npool = "app"\n'
POOL = '[pools.{}]\nupstreams = ["http://127.0.0.1:8001"]\n'
LISTENER = '[[listeners]]\nname = "{}"\nlisten = "127.0.0.1:{}"\npool = "app"\n'


@pytest.fixture
def write(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def write(**files):
        for name, text in {"main": MAIN, "pools": POOL.format("app"), **files}.items():
            path = tmp_path / (name if "." in name.partition("__")[2] else f"{name}.toml").replace("__", "/")
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        return str(tmp_path / "main.toml")

    return write


def faults(file):
    with pytest.raises(ConfigError) as caught:
        load(file)
    return str(caught.value).splitlines()


def test_files_are_read_in_their_order_as_one(write):
    config = load(write(conf__b=LISTENER.format("b", 2), conf__d="", **{"conf.d__b": LISTENER.format("b", 2)}))
    assert [one.name for one in config.listeners] == ["listener 1", "b"]
    file = write(
        **{"conf.d__a": LISTENER.format("a", 1), "conf.d__.hidden.toml": "nonsense", "conf.d__b.txt": "nonsense"}
    )
    config = load(file)
    assert [one.name for one in config.listeners] == ["listener 1", "a", "b"]
    names = [os.path.relpath(name) for name in config.included.texts]
    assert names == ["conf.d/a.toml", "conf.d/b.toml", "pools.toml"]
    assert load(file) == parse(load(file).text, "main.toml")
    assert load(file) != load(write(pools=POOL.format("app").replace("8001", "8002")))


def test_a_pattern_may_stand_for_none_and_not_for_the_file_itself(write):
    assert load(write()).pools[0].name == "app"
    file = write(main=MAIN.replace("conf.d/*.toml", "ma*.toml"))
    assert len(load(file).listeners) == 1
    assert faults(write(main=MAIN.replace("conf.d/*", "gone"))) == [
        f"{file}:1: include[0]: {os.path.dirname(file)}/gone.toml: No such file or directory; accepted is a TOML file "
        "that can be read"
    ]


def test_what_is_wrong_there_has_its_place_there(write):
    write(**{"conf.d__a": f"{LISTENER.format('a', 1)}idle = 1\n[log]\nlevel = 'loud'\n", "conf.d__b": "[log]\nx = 1\n"})
    with pytest.raises(ConfigError) as caught:
        load("main.toml")
    assert [line.partition(": ")[0] for line in str(caught.value).splitlines()] == [
        "conf.d/a.toml:5", "conf.d/a.toml:7", "conf.d/b.toml:2",
    ]  # fmt: skip
    file = write(**{"conf.d__a": "\n= 1", "conf.d__b": "[log]\naccess = '${GONE}'\n"})
    first, second = faults(file)
    folder = os.path.dirname(file)
    assert first.startswith(f"{folder}/conf.d/a.toml:2: ") and "accepted is TOML" in first
    assert second.startswith(f"{folder}/conf.d/b.toml:2: log.access: there is no variable GONE")


def test_what_is_said_twice_is_said_with_both_places(write):
    file = write(main=f"via = 'a'\n{MAIN}", **{"conf.d__a": "via = 'b'"})
    folder = os.path.dirname(file)
    assert faults(file) == [
        f"{folder}/conf.d/a.toml:1: via: it is said twice: {file}:1 has it as well; accepted is one of them"
    ]


def test_files_do_not_include_each_other(write):
    file = write(pools='include = "more.toml"', more='include = ["./main.toml", "conf.d/../pools.toml"]')
    first, second = faults(file)
    assert "more.toml:1: include[0]: " in first and "main.toml includes this one" in first
    assert "more.toml:1: include[1]: " in second and "pools.toml includes this one" in second
    file = write(pools=POOL.format("app"), main=MAIN.replace("conf.d/*.toml", "pools.toml"))
    assert "include[1]: " in faults(file)[0] and "pools.toml is included already" in faults(file)[0]


def test_names_of_files_begin_where_they_stand(write, tmp_path):
    file = write(
        main=f"{MAIN}access_log = 'main.log'\n",
        **{"conf.d__a": f"{LISTENER.format('a', 1)}access_log = 'a.log'\n[log]\naccess = 'all.log'\n"},
    )
    config = load(file)
    assert [one.access_log for one in config.listeners] == [str(tmp_path / "main.log"), str(tmp_path / "conf.d/a.log")]
    assert config.access_log == str(tmp_path / "conf.d/all.log")


def test_names_may_come_from_outside(write, monkeypatch):
    monkeypatch.setenv("SITE", "pools")
    file = write(main=MAIN.replace("pools.toml", "${SITE}.toml"))
    assert load(file).pools[0].name == "app"
    monkeypatch.setenv("SITE", "s3cret")
    assert "s3cret" not in faults(file)[0] and "include[1]: " in faults(file)[0]


def test_what_is_known_is_not_read_again(write, tmp_path):
    file = write(**{"conf.d__a": LISTENER.format("a", 1)})
    known = load(file)
    (tmp_path / "conf.d/a.toml").write_text("nonsense")
    (tmp_path / "conf.d/b.toml").write_text("nonsense")
    (tmp_path / "pools.toml").unlink()
    assert parse(known.text, file, included=known.included) == known
    with pytest.raises(ConfigError, match="what was in it is not known"):
        parse(known.text, file, included=attrs.evolve(known.included, texts={}))


def test_the_admin_api_may_be_in_one(write):
    file = write(pools='[admin]\nlisten = "127.0.0.1:9090"\n[[listeners]]\nx = "${GONE}"\n')
    assert load_admin(file).listen == "127.0.0.1:9090"


@pytest.mark.parametrize("value", ["1", "[[]]", "['a\\nb']", "{}", "''"])
def test_what_is_no_name_is_said(value):
    with pytest.raises(ConfigError, match=r"^a.toml:1: include.*accepted is the name of a TOML file"):
        read_sources(f"include = {value}", "a.toml", {}, Included())
