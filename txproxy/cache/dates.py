"""Dates of HTTP (RFC 9110 section 5.6.7), as seconds since the epoch."""

from __future__ import annotations

import calendar
import re
import time
from email.utils import formatdate
from functools import lru_cache
from typing import Final

_MONTHS: Final = (b"jan", b"feb", b"mar", b"apr", b"may", b"jun", b"jul", b"aug", b"sep", b"oct", b"nov", b"dec")
_DAY: Final = rb"(?:mon|tue|wed|thu|fri|sat|sun)"
_LONG_DAY: Final = rb"(?:mon|tues|wednes|thurs|fri|satur|sun)day"
_MONTH: Final = rb"(?P<month>" + b"|".join(_MONTHS) + rb")"
_TIME: Final = rb"(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2}):(?P<second>[0-9]{2})"

# Sun, 06 Nov 1994 08:49:37 GMT
_IMF: Final = _DAY + rb", (?P<day>[0-9]{2}) " + _MONTH + rb" (?P<year>[0-9]{4}) " + _TIME + rb" gmt"
# Sun Nov  6 08:49:37 1994
_ASCTIME: Final = _DAY + rb" " + _MONTH + rb" (?P<day>[0-9]{2}| [0-9]) " + _TIME + rb" (?P<year>[0-9]{4})"
# Sunday, 06-Nov-94 08:49:37 GMT
_RFC850: Final = _LONG_DAY + rb", (?P<day>[0-9]{2})-" + _MONTH + rb"-(?P<year>[0-9]{2}) " + _TIME + rb" gmt"

# RFC 9111 section 4.2: a cache matches without regard to case, though dates are specified otherwise, and takes no zone
# but GMT.
_FULL_YEAR: Final = tuple(re.compile(form, re.I) for form in (_IMF, _ASCTIME))
_SHORT_YEAR: Final = re.compile(_RFC850, re.I)

# How long the longest is; nothing longer is looked at, or kept in mind.
_LONGEST: Final = len(b"Wednesday, 06-Nov-94 08:49:37 GMT")
_YEARS_AHEAD: Final = 50


def http_date(value: bytes | None, now: float) -> int | None:
    """What ``value`` is in seconds since the epoch; None if it is not exactly a date in one of the three forms.

    The name of the day has to be one, and not the right one. A year of two digits is that which is at most 50 years
    after ``now``.
    """
    if value is None or len(value) > _LONGEST:
        return None
    seconds = _of_full_year(value)
    return seconds if seconds is not None else _of_short_year(value, now)


# The same dates come again and again: that of this second, and those of what is asked for often.
@lru_cache(maxsize=1024)
def _of_full_year(value: bytes) -> int | None:
    for form in _FULL_YEAR:
        match = form.fullmatch(value)
        if match is not None:
            return _seconds(match, int(match["year"]))
    return None


def _of_short_year(value: bytes, now: float) -> int | None:
    match = _SHORT_YEAR.fullmatch(value)
    if match is None:
        return None
    # What would be more than 50 years ahead is of the century before (RFC 9110 section 5.6.7).
    this_year = time.gmtime(now).tm_year
    year = this_year - this_year % 100 + int(match["year"])
    if year > this_year + _YEARS_AHEAD:
        year -= 100
    elif year <= this_year + _YEARS_AHEAD - 100:
        year += 100
    return _seconds(match, year)


def _seconds(match: re.Match[bytes], year: int) -> int | None:
    month = _MONTHS.index(match["month"].lower()) + 1
    day, hour, minute, second = int(match["day"]), int(match["hour"]), int(match["minute"]), int(match["second"])
    # The grammar has a leap second.
    if not (year and 1 <= day <= calendar.monthrange(year, month)[1] and hour < 24 and minute < 60 and second <= 60):
        return None
    return calendar.timegm((year, month, day, hour, minute, second))


def written_date(seconds: float) -> bytes:
    """The date of a time in seconds since the epoch, in the form that is sent."""
    return formatdate(seconds, usegmt=True).encode("ascii")
