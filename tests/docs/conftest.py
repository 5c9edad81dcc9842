"""Programs for the examples."""

from tests.integration.conftest import processes

__all__ = ["processes"]
