"""Code that a configuration names, and its settings."""

import dataclasses
import pickle
import sys

import attrs
import pytest

from txproxy.components.named_code import NamedCode, call_code, check_call, codes, find_code, is_name, read_name
from txproxy.errors import ConfigError


@attrs.frozen
class Own:
    name: str
    size: int = attrs.field(default=5)

    def __attrs_post_init__(self):
        if self.size > 10:
            raise ConfigError("it is too much", "accepted is up to 10", ("size",))
        if self.size < 0:
            raise ValueError("less than\nnothing")


@dataclasses.dataclass
class Other:
    names: list[str]
    more: bool = False


def function(request, *, level: float = 1.0):
    return level


def anything(**settings):
    return settings


HERE = __name__
sys.modules.setdefault(HERE, sys.modules[__name__])


@pytest.mark.parametrize(
    ("found", "settings", "given", "said"),
    [
        (Own, {"name": "a"}, 0, ""),
        (Own, {"name": "a", "size": 3}, 0, ""),
        (Own, {}, 0, "'m:X' needs name; accepted is { use = 'm:X', name = ... }"),
        (Own, {"nome": "a"}, 0, "nome: 'm:X' has no such setting (is name meant?); accepted: use, name, size"),
        (Own, {"name": 3}, 0, "name: 3 is none; accepted is a text in quotes"),
        (Other, {"names": ["a"], "more": True}, 0, ""),
        (Other, {"names": [1]}, 0, "names: [1] is none; accepted is a list, each a text in quotes"),
        (function, {"level": 2}, 1, ""),
        (function, {"request": 2}, 1, "request: 'm:X' has no such setting; accepted: use, level"),
        (function, {}, 2, "'m:X' takes other arguments; this"),
        (function, {}, 0, "'m:X' needs request; accepted is { use = 'm:X', request = ... }"),
        (anything, {"a": 1}, 0, ""),
        (dict, {"a": 1}, 0, ""),
    ],
)
def test_settings_are_checked_by_what_they_are_for(found, settings, given, said):
    code = NamedCode("m:X", settings)
    if not said:
        check_call(code, found, given, "this")
        return
    with pytest.raises(ConfigError) as fault:
        check_call(code, found, given, "this")
    assert str(fault.value) == said


@pytest.mark.parametrize(
    ("size", "said"),
    [
        (11, "size: 'm:X': it is too much; accepted is up to 10"),
        (-1, "'m:X' cannot be called: ValueError: less than nothing ("),
    ],
)
def test_what_it_says_itself_is_said(size, said):
    with pytest.raises(ConfigError) as fault:
        call_code(NamedCode("m:X", {"name": "a", "size": size}), Own, "this")
    assert str(fault.value).startswith(said) and "\n" not in str(fault.value)


def test_it_is_called_with_its_settings():
    assert call_code(NamedCode("m:X", {"name": "a"}), Own, "") == Own("a")


def test_names():
    assert is_name("a.b:C.d") and not is_name("header-hash:a") and not is_name("a:b:c") and not is_name("a")
    with pytest.raises(ConfigError, match="'x' names no sink; accepted is MODULE:NAME"):
        read_name("x", "sink")
    assert find_code(NamedCode("logging:getLogger"), "sink").__name__ == "getLogger"


def test_one_is_a_value():
    one = NamedCode("a:b", {"c": [1]})
    assert pickle.loads(pickle.dumps(one)) == one == NamedCode("a:b", {"c": [1]})
    assert one != NamedCode("a:b", {"c": [2]}) and one != NamedCode("a:b", {"c": [1]}, 1)
    assert len({one, NamedCode("a:b", {"c": [1]})}) == 1 and "1" not in repr(NamedCode("a:b", {"c": "1"})).replace(
        "generation", ""
    )
    assert codes(["a:b", one]) == (NamedCode("a:b"), one) and str(one) == "a:b"
