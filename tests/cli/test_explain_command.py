"""``txproxy explain``: its call. What it says is tried with the rest of the command, and in ``tests/runtime``."""

from txproxy.cli.explain_command import run

FILE = '[[listeners]]\nlisten = "127.0.0.1:8080"\npool = "app"\n[pools.app]\nupstreams = "http://127.0.0.1:1"\n'


def test_what_it_takes_is_read_wherever_it_stands(tmp_path, capsys):
    file = tmp_path / "proxy.toml"
    file.write_text(FILE)
    assert run(["GET", "--config", str(file), "http://a/", "--client", "10.0.0.7"]) == 0
    assert "app" in capsys.readouterr().out


def test_its_help_is_all_that_it_says_where_that_is_asked_for(capsys):
    assert run(["--config", "none.toml", "-h"]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("usage: txproxy explain") and err == ""
