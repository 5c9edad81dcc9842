"""Files that options name."""

import pytest

from tests.tls.authority import new_ca


@pytest.fixture
def certificates(tmp_path):
    """The files of two certificates with their keys, and that of the CA."""
    ca = new_ca()
    (tmp_path / "ca.pem").write_bytes(ca.cert_pem)
    return [ca.issue(f"{name}.example").write(tmp_path, name) for name in "ab"], str(tmp_path / "ca.pem")
