"""What is read of a request, one value at a time."""

import pytest

from txproxy.admin.api_call import ApiCall, ApiFault, read_body, read_query, written


@pytest.mark.parametrize(("given", "number"), [(None, 7), ("1", 1), ("10", 10)])
def test_numbers(given, number):
    assert ApiCall(query={} if given is None else {"n": given}).number("n", 7, 1, 10) == number


@pytest.mark.parametrize("given", ["0", "11", "", "x", "-1", "1.5", "٣", "1" * 30])
def test_what_is_no_number(given):
    with pytest.raises(ApiFault, match="is no number; accepted is 1 to 10") as fault:
        ApiCall(query={"n": given}).number("n", 7, 1, 10)
    assert fault.value.status == 400


def test_texts_and_flags():
    call = ApiCall(body={"a": "b", "c": True, "empty": "", "one": 1})
    assert (call.text("a"), call.flag("c"), call.flag("d")) == ("b", True, False)
    for wrong in (
        lambda: call.text("empty"),
        lambda: call.text("no"),
        lambda: call.text("one"),
        lambda: call.flag("one"),
    ):
        with pytest.raises(ApiFault, match="accepted"):
            wrong()


def test_a_query_may_be_empty_and_is_bounded():
    assert read_query(b"", ()) == {}
    assert read_query(b"a=%C3%A4&b", ("a", "b")) == {"a": "ä", "b": ""}
    with pytest.raises(ApiFault, match="cannot be read"):
        read_query(b"&".join([b"a=1"] * 65), ("a",))


def test_a_body_may_be_empty():
    assert read_body("application/json", b"{}", ()) == {}
    with pytest.raises(ApiFault, match="'a' is no key of the body; accepted is none"):
        read_body("APPLICATION/JSON", b'{"a": 1}', ())


def test_json_is_ascii_on_one_line():
    assert written({"a": "ä\n"}) == b'{"a": "\\u00e4\\n"}\n'


def test_times_numbers_and_words_of_a_body():
    call = ApiCall(body={"for": "5m", "half": 0.5, "n": 3, "word": "red", "true": True, "none": None})
    assert (call.duration("for"), call.duration("half"), call.duration("no")) == (300.0, 0.5, None)
    assert (call.whole("n", 0, 3), call.whole("no", 0, 3)) == (3, None)
    assert (call.word("word", ("red", "green")), call.word("no", ("red",))) == ("red", None)
    for wrong in (
        lambda: call.duration("word"),
        lambda: call.duration("true"),
        lambda: call.whole("n", 0, 2),
        lambda: call.whole("half", 0, 2),
        lambda: call.whole("true", 0, 2),
        lambda: call.word("word", ("rad", "green")),
        lambda: call.word("none", ("red",)),
    ):
        with pytest.raises(ApiFault, match="accepted") as fault:
            wrong()
        assert fault.value.status == 400
