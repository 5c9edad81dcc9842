"""A file in the place of another."""

import os
import stat

import pytest

from txproxy.config.persisting.file_replacing import replace_file
from txproxy.errors import ConfigError


@pytest.fixture
def file(tmp_path):
    file = tmp_path / "edge.toml"
    file.write_bytes(b"before")
    return file


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664])
def test_permissions_are_kept_and_nothing_is_left_beside_it(file, mode):
    file.chmod(mode)
    number = file.stat().st_ino
    replace_file(str(file), b"after")
    assert file.read_bytes() == b"after" and stat.S_IMODE(file.stat().st_mode) == mode
    assert [one.name for one in file.parent.iterdir()] == ["edge.toml"] and file.stat().st_ino != number


@pytest.mark.skipif(os.geteuid() != 0, reason="nobody else may give files away")
def test_the_owner_is_kept(file):
    os.chown(file, 12345, 54321)
    file.chmod(0o640)
    replace_file(str(file), b"after")
    found = file.stat()
    assert (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) == (12345, 54321, 0o640)


def test_a_link_leads_to_what_is_replaced(file, tmp_path):
    (tmp_path / "links").mkdir()
    link = tmp_path / "links" / "edge.toml"
    link.symlink_to("../edge.toml")
    replace_file(str(link), b"after")
    assert link.is_symlink() and file.read_bytes() == b"after"
    assert [one.name for one in link.parent.iterdir()] == ["edge.toml"]


def test_what_cannot_be_written_stays_as_it_is(tmp_path):
    with pytest.raises(ConfigError, match="it cannot be written: No such file") as caught:
        replace_file(str(tmp_path / "edge.toml"), b"after")
    assert "accepted is one in a folder" in str(caught.value) and list(tmp_path.iterdir()) == []


def test_nothing_is_left_of_one_that_could_not_take_the_place(tmp_path):
    # A folder is there in its place.
    (tmp_path / "edge.toml" / "more").mkdir(parents=True)
    with pytest.raises(ConfigError, match="it cannot be written"):
        replace_file(str(tmp_path / "edge.toml"), b"after")
    assert [one.name for one in tmp_path.iterdir()] == ["edge.toml"]
