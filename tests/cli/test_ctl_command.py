"""``txproxy ctl``: what it takes."""

import re

import pytest

from tests.cli.ctl_rows import A, B
from txproxy.cli.ctl_command import VERBS, run


@pytest.mark.parametrize("words", [["--help"], ["-h"], [], ["drian"]])
def test_help_has_each_verb_and_whom_it_asks(words, capsys):
    status = run(words)
    out, err = capsys.readouterr()
    if not words or words == ["drian"]:
        assert (status, out) == (2, "") and f"accepted: {', '.join(VERBS)}" in err
        assert not words or "(is drain meant?)" in err
        return
    assert (status, err) == (0, "") and "/run/txproxy" in out
    assert all(re.search(rf"txproxy ctl (\w+\|)?{verb}\b", out) for verb in VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_each_verb_has_a_help(verb, capsys):
    with pytest.raises(SystemExit) as ended:
        run([verb, "--help"])
    out = capsys.readouterr().out
    assert ended.value.code == 0 and "--admin ENDPOINT" in out and "--json" in out


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["drain", "app"], 2, "UPSTREAM"),
        (["weigh", "app", A, "many"], 2, "'many' is no weight; accepted is 0 to 1000000"),
        (["weigh", "app", A, "1000001"], 1, "weight: 1000001 cannot be"),
        (["drain", "app", A, "--for", "soon"], 1, "for: "),
        (["drain", "app", "10.0.0.1"], 1, f"'10.0.0.1' may be several of the upstreams of app; accepted: {A}, {B}"),
        (["drain", "app", "10.0.0.9"], 1, f"'10.0.0.9' is none of the upstreams of app; accepted: {A}, {B}"),
        (["add", "app", A], 1, "is in a pool already"),
        (["end", "1-1"], 1, "there is no connection '1-1', or not any more"),
        (["end", "1-1.0"], 1, "there is no exchange '1-1.0', or not any more"),
        (["connections", "--limit", "x"], 1, "limit: 'x' is no number"),
    ],
)
def test_what_cannot_be_done_is_said(ctl, words, status, said):
    assert said in ctl(*words, status=status).err
