"""Which options stand in which section of the reference."""

from __future__ import annotations

from txproxy.cli.options.pools import TcpOptions
from txproxy.cli.options.shared import ListenerOptions
from txproxy.cli.reference.described_options import MODES, DescribedOption, described_options, shared_names


def options_in(section: str) -> tuple[DescribedOption, ...]:
    """Those of a section of the page: ``shared``, or a mode."""
    shared = shared_names()
    if section == "shared":
        return tuple(one for one in described_options(ListenerOptions) if one.names[0] in shared)
    mode = MODES[section]
    own = issubclass(mode, ListenerOptions)
    return tuple(one for one in described_options(mode) if not own or one.names[0] not in shared)


def of_streams() -> tuple[DescribedOption, ...]:
    """What is otherwise for raw streams."""
    usual = {one.names: one.about for one in options_in("shared")}
    return tuple(
        one
        for one in described_options(TcpOptions)
        if usual.get(one.names, one.about) != one.about and not one.about.startswith("without effect")
    )
