"""The static table of RFC 7541."""

from hpack.table import HeaderTable

from txproxy.wire.http2.field_blocks.static_table import FIRST_DYNAMIC, NAME_NUMBERS, NUMBERS, STATIC


def test_it_is_that_of_the_rfc() -> None:
    assert [(entry[2], entry[3]) for entry in STATIC] == list(HeaderTable.STATIC_TABLE)
    assert FIRST_DYNAMIC == 62


def test_who_writes_finds_the_first_of_a_name() -> None:
    assert NUMBERS[b":method", b"POST"] == 3 and NAME_NUMBERS[b":method"] == 2
    assert NAME_NUMBERS[b"www-authenticate"] == 61
