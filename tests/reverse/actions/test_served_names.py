"""Which files are served, and which never."""

import pytest

from txproxy.reverse.actions.served_names import is_below, is_servable


@pytest.mark.parametrize(
    ("name", "wanted"),
    [("a.html", True), (".env", False), ("..", False), (".well-known", True), (".Well-Known", False), ("a\0", False)],
)
def test_names(name, wanted):
    assert is_servable(name) is wanted


def test_links_lead_out_of_a_folder_or_not(tmp_path):
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "a").write_text("a")
    (tmp_path / "out").write_text("out")
    (tmp_path / "site" / "in").symlink_to("a")
    (tmp_path / "site" / "leads-out").symlink_to(tmp_path / "out")
    (tmp_path / "other").symlink_to("site")
    root = str(tmp_path / "other")
    assert is_below(f"{root}/a", root) and is_below(f"{root}/in", root) and is_below(root, root)
    assert not is_below(f"{root}/leads-out", root) and not is_below(str(tmp_path / "sitemap"), root)
