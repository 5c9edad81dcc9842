"""The files of the console: what they may do, and who may have them."""

import re
from importlib.resources import files

import pytest

from txproxy.admin.admin_server import verbs_of
from txproxy.admin.console.console_pages import page_verbs

STATIC = files("txproxy.admin.console").joinpath("static")
NAMES = sorted(entry.name for entry in STATIC.iterdir())
OURS = [name for name in NAMES if not name.startswith("uPlot")]
SCRIPTS = [name for name in OURS if name.endswith(".js")]
PAGE = STATIC.joinpath("index.html").read_text()


def text(name):
    return STATIC.joinpath(name).read_text()


def test_the_page_is_for_whoever_has_no_token_yet_and_does_nothing_that_others_say(serve):
    client = serve(verbs_of(None, None), token=b"secret")
    answer = client.ask("GET", "/")
    assert (answer.status, answer.body.decode()) == (200, PAGE)
    assert answer.fields["content-type"] == "text/html; charset=utf-8"
    policy = answer.fields["content-security-policy"]
    assert policy == (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    )
    assert answer.fields["x-content-type-options"] == "nosniff" and answer.fields["referrer-policy"] == "no-referrer"
    assert client.ask("GET", "/api/status").status == 401


def test_a_page_of_another_name_does_not_get_it(serve):
    client = serve(page_verbs())
    for path in ("/", "/console/main.js"):
        assert client.ask("GET", path, "Host: rebound.example").status == 403


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("main.js", "text/javascript; charset=utf-8"),
        ("uPlot.iife.min.js", "text/javascript; charset=utf-8"),
        ("console.css", "text/css; charset=utf-8"),
        ("icon.svg", "image/svg+xml"),
    ],
)
def test_its_files_say_what_they_are(serve, name, kind):
    answer = serve(page_verbs()).ask("GET", f"/console/{name}")
    assert (answer.status, answer.fields["content-type"], answer.body.decode()) == (200, kind, text(name))
    assert answer.fields["content-security-policy"].startswith("default-src 'none'; ")


@pytest.mark.parametrize(
    "name", ["", "nothing.js", "uPlot.LICENSE", "..%2fconsole_pages.py", "%2e%2e%2f__init__.py", "static", "main.js%00"]
)
def test_nothing_else_is_served(serve, name):
    assert serve(page_verbs()).ask("GET", f"/console/{name}").status == 404


def test_all_that_the_page_asks_for_is_there():
    wanted = set(re.findall(r'"/console/([^"]+)"', PAGE))
    for name in SCRIPTS:
        wanted |= set(re.findall(r'from "\./([^"]+)"', text(name)))
    # All of it, and nothing that nobody asks for.
    assert wanted == set(NAMES) - {"index.html", "uPlot.LICENSE"}


def test_no_script_or_style_stands_in_the_page_itself():
    assert re.findall(r"<script(?![^>]* src=)|<style|\sstyle=|\son\w+=|javascript:", PAGE) == []


@pytest.mark.parametrize("name", OURS)
def test_nothing_is_fetched_from_elsewhere(name):
    found = re.findall(r"""(?:https?:)?//[\w.-]+\.[a-z]{2,}[^\s"'`]*""", re.sub(r"(?m)^//.*$|\s// .*$", "", text(name)))
    # What a person is shown as an example, and the name of a language, are no addresses.
    assert [one for one in found if not one.startswith("http://www.w3.org/")] == []


@pytest.mark.parametrize("name", SCRIPTS)
def test_no_script_makes_html_or_code_of_texts(name):
    forbidden = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|Function\(|setAttribute\(.style"
    assert re.findall(forbidden, text(name)) == []
    # A token has no business in a cookie, nor where it stays when the tab is closed.
    assert "document.cookie" not in text(name)
    assert name == "theme.js" or "localStorage" not in text(name)


@pytest.mark.parametrize("name", [name for name in OURS if name != "icon.svg"])
def test_a_file_is_about_one_thing(name):
    lines = text(name).splitlines()
    assert len(lines) < 400 and name.endswith("html") == (not re.match(r"//|/\*", lines[0]))


def test_what_is_others_comes_with_its_version_and_licence():
    assert text("uPlot.iife.min.js").startswith("/*! https://github.com/leeoniya/uPlot (v1.6.32) */")
    assert "The MIT License (MIT)" in text("uPlot.LICENSE") and "Leon Sorokin" in text("uPlot.LICENSE")
