"""The page: what it says, and what it lets nobody else say."""

import re
from base64 import b64encode
from hashlib import sha256

from txproxy.reverse.challenge.challenge_page import LINES, page

QUESTION = "1800000000-16-abcdefghijklmnopqrstuv"


def test_nothing_of_a_path_becomes_part_of_the_page():
    text = page(QUESTION, "/\"><script>alert(1)</script>&'", 10.0).decode()
    assert text.count("<script") == 1 and "alert(1)&lt;/script" in text and "'" not in text.partition("<body>")[2]


def test_without_javascript_it_goes_on_by_itself():
    text = page(QUESTION, "/a?b=1&c", 10.0).decode()
    refresh = re.search(r'content="11;url=([^"]+)"', text)[1].replace("&amp;", "&")
    assert refresh == f"/.well-known/txproxy-challenge/answer?question={QUESTION}&number=&to=%2Fa%3Fb%3D1%26c"
    assert "<button" in text
    text = page(QUESTION, "/", 0.0).decode()
    assert "http-equiv" not in text and "<button" not in text and "needs JavaScript" in text


def test_what_is_inline_is_named():
    style = re.search(r"<style>(.*?)</style>", page(QUESTION, "/", 1.0).decode())[1]
    digest = b64encode(sha256(style.encode()).digest())
    assert b"style-src 'sha256-" + digest + b"'" in LINES[0] and b"unsafe" not in LINES[0]
