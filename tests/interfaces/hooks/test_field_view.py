"""Fields as texts."""

import pytest

from txproxy.interfaces import Fields, Headers


@pytest.fixture
def fields():
    return Fields(Headers([(b"A", b"1"), (b"b", b"\xc3\xa4\xff"), (b"a", b"2")]))


def test_fields_are_read_in_any_case(fields):
    assert fields.get("a") == "1, 2" and fields.get_all("A") == ["1", "2"]
    assert fields.get("x") is None and fields.get("x", "y") == "y"
    assert "B" in fields and "x" not in fields and 3 not in fields
    assert [name for name, _ in fields] == ["A", "b", "a"] and len(fields) == 3
    assert fields.get("b") == "ä\udcff" and repr(fields) == "Fields(['A', 'b', 'a'])"
    assert not fields.changed


def test_fields_are_changed_and_what_they_were_made_from_is_not():
    headers = Headers([(b"A", b"1"), (b"a", b"2"), (b"C", b"3")])
    fields = Fields(headers)
    fields.set("a", "ä")
    fields.add("D", "\udcff")
    fields.remove("c")
    assert fields.lines == [b"a: \xc3\xa4", b"D: \xff"] and fields.changed
    assert headers.lines == [b"A: 1", b"a: 2", b"C: 3"]


def test_to_remove_what_is_not_there_changes_nothing(fields):
    fields.remove("x")
    assert not fields.changed


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("a b", "c", "not a field name: 'a b'"),
        ("", "c", "not a field name"),
        ("a", "c\r\nd: e", "not a value of a"),
        ("a", " c", "not a value of a"),
        ("Host", "c", "Host is the proxy's own to say"),
        ("content-length", "5", "content-length is the proxy's own to say"),
        ("Transfer-Encoding", "chunked", "the proxy's own to say"),
        ("Connection", "close", "the proxy's own to say"),
    ],
)
def test_what_can_be_none_is_refused(fields, name, value, said):
    for change in (fields.set, fields.add):
        with pytest.raises(ValueError, match=said):
            change(name, value)
    assert not fields.changed
