"""``txproxy import``."""

import pytest

from txproxy.cli.command import main


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "one FILE is needed; accepted is txproxy import FILE, or"),
        (["a", "b"], "one FILE is needed; accepted is"),
        (["--form", "nginx", "a"], "--form is no option here; accepted is"),
        (["--from"], "--from: '' is no kind of file; accepted: squid, nginx\n"),
        (["--from", "apache", "a"], "--from: 'apache' is no kind of file; accepted: squid, nginx\n"),
    ],
)
def test_a_wrong_import_says_what_is_wrong_with_it(words, said, capsys):
    with pytest.raises(SystemExit):
        main(["import", *words])
    assert capsys.readouterr().err.startswith(f"txproxy import: {said}")


def test_what_was_translated_is_printed_and_what_was_not_is_told_of(capsys, tmp_path):
    file = tmp_path / "nginx.conf"
    file.write_text("http { server { listen 80; location / { proxy_pass http://127.0.0.1:1; } no_such x; } }")
    with pytest.raises(SystemExit) as stopped:
        main(["import", "--from", "nginx", str(file)])
    out, err = capsys.readouterr()
    assert stopped.value.code == 0 and "[[listeners]]" in out and "no_such" in err
