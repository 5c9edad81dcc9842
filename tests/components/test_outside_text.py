"""Texts that stand elsewhere, and what they are called."""

import copy
import json
import pickle

import pytest

from txproxy.auth.auth_policy import AuthPolicy
from txproxy.components.outside_text import OutsideText, called, identity
from txproxy.components.values import hint, shown

PIN = OutsideText("4711", "${PIN}")


def test_it_is_the_text_that_it_is():
    assert PIN == "4711" and hash(PIN) == hash("4711") and {PIN: 1}["4711"] == 1
    assert f"{PIN}" == str(PIN) == "4711" and type(str(PIN)) is str and json.dumps([PIN]) == '["4711"]'
    assert PIN.encode() == b"4711"


@pytest.mark.parametrize("made", [PIN, copy.copy(PIN), copy.deepcopy(PIN), pickle.loads(pickle.dumps(PIN))])
def test_who_quotes_it_quotes_what_refers_to_it(made):
    assert f"{made!r} {[made]}" == "'${PIN}' ['${PIN}']" and called(made) == "${PIN}"
    assert shown(made) == "'${PIN}'" and hint("471", [made]) == " (is ${PIN} meant?)"
    assert repr(OutsideText("a", "{ file = 'pin' }")) == "{ file = 'pin' }"


def test_other_texts_are_called_what_they_are():
    assert called("4711") == "4711" and called(PIN[:2]) == "47"


def test_two_that_are_called_the_same_are_two():
    # Files that are included from several folders have names that are relative to each.
    of = ["/one", "/two", "/two"]
    one, two, same = (AuthPolicy(password_file=OutsideText(text, "{ file = 'users' }")) for text in of)
    assert repr(one) == repr(two) and identity(one) != identity(two) == identity(same)
    assert identity(AuthPolicy(password_file="/two", login_secret=b"x")) == identity(two)
    pairs = (("cn", OutsideText("bob", "${USER}")),)
    assert "'bob'" in identity(AuthPolicy(certificate_field="cn", certificate_users=pairs))
