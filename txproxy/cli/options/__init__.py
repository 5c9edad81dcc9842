"""The options of each mode, and the configurations that they mean."""

from txproxy.cli.options.forward import ForwardOptions
from txproxy.cli.options.pools import ReverseOptions, TcpOptions
from txproxy.cli.options.run import RunOptions
from txproxy.cli.options.shared import Mode, say

__all__ = ["ForwardOptions", "Mode", "ReverseOptions", "RunOptions", "TcpOptions", "say"]
