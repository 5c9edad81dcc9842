"""How pip builds the project: as setuptools does, with what it takes to make the documentation that wheels bring.

An editable install has no pages: ``make docs`` makes those of a clone. Its modules are compiled, as pip compiles those
that it copies: where Python is told to write no bytecode, each start would compile them all again, for a second or so.
"""

from __future__ import annotations

from compileall import compile_dir
from configparser import ConfigParser
from pathlib import Path

from setuptools.build_meta import *  # noqa: F403
from setuptools.build_meta import build_editable as _build_editable
from setuptools.build_meta import get_requires_for_build_wheel as _of_setuptools

_CONFIGURATION = Path(__file__).with_name("setup.cfg")


def get_requires_for_build_wheel(config_settings=None):
    """See PEP 517: Sphinx, and what the modules import that tell it of their names, options and keys."""
    parser = ConfigParser()
    parser.read(_CONFIGURATION, encoding="utf-8")
    wanted = f"{parser['options']['install_requires']}\n{parser['options.extras_require']['docs']}"
    return [*_of_setuptools(config_settings), *filter(None, map(str.strip, wanted.splitlines()))]


def build_editable(wheel_directory, config_settings=None, metadata_directory=None):
    """See PEP 660."""
    for package in ("txproxy", "twisted"):
        compile_dir(_CONFIGURATION.with_name(package), quiet=2)
    return _build_editable(wheel_directory, config_settings, metadata_directory)
