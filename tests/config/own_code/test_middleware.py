"""Middleware by its name: found by importing it, and made."""

import importlib
import logging
import sys

import pytest

from txproxy.components.named_code import NamedCode
from txproxy.components.own_modules import OwnModules, use_path
from txproxy.config.findings import told
from txproxy.config.model import Config, ReverseListener
from txproxy.config.own_code.making import try_to_make
from txproxy.config.own_code.middleware import find_middleware, make_all, make_middleware
from txproxy.config.sources.lines import Place
from txproxy.config.toml.file import parse
from txproxy.errors import ConfigError
from txproxy.interfaces import IInnerMiddleware

PROGRAM = """
import logging

class Team:
    def handle(self, request, context, proceed):
        return proceed(request, context)

class Named(Team):
    def __init__(self, name):
        self.name = name

class Other:
    def handle(self, record):
        pass

class Broken(Team):
    def __init__(self):
        self.name = {}["name"]

team = Team()
log = logging.StreamHandler()
number = 5
kept = []

def make():
    kept.append(Team())
    return kept[-1]

def make_none():
    return None

class Teams:
    blue = team

class Gate:
    def admit(self, connection):
        return True
    def closed(self, connection):
        pass

class Both(Gate, Team):
    pass

class HalfGate:
    def admit(self, connection):
        return True

class WrongGate(Gate):
    def admit(self):
        return True

class WrongBoth(Gate, Other):
    pass

gate = Gate()

def make_gate():
    return gate
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with a module in it, that nothing is left of."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "meta_path", [one for one in sys.meta_path if not isinstance(one, OwnModules)])
    (tmp_path / "own_fields.py").write_text(PROGRAM)
    yield tmp_path
    for name in ("own_fields", "own_broken", "own_wrong", "own_leaving", "own_alone"):
        sys.modules.pop(name, None)


@pytest.fixture
def own(folder):
    """The same, from which may be imported."""
    use_path([str(folder)])
    return folder


def test_a_class_and_a_function_make_one_each_time_and_an_object_is_one(own):
    one, other = make_all(["own_fields:Team", "own_fields:Team"])
    assert type(one).__name__ == "Team" and one is not other
    module = sys.modules["own_fields"]
    assert make_middleware("own_fields:team") is module.team is make_middleware("own_fields:Teams.blue")
    assert make_middleware("own_fields:make") is module.kept[0]


def test_to_look_for_one_makes_none(own):
    find_middleware("own_fields:make")
    assert sys.modules["own_fields"].kept == []


def test_who_says_so_need_not_be_looked_at(own):
    assert find_middleware("tests.config.everything:Nothing").__name__ == "Nothing"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("own_fields", "'own_fields' names no middleware; accepted is MODULE:NAME"),
        ("own fields:Team", "names no middleware"),
        (".own_fields:Team", "names no middleware"),
        ("own_fields:", "names no middleware"),
        (
            "no_such.module:Team",
            "no_such.module cannot be imported: ModuleNotFoundError: No module named 'no_such'; acc",
        ),
        ("own_fields:Teem", "'own_fields:Teem': own_fields has no Teem (is Team meant?); accepted is a name"),
        ("own_fields:Teams.red", "Teams has no red; accepted is a name"),
        ("own_fields:number", "'own_fields:number' is no middleware; accepted is an object with handle(request,"),
        ("own_fields:Other", "'own_fields:Other' is no middleware: its handle takes other arguments; accepted"),
        ("own_fields:log", "'own_fields:log' is no middleware: its handle takes other arguments; accepted"),
        ("own_fields:Teams", "'own_fields:Teams' is no middleware; accepted"),
        (
            "own_fields:Named",
            "'own_fields:Named' needs name; accepted is { use = 'own_fields:Named', name = ... }",
        ),
    ],
)
def test_what_gives_none_is_told_of(own, name, said):
    with pytest.raises(ConfigError) as fault:
        find_middleware(name)
    assert said in str(fault.value) and "\n" not in str(fault.value)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("own_fields:Broken", "cannot be called: KeyError: 'name' ("),
        ("own_fields:make_none", "'own_fields:make_none' gives no middleware; accepted is an object with handle("),
        ("logging:StreamHandler.__new__", "cannot be called"),
    ],
)
def test_what_is_found_and_gives_none_is_told_of_when_it_is_made(own, name, said):
    find_middleware(name)
    with pytest.raises(ConfigError) as fault:
        make_middleware(name)
    assert said in str(fault.value) and "\n" not in str(fault.value)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("own_broken", "import json\n\nx = 1 / 0\n", "ZeroDivisionError: division by zero ({0}/own_broken.py:3)"),
        ("own_wrong", "def x(:\n", "SyntaxError: "),
        ("own_leaving", "raise SystemExit('no\\nlicence')\n", "SystemExit: no licence ({0}/own_leaving.py:1)"),
        (
            "own_alone",
            "import own_nothing\n",
            "ModuleNotFoundError: No module named 'own_nothing' ({0}/own_alone.py:1)",
        ),
    ],
)
def test_an_error_of_the_module_is_told_with_its_place(own, name, text, said):
    (own / f"{name}.py").write_text(text)
    with pytest.raises(ConfigError) as fault:
        find_middleware(f"{name}:x")
    assert f"{name} cannot be imported: {said.format(own)}" in str(fault.value)
    assert "\n" not in str(fault.value)


def test_folders_come_last_and_once(folder, monkeypatch):
    before = list(sys.path)
    use_path([str(folder)])
    use_path([str(folder)])
    assert sys.path == [*before, str(folder)]
    # Of a module that is installed, none of the same name takes the place.
    (folder / "logging.py").write_text("")
    monkeypatch.delitem(sys.modules, "logging")
    assert importlib.import_module("logging").__file__ == logging.__file__


def test_all_that_cannot_be_made_is_told_with_its_place(own):
    listeners = (
        ReverseListener(middleware=("own_fields:Team",)),
        ReverseListener(middleware=("own_fields:Broken", "own_fields:Team", "own_fields:make_none")),
    )
    with pytest.raises(ConfigError) as fault:
        try_to_make(Config(listeners=listeners))
    assert [one.path for one in fault.value.findings] == [
        ("listeners", 1, "middleware", 0),
        ("listeners", 1, "middleware", 2),
    ]
    config = Config(
        listeners=listeners, source="p.toml", places={(): Place("p.toml", 1), ("listeners", 1): Place("p.toml", 7)}
    )
    assert str(told(fault.value, config)).startswith("p.toml:7: listeners[1].middleware[0]: 'own_fields:Broken' cannot")
    assert try_to_make(Config(listeners=listeners[:1])) is None


LISTENERS = """
[[listeners]]
listen = "tcp:80"
pool = "app"
{0}
[[listeners]]
mode = "forward"
listen = "tcp:81"
{0}
[pools.app]
upstreams = "http://10.0.0.1"
"""


def test_a_file_names_them_for_both_modes(folder):
    text = 'python_path = "."\n' + LISTENERS.format('middleware = ["own_fields:Team", "own_fields:make"]')
    config = parse(text, str(folder / "proxy.toml"))
    names = (NamedCode("own_fields:Team"), NamedCode("own_fields:make"))
    assert [listener.middleware for listener in config.listeners] == [names, names]
    assert config.python_path == (str(folder),)
    assert parse(LISTENERS.format('middleware = "own_fields:Team"'), "x.toml").listeners[0].middleware == names[:1]


def test_the_folder_of_a_file_is_none_to_import_from_by_itself(folder, monkeypatch):
    monkeypatch.chdir(folder)
    with pytest.raises(ConfigError, match=r"proxy.toml:5: listeners\[0\].middleware: .*cannot be imported"):
        parse(LISTENERS.format('middleware = "own_fields:Team"'), str(folder / "proxy.toml"))


def test_a_folder_has_to_be_there(folder):
    with pytest.raises(ConfigError, match=r"proxy.toml:1: python_path\[1\]: .*/none: there is no such folder"):
        parse('python_path = [".", "none"]\n' + LISTENERS.format(""), str(folder / "proxy.toml"))


STREAMS = """python_path = "."
[[listeners]]
mode = "tcp"
listen = "tcp:1"
pool = "a"
middleware = "own_fields:{}"
[pools.a]
upstreams = "a:1"
"""


@pytest.mark.parametrize("name", ["Team", "team"])
def test_streams_have_no_requests_to_stand_around(folder, name):
    said = rf"listeners\[0\].middleware: 'own_fields:{name}' handles requests, and raw streams have none; accepted"
    with pytest.raises(ConfigError, match=said):
        parse(STREAMS.format(name), str(folder / "proxy.toml"))


@pytest.mark.parametrize("name", ["Gate", "gate", "make_gate", "Both"])
def test_who_may_connect_is_asked_in_each_mode(folder, name):
    text = f'middleware = "own_fields:{name}"'
    config = parse('python_path = "."\n' + LISTENERS.format(text), str(folder / "proxy.toml"))
    config = parse(STREAMS.format(name), str(folder / "proxy.toml"))
    (made,) = make_all(config.listeners[0].middleware)
    assert made.admit(None)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("HalfGate", ": it has no closed"),
        ("WrongGate", ": its admit takes other arguments"),
        ("WrongBoth", ": its handle takes other arguments"),
    ],
)
def test_a_connection_filter_is_one_as_well(folder, name, why):
    with pytest.raises(ConfigError, match=f"'own_fields:{name}' is no middleware{why}"):
        parse(STREAMS.format(name), str(folder / "proxy.toml"))


def test_one_that_stands_within_the_mode_is_one_as_well(own):
    (own / "own_inner.py").write_text(
        "from zope.interface import implementer\n"
        "from txproxy.interfaces import IInnerMiddleware\n"
        "@implementer(IInnerMiddleware)\n"
        "class Inner:\n"
        "    def handle(self, request, context, proceed):\n"
        "        return proceed(request, context)\n"
    )
    try:
        assert IInnerMiddleware.providedBy(make_middleware("own_inner:Inner"))
    finally:
        sys.modules.pop("own_inner", None)
