"""Numbers as text, read by the parsers of prometheus_client."""

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as prometheus

from txproxy.admin.metrics.exposition import counter, gauge, histogram, wants_openmetrics, written

NASTY = 'a"b\\c\nd ä,}{='
FAMILIES = [
    counter("x", "Things that grow", [(5, {}), (7, {"name": NASTY})]),
    gauge("y_bytes", "Things that are", [(1.5, {"a": "b", "c": ""}), (10**15, {}), (float("inf"), {"a": "c"})]),
    histogram(
        "z_seconds", "How long", (0.1, 1.0), [((2, 0, 1), 4.25, {"route": NASTY}), ((0, 0, 0), 0.0, {"route": ""})]
    ),
    gauge("nothing", "Nothing at all", []),
]


@pytest.mark.parametrize(("parse", "is_open"), [(prometheus, False), (openmetrics, True)])
def test_what_is_written_is_read(parse, is_open):
    found = {family.name: family for family in parse(written(FAMILIES, is_open))}
    assert {name: family.type for name, family in found.items()} == {
        "x": "counter", "y_bytes": "gauge", "z_seconds": "histogram",
    }  # fmt: skip
    assert found["x"].documentation == "Things that grow."
    assert [(one.name, one.labels, one.value) for one in found["x"].samples] == [
        ("x_total", {}, 5.0), ("x_total", {"name": NASTY}, 7.0),
    ]  # fmt: skip
    assert [one.value for one in found["y_bytes"].samples] == [1.5, 1e15, float("inf")]
    first = [one for one in found["z_seconds"].samples if one.labels["route"] == NASTY]
    assert [(one.name, one.labels.get("le"), one.value) for one in first] == [
        ("z_seconds_bucket", "0.1", 2.0), ("z_seconds_bucket", "1.0", 2.0), ("z_seconds_bucket", "+Inf", 3.0),
        ("z_seconds_count", None, 3.0), ("z_seconds_sum", None, 4.25),
    ]  # fmt: skip


def test_the_older_format_has_the_suffix_in_the_name_of_a_counter_and_no_end():
    assert written(FAMILIES[:1], False).startswith(
        "# HELP x_total Things that grow.\n# TYPE x_total counter\nx_total 5\n"
    )
    assert written(FAMILIES[:1], True).startswith("# HELP x Things that grow.\n# TYPE x counter\nx_total 5\n")
    assert written([], True) == "# EOF\n" and written([], False) == ""


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("", False),
        ("*/*", False),
        ("text/plain;version=0.0.4", False),
        ("application/openmetrics-text;version=1.0.0,text/plain;q=0.5", True),
        ("Application/OpenMetrics-Text", True),
    ],
)
def test_who_understands_openmetrics_says_so(accept, expected):
    assert wants_openmetrics(accept) is expected
