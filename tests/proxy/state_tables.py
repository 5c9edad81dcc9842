"""Reads the tables of states in the documentation, and holds code to them."""

import pathlib
import re

PAGE = pathlib.Path(__file__).parents[2] / "docs" / "internals" / "connection-states.rst"


def table(title):
    """The rows of the list-table with this ``title``, without its head; code is without its marks."""
    text = PAGE.read_text().partition(f".. list-table:: {title}\n")[2]
    assert text, f"no table is called {title!r}"
    rows = []
    for line in text.splitlines():
        if line and not line.startswith("   "):
            break
        item = re.fullmatch(r"   (\*| ) - (.*)", line)
        if item is None:
            if rows and line.strip() and not line.strip().startswith(":"):
                rows[-1][-1] += " " + line.strip()
        elif item[1] == "*":
            rows.append([item[2]])
        else:
            rows[-1].append(item[2])
    return [[cell.replace("``", "") for cell in row] for row in rows[1:]]


def states(title):
    """Each state that a table has, with its meaning."""
    return dict(table(title))


def steps(title):
    """What leads where, by a table."""
    found = [(before, after) for before, event, after in table(title) if event]
    assert len(set(found)) == len(found), "a step stands twice"
    return set(found)


def steps_of(states):
    """The same as the code has it."""
    return {(before.name, after.name) for before in states for after in before.leads_to}
