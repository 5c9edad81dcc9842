"""Routes that serve a folder."""

from txproxy.reverse.actions.static_files import Files
from txproxy.reverse.route_actions.files_action import FilesAction


def test_the_folder_begins_where_the_configuration_is_and_has_to_be_there(read, tmp_path, parts):
    (tmp_path / "www").mkdir()
    made, faults = read(FilesAction, files="www")
    assert made == FilesAction(directory=str(tmp_path / "www")) and not faults
    assert isinstance(made.build(parts), Files)
    made, (fault,) = read(FilesAction, files="gone")
    assert made is None and fault.startswith("routes[0].files: ") and "accepted" in fault
