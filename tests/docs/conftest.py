"""Programs for the examples."""

from tests.integration.conftest import fork_server, processes, run_program

__all__ = ["fork_server", "processes", "run_program"]
