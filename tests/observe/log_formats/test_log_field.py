"""Fields, and the time."""

from time import gmtime, localtime, strftime

from tests.observe.log_formats.records import NOW, record
from txproxy.observe.log_formats.log_field import ABSENT, Kind, SecondText, fixed, of_text, time_field


def test_the_time_is_that_of_each_second():
    local, utc = SecondText("%H:%M:%S %z"), SecondText("%H:%M:%S", utc=True)
    for now in (NOW, NOW + 0.5, NOW + 1, NOW + 3600, NOW):
        assert local(None, now).decode() == strftime("%H:%M:%S %z", localtime(now))
        assert utc(None, now).decode() == strftime("%H:%M:%S", gmtime(now))


def test_the_time_is_the_same_of_streams():
    field = time_field("%s")
    assert field.kind is Kind.SURE
    assert field.get(record(), NOW) == field.of_stream(None, NOW)


def test_what_does_not_change_is_the_same_of_all():
    field = fixed(b"x")
    assert field.get(record(), NOW) == field.of_stream(None, NOW) == b"x"
    assert (of_text("é"), of_text(""), of_text(None), ABSENT(None, NOW)) == (b"\xc3\xa9", None, None, None)
