"""What was found is told with its place."""

from txproxy.config.sources.lines import Place
from txproxy.config.sources.placed_findings import in_file, place_of
from txproxy.errors import Finding

LINES = {(): 1, ("listeners",): 3, ("listeners", 0): 3, ("listeners", 0, "listen"): 5, ("via",): 2}
PLACES = {path: Place("p.toml", line) for path, line in LINES.items()}


def test_in_a_file_they_have_the_line_of_what_is_there_and_their_order_is_its():
    findings = [
        Finding(("listeners", 0, "listen", 1), "no endpoint", "accepted is one"),
        Finding(("listeners", 0, "name"), "no name"),
        Finding((), "nothing"),
        Finding(("via",), "no name", place="--via"),
    ]
    placed = in_file(findings, PLACES)
    assert list(map(str, placed)) == [
        "p.toml: nothing",
        "p.toml:2: via: no name",
        "p.toml:3: listeners[0].name: no name",
        "p.toml:5: listeners[0].listen[1]: no endpoint; accepted is one",
    ]
    # The path is there as it was.
    assert [one.path for one in placed] == [findings[number].path for number in (2, 3, 1, 0)]


def test_files_stand_in_the_order_in_which_they_were_read():
    places = {**PLACES, ("pools", "b"): Place("b.toml", 1), ("pools", "a"): Place("a.toml", 2)}
    findings = [Finding(("pools", name), "no pool") for name in "ab"] + [Finding(("via",), "no name")]
    assert [one.place for one in in_file(findings, places)] == [
        "p.toml:2: via",
        "b.toml:1: pools.b",
        "a.toml:2: pools.a",
    ]


def test_what_is_missing_is_missed_in_what_would_have_it():
    assert place_of(("listeners", 0, "name"), PLACES) == Place("p.toml", 3)
    assert str(place_of(("pools",), PLACES)) == "p.toml:1"
