"""How a mould is started."""

import sys

import pytest

from txproxy.errors import ConfigError
from txproxy.runtime.workers.mould_start import start_mould


def test_it_answers_and_ends_with_its_channel():
    channel, process = start_mould()
    channel.send("configure", (None, "no.such.reactor"))
    # Whatever it makes of that, it has ended when nobody is there any more.
    channel.close()
    assert process.wait(60) is not None


def test_an_interpreter_that_is_not_there_is_an_error(monkeypatch):
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(ConfigError, match="workers cannot be started by /nowhere/python: No such file or directory"):
        start_mould()
