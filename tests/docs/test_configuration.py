"""The reference of the configuration file has an entry for each key of a file, and the examples are configurations."""

import collections
import pathlib
import re
import shutil

import pytest
from twisted.internet.task import Clock

from tests.docs.extensions import extension
from txproxy.components.settings import settings_of
from txproxy.components.values import KINDS
from txproxy.config.toml.file import load
from txproxy.runtime.proxy_service import make_service

DOCS = pathlib.Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "keys.rst").read_text()


@pytest.fixture(scope="module")
def toml_keys():
    """What is known of keys, for their entries."""
    return extension("key_entries")


def test_each_key_has_one_entry_of_its_own(toml_keys):
    told = collections.Counter(path for entry in toml_keys.entries(PAGE) for path in entry.paths)
    known = toml_keys.keys()
    assert len(known) > 400
    assert [path for path in known if path not in told] == []
    assert [path for path, times in told.items() if times > 1] == []


def test_each_entry_is_of_a_key_and_says_what_it_takes(toml_keys):
    entries = list(toml_keys.entries(PAGE))
    assert [entry for entry in entries if not entry.paths] == []
    assert [entry for entry in entries if not entry.shown_takes] == []


def test_each_entry_has_an_example_which_files_have(toml_keys):
    assert [entry for entry in toml_keys.entries(PAGE) if not any(map(toml_keys.example, entry.paths))] == []


def test_a_page_says_only_what_readers_do_not_know(toml_keys):
    """A default or a type that is written by hand is one that could grow old."""
    keys = toml_keys.keys()
    by_hand = [entry for entry in toml_keys.entries(PAGE) if entry.default or entry.takes]
    assert [entry for entry in by_hand if entry.default == keys[entry.paths[0]].default != ""] == []
    assert [entry for entry in by_hand if entry.takes == keys[entry.paths[0]].takes != ""] == []
    numbers = [entry for entry in by_hand if re.match(r"\d", keys[entry.paths[0]].default) and entry.default]
    assert {entry.key for entry in numbers} <= {"proxy_protocol"}


def test_the_default_of_a_setting_is_that_of_its_class(toml_keys):
    shown = {path: entry.shown_default for entry in toml_keys.entries(PAGE) for path in entry.paths}
    wrong = []
    for table, kind in toml_keys.SETTINGS.items():
        for key, one in settings_of(kind).items():
            said = shown[f"{table}.{key}"]
            written = one.written.replace("--max-header-size", "``max_header_size``")
            if said != written and (one.default is None or KINDS[one.kind].parse(said) != one.default):
                wrong.append((table, key, said, written))
    # Without an option there is one more thing to say of it.
    assert wrong == [("cache", "size", "off; 16M where there is ``dir``", "off")]


@pytest.mark.parametrize("value", [True, 7, 30.0, b"GET", ("a", "b"), "text"])
def test_defaults_are_written_as_a_file_would_have_them(toml_keys, value):
    takes = "a number of seconds" if isinstance(value, float) else ""
    asked = toml_keys.Asked("value", None, value)
    said = {True: "true", 7: "7", 30.0: "30s", b"GET": "GET", ("a", "b"): "a, b", "text": "text"}[value]
    assert toml_keys._written(asked.default, takes) == said


@pytest.mark.parametrize("example", sorted(DOCS.glob("examples/*.toml")), ids=lambda file: file.name)
def test_the_examples_are_configurations_without_a_doubt(example, tmp_path):
    # What they name beside themselves, such as logs, shall not be made among them.
    folder = shutil.copytree(DOCS / "examples", tmp_path / "examples")
    config = load(str(folder / example.name))
    # A question is for the program that reads the file, and a command has nobody to ask.
    assert [warning for warning in config.warnings if "nobody can answer" not in warning] == []
    assert make_service(config, Clock()).config is config
