"""The small pages that a proxy writes itself."""

import pytest

from txproxy.forward.access.block_pages import block_page, greeting_page
from txproxy.interfaces.answers import Refusal
from txproxy.interfaces.pages import HTML_TYPE, TEXT_TYPE, html_page, page, text_page
from txproxy.limits.quotas import OverQuota
from txproxy.proxy.exchanges.responses.own_answers import reply


def test_a_page_is_html_for_people_and_plain_text_for_programs():
    assert (
        page(False, "Title", "One.", "Two.")
        == text_page("Title", "One.", "Two.")
        == (TEXT_TYPE, b"Title\nOne.\nTwo.\n")
    )
    kind, body = page(True, "A < B", "<b>One</b>.")
    assert kind == HTML_TYPE
    assert body == (
        b'<!DOCTYPE html>\n<html lang="en">\n<title>A &lt; B</title>\n<h1>A &lt; B</h1>\n'
        b"<p>&lt;b&gt;One&lt;/b&gt;.</p>\n</html>\n"
    )
    assert b"<style>x</style>\n<h1>T</h1>\n<hr>\n</html>" in html_page("T", "<hr>\n", "<style>x</style>\n")[1]


@pytest.mark.parametrize("html", [False, True])
def test_all_that_the_proxy_says_has_one_frame(html):
    pages = [
        block_page("it is on a list", "http://a/", html=html),
        greeting_page(html),
        OverQuota("too much").page(html),
    ]
    head, body = reply(Refusal(404, "", ""), b"p", html, b"now")
    pages.append((head.headers.get(b"content-type"), body))
    for kind, text in pages:
        assert kind == (HTML_TYPE if html else TEXT_TYPE)
        assert (text.startswith(b'<!DOCTYPE html>\n<html lang="en">\n<title>') and text.endswith(b"</html>\n")) is html
