"""Completion scripts, by what all have in common."""

import pytest

from txproxy.cli.command import main
from txproxy.cli.reference.completion import completion
from txproxy.cli.reference.described_options import described_commands


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_script_has_all_that_there_is(shell):
    script = completion(shell)
    for one in described_commands():
        assert one.name in script
        for named in (one, *one.verbs):
            for option in named.options:
                assert all((name if shell != "fish" else name.lstrip("-")) in script for name in option.names)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_command_prints_it(shell, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["completion", shell])
    assert stopped.value.code == 0 and capsys.readouterr().out == completion(shell)


@pytest.mark.parametrize("words", [[], ["tcsh"], ["bash", "zsh"]], ids=" ".join)
def test_another_shell_is_a_wrong_call(words, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["completion", *words])
    assert stopped.value.code == 2
    assert capsys.readouterr().err == "txproxy completion: accepted is txproxy completion bash, zsh or fish\n"
