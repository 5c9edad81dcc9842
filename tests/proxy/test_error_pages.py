"""Error pages of one's own."""

import pytest

from txproxy.errors import ConfigError
from txproxy.proxy.error_pages import ErrorPages, Page, pages_in


def test_a_status_comes_before_its_class():
    pages = ErrorPages({"5xx": Page(text="five"), 503: Page(text="away"), "404": Page(text="gone")})
    assert pages.render(503) == (b"text/plain; charset=utf-8", b"away")
    assert pages.render(500)[1] == pages.render(599)[1] == b"five"
    assert pages.render(404)[1] == b"gone"
    assert pages.render(403) is None and pages.render(200) is None


def test_no_pages_are_none():
    assert not ErrorPages({}) and ErrorPages({}).render(500) is None
    assert ErrorPages({"4XX": Page(text="x")}).render(499) is not None


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.html", b"text/html; charset=utf-8"),
        ("a.txt", b"text/plain; charset=utf-8"),
        ("a.json", b"application/json"),
        ("a", b"text/html; charset=utf-8"),
    ],
)
def test_a_file_is_read_at_once_and_its_name_tells_its_type(tmp_path, name, kind):
    file = tmp_path / name
    file.write_bytes(b"\xff<p>")
    pages = ErrorPages({500: file, 501: str(file)})
    file.unlink()
    assert pages.render(500) == pages.render(501) == (kind, b"\xff<p>")


@pytest.mark.parametrize(
    ("page", "kind"),
    [
        (Page(text="So sorry"), b"text/plain; charset=utf-8"),
        (Page(text=" <!DOCTYPE html>"), b"text/html; charset=utf-8"),
        (Page(text="{}", content_type="application/problem+json"), b"application/problem+json"),
        (Page(text="x", content_type="text/html; charset=latin-1"), b"text/html; charset=latin-1"),
    ],
)
def test_the_type_of_a_text(page, kind):
    assert ErrorPages({400: page}).render(400) == (kind, page.text.encode())


@pytest.mark.parametrize("status", ["200", "399", "600", "6xx", "xxx", "5x", "", "404 ", 40, 4040, "3xx", "٤04"])
def test_what_is_no_error_is_refused(status):
    # A key that TOML would have in quotes is shown in quotes.
    text = str(status)
    shown = text if text.isascii() and text.isalnum() else repr(text)
    with pytest.raises(ConfigError, match=f"^{shown}: no status of an error; accepted are 400 to 599, 4xx and 5xx$"):
        ErrorPages({status: Page(text="x")})


@pytest.mark.parametrize(
    ("page", "fault"),
    [
        (Page(), "a page has a file or a text"),
        (Page(file="a", text="b"), "a page has a file or a text"),
        (Page(text="x", content_type="html"), "'html' is no content type"),
        (Page(text="x", content_type="text/html\r\nX: y"), "is no content type"),
        (Page(text="x", content_type="text/html; é\n"), "is no content type"),
        (Page(text="x" * (1 << 20) + "x"), "the text is too large for a page"),
        ("/nonexistent/page.html", "'/nonexistent/page.html' cannot be read: No such file or directory"),
        ("/", "'/' cannot be read: Is a directory"),
        ("a\0b", "cannot be read: embedded null byte"),
    ],
)
def test_what_is_no_page_is_refused(page, fault):
    with pytest.raises(ConfigError, match=fault) as caught:
        ErrorPages({"5xx": page})
    said = str(caught.value)
    assert said.startswith("5xx: ") and "accepted is" in said and "\n" not in said


def test_a_file_is_read_up_to_its_bound(tmp_path):
    file = tmp_path / "big.html"
    file.write_bytes(b"x" * (1 << 20))
    assert len(ErrorPages({500: file}).render(500)[1]) == 1 << 20
    file.write_bytes(b"x" * ((1 << 20) + 1))
    with pytest.raises(ConfigError, match="too large"):
        ErrorPages({500: file})


def test_all_faults_are_told_at_once(tmp_path):
    with pytest.raises(ConfigError) as caught:
        ErrorPages({200: Page(text="x"), "404": Page(), "5xx": str(tmp_path / "none")})
    assert [line.partition(":")[0] for line in str(caught.value).splitlines()] == ["200", "404", "5xx"]


def test_a_page_with_a_reason_in_it_is_filled_in_and_nothing_of_that_is_markup():
    pages = ErrorPages({403: Page(text="<p>$status: ${reason}. <i>$url$list</i> $rules $reasons $other")})
    assert pages.explains(403) and not pages.explains(404)
    told = {"reason": "<b>no</b> & never", "url": "http://a/?x=\udcff", "list": ""}
    assert pages.filled(403, told) == (
        b"text/html; charset=utf-8",
        b"<p>403: &lt;b&gt;no&lt;/b&gt; &amp; never. <i>http://a/?x=?</i> $rules $reasons $other",
    )
    assert pages.filled(404, told) is None


def test_a_page_without_one_stays_as_it_is():
    for page in (Page(text="<p>$url $5"), Page(text="$reason", content_type="text/plain")):
        pages = ErrorPages({"5xx": page})
        assert not pages.explains(503) and pages.filled(503, {"reason": "x"}) == pages.render(503)


def test_a_folder_has_pages_by_their_names(tmp_path):
    for name in ("404.html", "5XX.json", "200.html", "502.html~", ".503.html", "readme", "notes.html"):
        (tmp_path / name).write_text(name)
    found = pages_in(str(tmp_path))
    assert found == (("404", str(tmp_path / "404.html")), ("5xx", str(tmp_path / "5XX.json")))
    assert ErrorPages(dict(found)).render(503)[1] == b"5XX.json"


def test_a_folder_without_a_page_is_none(tmp_path):
    for folder, said in ((tmp_path, "there is no page in it"), (tmp_path / "gone", "No such file or directory")):
        with pytest.raises(ConfigError, match=f"{said}; accepted is a folder with files such as 404.html"):
            pages_in(str(folder))
