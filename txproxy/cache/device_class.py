"""Which kind of device a request comes from: a part of keys, for sites that make other pages for small screens."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from txproxy.cache.policy import CachePolicy
from txproxy.cache.vary import vary_values
from txproxy.wire.headers import Headers

DESKTOP: Final = b"desktop"
MOBILE: Final = b"mobile"
TABLET: Final = b"tablet"

_HINT: Final = b"sec-ch-ua-mobile"
_USER_AGENT: Final = b"user-agent"
# What says it stands in the first part, and nobody is to fill memory with the rest.
_LONGEST: Final = 512

# Letters are small ones. What browsers of tablets say: Safari; Firefox, Opera and others; and what is older.
_TABLETS: Final = (b"ipad", b"tablet", b"playbook", b"kindle", b"silk/")
# Windows with a pen, as Internet Explorer has it: a desktop.
_NO_TABLET: Final = b"tablet pc"
# "Mobi" is in what all browsers of phones say; the others are older, or have none.
_PHONES: Final = (
    b"mobi", b"iphone", b"ipod", b"phone", b"blackberry", b"opera mini", b"symbian", b"palm", b"windows ce", b"docomo",
    b"up.browser", b"midp",
)  # fmt: skip
_ANDROID: Final = b"android"


def device_class(request: Headers, hinted: bool = False) -> bytes:
    """``mobile``, ``tablet`` or ``desktop``, which is also what says nothing.

    User-Agent counts, and if it is ``hinted``, a browser that says in ``Sec-CH-UA-Mobile`` that it is one for phones
    is believed first. A crawler is what it says that it is, so that it sees what people see. Fields that Connection
    names say nothing.
    """
    (_, hint), (_, agent) = vary_values(request, (_HINT, _USER_AGENT))
    # RFC 9651 section 3.3.6: a boolean.
    return MOBILE if hinted and hint == b"?1" else class_of_agent((agent or b"")[:_LONGEST])


def policy_class(policy: CachePolicy, request: Headers) -> bytes:
    """The class as a ``policy`` has it. A server that is not told goes by User-Agent itself, and who says two things
    there would have the page for one kept for the other.
    """
    return device_class(request, hinted=bool(policy.device_field))


@lru_cache(maxsize=1024)
def class_of_agent(agent: bytes) -> bytes:
    """The class by a User-Agent alone."""
    said = agent.lower()
    is_phone = any(word in said for word in _PHONES)
    if any(word in said for word in _TABLETS) and _NO_TABLET not in said:
        # A Kindle with a browser for phones is one for all that matters, and so are its like; an iPad says both.
        return MOBILE if is_phone and b"silk/" in said else TABLET
    if is_phone:
        return MOBILE
    return TABLET if _ANDROID in said else DESKTOP
