"""Texts as they come over the wire, and back."""

from txproxy.matching.octets import as_bytes, shown


def test_text_goes_over_the_wire_as_utf_8_and_what_came_otherwise_as_it_was():
    assert as_bytes("/ü") == "/ü".encode()
    assert as_bytes(b"/\xfc".decode("utf-8", "surrogateescape")) == b"/\xfc"


def test_what_is_no_utf_8_is_shown_by_its_codes():
    assert (shown("/ü".encode()), shown(b"/\xfc")) == ("/ü", "/\\xfc")
