"""Values whose methods are written when they are needed are what attrs makes otherwise."""

import copy
import linecache
import pickle
import sys
from collections.abc import Callable
from threading import Barrier, Thread
from typing import ClassVar, Generic, TypeVar

import attrs
import pytest
from attrs.exceptions import FrozenInstanceError

from txproxy.frozen_values import frozen

T = TypeVar("T")


def written(kind: type) -> bool:
    """Whether attrs has written a method of ``kind``."""
    name = f"{kind.__module__}.{kind.__qualname__}>"
    return any(file.startswith("<attrs generated") and file.endswith(name) for file in linecache.cache)


def positive(value: object, attribute: object, number: int) -> None:
    if number <= 0:
        raise ValueError(number)


@frozen
class Point:
    KINDS: ClassVar[int] = 3
    x: int = attrs.field(converter=int, validator=positive)
    y: int = 2
    seen: list[int] = attrs.field(factory=list, eq=False, repr=False)
    _hidden: str = ""

    def me(self) -> type:
        return __class__  # type: ignore[name-defined, no-any-return]


@frozen(kw_only=True)
class Deep(Point):
    z: int = 3
    sum: int = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "sum", self.x + self.y + self.z)

    def me(self) -> type:
        assert super().me() is Point
        return __class__  # type: ignore[name-defined, no-any-return]


@frozen(eq=False)
class Thing:
    name: str


@frozen
class Own(Generic[T]):
    what: T

    def __eq__(self, other: object) -> bool:
        return True

    def __hash__(self) -> int:
        return 7

    def __repr__(self) -> str:
        return "own"


def test_nothing_is_written_before_it_is_needed():
    @frozen
    class Late:
        a: int

    assert not written(Late)
    assert Late(1).a == 1
    assert written(Late)


@pytest.mark.parametrize(
    "needs",
    [
        lambda kind: attrs.fields(kind).a,
        lambda kind: kind.__match_args__,
        lambda kind: kind.__init__,
        lambda kind: kind.__hash__,
    ],
)
def test_whoever_looks_at_the_class_finds_it_written(needs: Callable[[type], object]):
    @frozen
    class Looked:
        a: int

    assert needs(Looked)
    assert written(Looked) and Looked(1) == Looked(1) != Looked(2)


def test_a_value_is_made_converted_and_checked():
    point = Point("1", hidden="h")
    assert (point.x, point.y, point.seen, point._hidden) == (1, 2, [], "h")
    with pytest.raises(ValueError, match="0"):
        Point(0)
    with pytest.raises(TypeError, match="missing 1 required positional argument"):
        Point()
    deep = Deep(x=1, z=5)
    assert (deep.sum, deep.me(), point.me()) == (8, Deep, Point)
    with pytest.raises(TypeError, match="positional"):
        Deep(1, 2, [], "", 3)


def test_values_compare_hash_and_show_as_those_of_attrs():
    assert Point(1, seen=[1]) == Point(1) != Point(2)
    assert Point(1) != Deep(x=1)
    assert hash(Point(1)) == hash(Point(1))
    assert {Point(1), Point(1)} == {Point(1)}
    assert repr(Point(1)) == "Point(x=1, y=2, _hidden='')"
    assert repr(Deep(x=1)) == "Deep(x=1, y=2, _hidden='', z=3, sum=6)"
    assert Thing("a") != Thing("a") and repr(Thing("a")) == "Thing(name='a')"
    assert len({Thing("a"), Thing("a")}) == 2
    assert (Own(1) == Own(2), hash(Own(1)), repr(Own(1))) == (True, 7, "own")


def test_no_value_is_changed():
    point = Point(1)
    with pytest.raises(FrozenInstanceError, match="can't set attribute"):
        point.x = 2  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError, match="can't set attribute"):
        del point.x
    with pytest.raises(FrozenInstanceError):
        point.other = 2  # type: ignore[attr-defined]
    assert not hasattr(point, "__dict__")


def test_others_know_such_values_as_those_of_attrs():
    deep = Deep(x=1)
    assert attrs.evolve(deep, y=5) == Deep(x=1, y=5)
    assert [field.name for field in attrs.fields(Deep)] == ["x", "y", "seen", "_hidden", "z", "sum"]
    assert attrs.asdict(Thing("a")) == {"name": "a"} and attrs.has(Thing)
    assert pickle.loads(pickle.dumps(deep)) == copy.copy(deep) == copy.deepcopy(deep) == deep
    match Point(4):
        case Point(x, _):
            assert x == 4


def test_slots_are_those_that_attrs_makes():
    assert Point.__slots__ == ("x", "y", "seen", "_hidden", "__weakref__")
    assert Deep.__slots__ == ("z", "sum")
    assert Point.KINDS == 3 and Point.__qualname__ == "Point" and Point.__module__ == __name__


def test_other_options_are_for_attrs_itself():
    with pytest.raises(TypeError):
        frozen(order=True)


def test_who_inherits_is_known_not_to_be_changed():
    @attrs.define
    class Below(Point):
        z: int = 5

    below = Below(1)
    assert (below.x, below.z) == (1, 5)
    with pytest.raises(FrozenInstanceError):
        below.z = 6


def test_several_threads_make_the_first_value():
    failed = []

    def make(kind, together, use):
        together.wait()
        try:
            assert use(kind)
        except Exception as fault:
            failed.append(fault)

    uses = (
        lambda kind: kind(1) == kind(1),
        lambda kind: repr(kind(1)).endswith("(a=1, b=2)"),
        lambda kind: attrs.evolve(kind(1), b=3).b == 3,
        lambda kind: [field.name for field in attrs.fields(kind)] == ["a", "b"],
        lambda kind: copy.copy(kind(1)) == kind(1),
    )
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for _ in range(40):

            @frozen
            class First:
                a: int
                b: int = 2

            together = Barrier(len(uses))
            threads = [Thread(target=make, args=(First, together, use)) for use in uses]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
    finally:
        sys.setswitchinterval(before)
    assert not failed
