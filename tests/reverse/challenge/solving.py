"""What a browser does with a question."""

import hashlib
import re


def solved(question):
    """The number that its script finds."""
    bits = int(question.split("-")[1])
    number = 0
    while int.from_bytes(hashlib.sha256(f"{question}:{number}".encode()).digest(), "big") >> (256 - bits):
        number += 1
    return str(number)


def unsolved(question):
    """One that is none."""
    bits = int(question.split("-")[1])
    number = 0
    while not int.from_bytes(hashlib.sha256(f"{question}:{number}".encode()).digest(), "big") >> (256 - bits):
        number += 1
    return str(number)


def question_of(page):
    """What a page asks."""
    return re.search(rb'name="question" value="([^"]+)"', page)[1].decode()
