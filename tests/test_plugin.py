"""What twistd finds of ours."""

import sys

import pytest
from twisted.plugins.txproxy_plugin import TxproxyMaker, txproxy_service


def test_twistd_gets_the_options_of_the_modes():
    assert "forward" in [words[0] for words in txproxy_service.options.subCommands]


def test_ctrl_c_while_twistd_loads_the_program_is_no_traceback(tmp_path, monkeypatch):
    (tmp_path / "loading_for_long.py").write_text("raise KeyboardInterrupt")
    monkeypatch.syspath_prepend(tmp_path)
    maker = TxproxyMaker("slow", "loading_for_long", "", "slow")
    with pytest.raises(SystemExit) as ended:
        maker.options  # noqa: B018  # what twistd asks for first
    assert ended.value.code == 130
    assert "loading_for_long" not in sys.modules
