"""Programs for the examples."""

from tests.integration.conftest import fork_server, processes

__all__ = ["fork_server", "processes"]
