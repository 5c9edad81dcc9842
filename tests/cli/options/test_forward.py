"""The options of a forward policy."""

import pytest

from tests.cli.options.meant import config
from txproxy.auth.auth_policy import AuthPolicy


def test_the_options_of_a_forward_policy(tmp_path):
    (tmp_path / "one").mkdir()
    (tmp_path / "users").write_text("bob:$apr1$r31.....$HqJZimcKQFAMYayBlzkrA/\n")
    for file in (tmp_path / "ads.txt", tmp_path / "one" / "ads.txt"):
        file.write_text("ads.example\n")
    made = config("forward", "--auth-file", str(tmp_path / "users"), "--allow-host=.example", "--allow-host=a.test",
                  "--deny-host=x.example", "--filter", str(tmp_path / "ads.txt"),
                  "--filter", str(tmp_path / "one" / "ads.txt"), "--parent=http://u:p@a:3128",
                  "--parent=direct;host=b.example")  # fmt: skip
    policy = made.listeners[0].policy
    assert policy.auth == AuthPolicy(password_file=str(tmp_path / "users"))
    assert (policy.allow_hosts, policy.deny_hosts) == ((".example", "a.test"), ("x.example",))
    assert [file.name for file in policy.filters] == ["ads", str(tmp_path / "one" / "ads.txt")]
    assert [parent.name for parent in policy.parents.made()] == ["http://a:3128", "direct"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--filter=/nowhere"], "--filter: /nowhere: "),
        (["--auth-file=/nowhere"], "--auth-file: /nowhere: "),
        (["--allow-host=a*"], "--allow-host: 'a*' is no host pattern"),
        (["--deny-host="], "--deny-host: '' is no host pattern"),
        (["--parent=ftp://u:s3cret@a"], "--parent: 'ftp://***@a' is no parent proxy"),
    ],
)
def test_wrong_options_of_a_forward_policy_are_named(words, said, capfd):
    with pytest.raises(SystemExit):
        config("forward", *words)
    error = capfd.readouterr().err
    assert said in error and "accepted" in error and "s3cret" not in error
    assert error.count("\n") == 1
