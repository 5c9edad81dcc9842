"""The options of each mode, and the configurations that they mean."""

from txproxy.options.forward import ForwardOptions
from txproxy.options.pools import ReverseOptions, TcpOptions
from txproxy.options.run import RunOptions
from txproxy.options.shared import Mode, say

__all__ = ["ForwardOptions", "Mode", "ReverseOptions", "RunOptions", "TcpOptions", "say"]
