"""Packages that import a module when one of its names is asked for."""

import ast
import importlib
import pathlib
import subprocess
import sys

import pytest

LAZY = ("txproxy", "txproxy.forward", "txproxy.reverse", "txproxy.upstreams")


def run(*lines):
    return subprocess.run([sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("package", LAZY)
def test_what_type_checkers_see_is_what_there_is(package):
    module = importlib.import_module(package)
    tree = ast.parse(pathlib.Path(module.__file__).read_text())
    choice = next(node for node in tree.body if isinstance(node, ast.If))
    seen = {(name.name, node.module) for node in choice.body for name in node.names}
    (homes,) = (node for node in ast.walk(choice) if isinstance(node, ast.Dict))
    given = {(name, home) for home, names in ast.literal_eval(homes).items() for name in names}
    assert seen == given
    assert {name for name, _ in given} == set(module.__all__) - {"__version__"}


@pytest.mark.parametrize("package", LAZY)
def test_a_package_alone_imports_nothing(package):
    known = {"txproxy", "txproxy.lazy_imports", package}
    loaded = run(
        f"import sys, {package}", "print(*(name for name in sys.modules if name[:7] in ('txproxy', 'twisted')))"
    )
    assert set(loaded.split()) == known


def test_a_name_imports_its_own_module_alone():
    loaded = run("import sys", "from txproxy.upstreams import HealthCheck", "print(*sys.modules)").split()
    assert "txproxy.upstreams.health.health_check" in loaded
    assert "txproxy.upstreams.affinity" not in loaded


def test_names_are_listed_before_they_are_asked_for():
    assert run("import txproxy.reverse", "print('Treated' in dir(txproxy.reverse))") == "True\n"


def test_a_name_that_is_none_is_an_error():
    module = importlib.import_module("txproxy.reverse")
    with pytest.raises(AttributeError, match=r"module 'txproxy\.reverse' has no attribute 'Handler'"):
        _ = module.Handler
    with pytest.raises(ImportError):
        from txproxy.reverse import Handler  # noqa: F401


def test_modules_can_still_be_had():
    assert run("from txproxy.reverse import mode", "print(mode.__name__)") == "txproxy.reverse.mode\n"
