"""``txproxy docs``."""

import pytest

from txproxy.cli.command import main
from txproxy.cli.reference import docs_command
from txproxy.cli.reference.docs_command import address, has_screen, page_names, page_words, pages_folder, run


@pytest.fixture
def pages(tmp_path):
    """A folder with pages, as Sphinx leaves it."""
    for name in ("index", "keys", "api/forward", "_static/theme"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / f"{name}.html").write_text("<p>")
    return tmp_path


@pytest.fixture
def opened(monkeypatch):
    """What a browser would show."""
    shown = []
    monkeypatch.setattr(docs_command.webbrowser, "open", shown.append)
    return shown


def test_the_first_folder_that_has_pages_is_taken(pages, tmp_path_factory):
    empty = tmp_path_factory.mktemp("empty")
    assert pages_folder([empty, pages]) == pages
    assert pages_folder([empty]) is None


def test_pages_are_called_by_their_paths(pages):
    assert page_names(pages) == ["api/forward", "index", "keys"]


def test_what_may_stand_for_a_page_is_known_with_pages_and_without(pages, tmp_path_factory):
    made = page_words([pages])
    assert made == ["api/forward", "forward", "index", "keys"]
    sources = tmp_path_factory.mktemp("docs")
    for name in ("index", "forward", "api/forward", "api/other", "api/names/other", "_build/left"):
        (sources / name).parent.mkdir(exist_ok=True)
        (sources / f"{name}.rst").write_text("=")
    # a name that two pages have stands for neither, unless it is the whole name of one
    assert page_words([], sources) == ["api/forward", "api/names/other", "api/other", "forward", "index"]


def test_each_word_for_a_page_is_taken(pages, capsys):
    for word in page_words([pages]):
        assert run([word, "--print"], [pages]) == 0 and capsys.readouterr().out.endswith(".html\n")


@pytest.mark.parametrize(
    ("words", "page"),
    [([], "index"), (["keys"], "keys"), (["api/forward"], "api/forward"), (["forward"], "api/forward")],
)
def test_a_page_is_opened_where_there_is_a_screen(words, page, pages, opened, monkeypatch, capsys):
    monkeypatch.setenv("DISPLAY", ":0")
    assert run(words, [pages]) == 0
    address = (pages / f"{page}.html").as_uri()
    assert (capsys.readouterr().out, opened) == (f"{address}\n", [address])


def test_it_is_only_printed_where_nobody_would_see_it(pages, opened, monkeypatch, capsys):
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(docs_command.sys, "platform", "linux")
    assert run(["keys"], [pages]) == 0
    assert (capsys.readouterr().out, opened) == (f"{(pages / 'keys.html').as_uri()}\n", [])


def test_it_is_only_printed_where_that_is_asked_for(pages, opened, monkeypatch, capsys):
    monkeypatch.setenv("DISPLAY", ":0")
    assert run(["keys", "--print"], [pages]) == 0
    assert (capsys.readouterr().out, opened) == (f"{pages / 'keys.html'}\n", [])


def test_a_page_that_is_none_gets_a_hint(pages, opened, capsys):
    assert run(["key"], [pages]) == 2
    out, err = capsys.readouterr()
    assert err == "txproxy docs: 'key' is no page (is keys meant?); accepted: api/forward, index, keys\n"
    assert (out, opened) == ("", [])


def test_a_clone_without_pages_says_how_they_are_made(tmp_path, capsys):
    assert run([], [tmp_path]) == 1
    assert "make docs" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("environment", "platform", "seen"),
    [
        ({}, "linux", False),
        ({"DISPLAY": ""}, "linux", False),
        ({"DISPLAY": ":0"}, "linux", True),
        ({"WAYLAND_DISPLAY": "wayland-0"}, "linux", True),
        ({}, "darwin", True),
    ],
)
def test_whether_a_browser_can_be_seen(environment, platform, seen):
    assert has_screen(environment, platform) is seen


def test_the_help_of_the_command_names_where_they_are(capsys):
    with pytest.raises(SystemExit):
        main(["--help"])
    assert f"Documentation: txproxy docs, which is {address()}\n" in capsys.readouterr().out
