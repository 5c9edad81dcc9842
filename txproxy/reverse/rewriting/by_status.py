"""Changes of the fields of responses that depend on their status."""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from txproxy.errors import ConfigError, Finding
from txproxy.frozen_values import frozen
from txproxy.matching.statuses import parse_status, statuses_of
from txproxy.plain_values import PlainValue
from txproxy.reverse.rewriting.header_fields import FieldChanges, Fields, fields_of, names_of


def _texts(value: int | str | Iterable[int | str]) -> tuple[str, ...]:
    return (str(value),) if isinstance(value, int | str) else tuple(map(str, value))


@frozen(kw_only=True)
class StatusChanges(PlainValue):
    """Changes of responses whose status is one of ``statuses`` (``404``, or ``"5xx"`` for a class); ``set_headers``,
    ``add_headers`` and ``remove_headers`` as :class:`ResponseRewrite` has them.

    A wrong value is a ``ConfigError``, with one line for each fault; so is one without any statuses.
    """

    statuses: tuple[str, ...] = attrs.field(converter=_texts)
    set_headers: Fields = attrs.field(default=(), converter=fields_of)
    add_headers: Fields = attrs.field(default=(), converter=fields_of)
    remove_headers: tuple[str, ...] = attrs.field(default=(), converter=names_of)
    held: frozenset[int] = attrs.field(init=False, eq=False, repr=False)
    changes: FieldChanges = attrs.field(init=False, eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        faults: list[Finding] = []
        if not self.statuses:
            faults.append(Finding(("statuses",), "there is none", "accepted is one or more, such as 404 or 5xx"))
        for text in self.statuses:
            try:
                parse_status(text)
            except ConfigError as fault:
                faults += fault.at("statuses").findings
        try:
            changes = FieldChanges(self.set_headers, self.add_headers, self.remove_headers, of_response=True)
        except ConfigError as fault:
            faults += fault.findings
        if faults:
            raise ConfigError(faults)
        object.__setattr__(self, "held", statuses_of(self.statuses))
        object.__setattr__(self, "changes", changes)
