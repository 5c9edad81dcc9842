"""What takes lines of a log, as code of somebody's has it."""

from txproxy.components.named_code import NamedCode
from txproxy.interfaces import LogSink
from txproxy.observe.own_sink import OwnSink

TAKEN: list[str] = []


class Takes(LogSink):
    def write(self, line: str) -> None:
        TAKEN.append(line)


def test_a_class_of_them_is_made_and_gets_lines_without_their_ends() -> None:
    TAKEN.clear()
    OwnSink(NamedCode(f"{__name__}:Takes")).write(b"one line\n")
    assert TAKEN == ["one line"]
