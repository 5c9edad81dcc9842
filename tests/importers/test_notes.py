"""What an importer could not take over."""

from txproxy.importers.notes import Note


def test_a_note_says_where_and_why():
    assert str(Note("a.conf", 3, "gzip", "not done")) == "a.conf:3: gzip: not done"
    assert str(Note("a.conf", 0, "gzip", "not done")) == "a.conf: gzip: not done"


def test_notes_are_in_the_order_of_the_files_and_what_is_in_none_is_last():
    notes = [Note("b", 1, "x", ""), Note("a", 9, "x", ""), Note("a", 0, "x", ""), Note("a", 10, "x", "")]
    ordered = sorted(notes, key=lambda note: note.order)
    assert [(note.file, note.line) for note in ordered] == [("a", 9), ("a", 10), ("b", 1), ("a", 0)]
