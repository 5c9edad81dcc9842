"""A place to fork programs from."""

from tests.integration.conftest import fork_server

__all__ = ["fork_server"]
