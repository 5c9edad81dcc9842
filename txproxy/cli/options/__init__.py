"""The options of each mode, and the configurations that they mean."""

from __future__ import annotations

from typing import TYPE_CHECKING

from txproxy.lazy_imports import lazily

# A mode that nobody has asked for is not waited for.
if TYPE_CHECKING:
    from txproxy.cli.options.forward import ForwardOptions
    from txproxy.cli.options.pools import ReverseOptions, TcpOptions
    from txproxy.cli.options.run import RunOptions
    from txproxy.cli.options.shared import Mode, say
else:
    __getattr__, __dir__ = lazily(
        __name__,
        {
            "txproxy.cli.options.forward": ["ForwardOptions"],
            "txproxy.cli.options.pools": ["ReverseOptions", "TcpOptions"],
            "txproxy.cli.options.run": ["RunOptions"],
            "txproxy.cli.options.shared": ["Mode", "say"],
        },
    )

__all__ = ["ForwardOptions", "Mode", "ReverseOptions", "RunOptions", "TcpOptions", "say"]
