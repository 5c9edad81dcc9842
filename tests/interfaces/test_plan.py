"""The values that a mode decides with."""

from txproxy.errors import ConnectTimeout
from txproxy.interfaces.answers import Refusal
from txproxy.interfaces.plan import OwnFields


def test_a_refusal_says_what_the_error_says():
    fault = ConnectTimeout("10.0.0.1:80 is silent")
    fault.sentence = "It is silent."
    refusal = Refusal.of(fault)
    assert (refusal.status, refusal.error, refusal.detail) == (504, "connection_timeout", "10.0.0.1:80 is silent")
    assert (refusal.page, refusal.sentence) == (None, "It is silent.")


def test_own_fields_add_up():
    both = OwnFields(({b"a"},), ({b"b"},)).and_(OwnFields(({b"c"},)))
    assert both == OwnFields(({b"a"}, {b"c"}), ({b"b"},))
