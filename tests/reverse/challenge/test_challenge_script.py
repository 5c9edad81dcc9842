"""The script of the page, as far as it can be read; browsers run it in tests/integration/test_challenge."""

from txproxy.reverse.challenge.challenge_page import page
from txproxy.reverse.challenge.challenge_script import SCRIPT


def test_it_does_nothing_that_the_policy_of_the_page_forbids():
    assert SCRIPT.isascii()
    for word in (b"eval", b"innerHTML", b"Function(", b"import", b"fetch", b"http"):
        assert word not in SCRIPT


def test_what_it_looks_for_is_in_the_page():
    text = page("1800000000-16-abcdefghijklmnopqrstuv", "/", 10.0)
    for name in (b'id="challenge"', b'id="say"', b'name="question"', b'name="to"'):
        assert name in text
    assert b'getElementById("challenge")' in SCRIPT and b"elements.question" in SCRIPT and b"elements.to" in SCRIPT
