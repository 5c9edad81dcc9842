"""URLs in one spelling."""

import pytest

from txproxy.matching.urls import Url, query_text


@pytest.mark.parametrize(
    ("url", "text"),
    [
        (Url("http", "a.example", 80, "/x"), "http://a.example/x"),
        (Url("https", "a.example", 80, "/"), "https://a.example:80/"),
        (Url("http", "::1", 8080, "/?a"), "http://[::1]:8080/?a"),
    ],
)
def test_a_url_is_written_without_a_port_that_is_the_scheme_s_own(url, text):
    assert url.text == text
    assert repr(url) == f"Url({text!r})"


@pytest.mark.parametrize(("sent", "meant"), [(b"a+b", b"a b"), (b"a%2Bb%20", b"a+b "), (b"%zz%", b"%zz%")])
def test_what_a_query_says_is_decoded_as_a_form_s(sent, meant):
    assert query_text(sent) == meant
