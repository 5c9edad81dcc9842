"""Files that configurations name."""

import pytest


@pytest.fixture
def users(tmp_path):
    """A file of users, of whom there is one."""
    (tmp_path / "users").write_text("bob:$apr1$abcdefgh$" + "." * 22 + "\n")
    return str(tmp_path / "users")
