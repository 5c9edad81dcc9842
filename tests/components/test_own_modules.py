"""Modules from folders that a configuration names."""

import importlib
import sys

import pytest

from txproxy.components.own_modules import OwnModule, OwnModules, adopt, read_modules, take_changes, use_path

NAMES = ("own_one", "own_two", "own_package", "own_package.inner", "own_spread", "own_spread.inner")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder of modules, that nothing is left of."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "meta_path", [one for one in sys.meta_path if not isinstance(one, OwnModules)])
    (tmp_path / "own_one.py").write_text("import own_two\nvalue = 1\n")
    (tmp_path / "own_two.py").write_text("value = 1\n")
    (tmp_path / "own_package").mkdir()
    (tmp_path / "own_package" / "__init__.py").write_text("")
    (tmp_path / "own_package" / "inner.py").write_text("value = 1\n")
    (tmp_path / "own_spread").mkdir()
    (tmp_path / "own_spread" / "inner.py").write_text("value = 1\n")
    use_path([str(tmp_path)])
    yield tmp_path
    for name in NAMES:
        sys.modules.pop(name, None)


def value_of(name):
    return importlib.import_module(name).value


def test_what_is_read_is_known(folder):
    assert [value_of(name) for name in ("own_one", "own_package.inner", "own_spread.inner")] == [1, 1, 1]
    assert [one.name for one in read_modules()] == sorted(set(NAMES) - {"own_spread"})
    assert sys.modules["own_one"].__file__ == str(folder / "own_one.py")
    assert not (folder / "__pycache__").exists()


def test_what_is_installed_is_none_of_them(folder):
    site = folder / "venv" / "site"
    site.mkdir(parents=True)
    (site / "own_one.py").write_text("value = 5\n")
    sys.path.insert(0, str(site))
    assert value_of("own_one") == 5 and read_modules() == ()


def test_nothing_is_taken_until_it_is_asked_for_and_only_if_it_has_changed(folder):
    value_of("own_one")
    before = sys.modules["own_one"]
    assert take_changes() == 0 and sys.modules["own_one"] is before
    # Of the same second and size: a compiled file would not tell.
    (folder / "own_two.py").write_text("value = 2\n")
    assert value_of("own_two") == 1
    assert take_changes() == 1
    assert value_of("own_two") == 2
    # What has imported it is read again as well.
    assert importlib.import_module("own_one").own_two.value == 2 and take_changes() == 1


def test_one_that_is_gone_has_changed(folder):
    value_of("own_two")
    (folder / "own_two.py").unlink()
    assert take_changes() == 1
    with pytest.raises(ModuleNotFoundError):
        value_of("own_two")


def test_another_process_has_them_as_they_were_read(folder):
    value_of("own_package.inner")
    read = read_modules()
    for name in NAMES:
        sys.modules.pop(name, None)
    sys.meta_path[:] = [one for one in sys.meta_path if not isinstance(one, OwnModules)]
    (folder / "own_package" / "inner.py").write_text("value = 2\n")
    use_path([str(folder)])
    adopt(read)
    assert value_of("own_package.inner") == 1
    inner = sys.modules["own_package.inner"]
    adopt(read)
    assert sys.modules["own_package.inner"] is inner
    adopt([OwnModule(read[1].name, read[1].file, False, b"value = 3\n")])
    assert value_of("own_package.inner") == 3
