"""The modules by which pages are made, those of them that need no Sphinx."""

import importlib.util
import pathlib
import sys
from functools import cache

FOLDER = pathlib.Path(__file__).parents[2] / "docs" / "_ext"


@cache
def extension(name):
    """The module of that name."""
    spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
