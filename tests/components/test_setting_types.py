"""Whether values are what annotations ask for."""

from collections.abc import Mapping
from typing import Any, Literal

import pytest

from txproxy.components.setting_types import accepted_of, fits, hints_of


@pytest.mark.parametrize(
    ("wanted", "right", "wrong", "accepted"),
    [
        (str, ["", "a"], [1, True, ["a"]], "accepted is a text in quotes"),
        (int, [0, -1], [True, 1.5, "1"], "accepted is a whole number"),
        (float, [0, 1.5], [True, "1"], "accepted is a number"),
        (bool, [True, False], [0, "true"], "accepted is true or false"),
        (list, [[], [1]], ["a", {}], "accepted is a list"),
        (list[str], [[], ["a"]], [[1], "a"], "accepted is a list, each a text in quotes"),
        (tuple[int, ...], [[1, 2]], [["a"]], "accepted is a list, each a whole number"),
        (dict[str, int], [{"a": 1}], [{"a": "b"}, []], "accepted is a table"),
        (Mapping[str, Any], [{"a": "b"}], [[]], "accepted is a table"),
        (int | None, [1], ["a"], "accepted is a whole number or no such key"),
        (int | str, [1, "a"], [[], 1.5], "accepted is a whole number or a text in quotes"),
        (Literal["a", 2], ["a", 2], ["b"], "accepted is 'a' or 2"),
        (object, [1, "a", []], [], "accepted is <class 'object'>"),
    ],
)
def test_values_and_annotations(wanted, right, wrong, accepted):
    assert all(fits(value, wanted) for value in right)
    assert not any(fits(value, wanted) for value in wrong)
    assert accepted_of(wanted) == accepted


def test_annotations_that_cannot_be_told_are_none():
    def wants(a: "NoSuchName"):  # noqa: F821
        pass

    assert hints_of(wants) == {} == hints_of(3)
