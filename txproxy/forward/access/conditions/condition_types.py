"""All types of conditions that access rules may have."""

from __future__ import annotations

from typing import Final

from txproxy.forward.access.conditions.code_conditions import MATCHES
from txproxy.forward.access.conditions.head_conditions import FIELD, METHOD, SCHEME, URL
from txproxy.forward.access.conditions.host_conditions import HOST, PORT
from txproxy.forward.access.conditions.network_conditions import ADDRESS, CLIENT
from txproxy.forward.access.conditions.time_conditions import DAY, HOURS
from txproxy.forward.access.conditions.user_conditions import GROUP, USE, USER

CONDITION_TYPES: Final = (
    CLIENT, USER, GROUP, HOST, ADDRESS, PORT, METHOD, SCHEME, URL, FIELD, HOURS, DAY, USE, MATCHES,
)  # fmt: skip
# A field that must not be there is `false` of headers, and there is no use in having used little.
NEGATABLE: Final = frozenset(one.key for one in CONDITION_TYPES) - {FIELD.key, USE.key}
