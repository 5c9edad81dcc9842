"""Each page of a job, or of another proxy, is done as it says: its files, what is typed, and what that prints."""

import pathlib
import re

import pytest

from tests.docs.transcripts import Step, Transcript, steps
from tests.integration.conftest import until

DOCS = pathlib.Path(__file__).parents[2] / "docs"
JOBS = sorted(page for page in (DOCS / "jobs").glob("*.rst") if page.stem != "index")
PAGES = JOBS + sorted(page for page in (DOCS / "coming").glob("*.rst") if page.stem != "index")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_what_a_page_says_is_typed_prints_what_it_says(page, tmp_path, processes, run_program):
    transcript = Transcript(page, tmp_path, processes, run_program)
    assert transcript.steps, "nothing is typed"
    wrong = []
    for step in transcript.steps:
        said = transcript.play(step)
        if transcript.comes_later(step):
            until(lambda step=step: step.is_right(transcript.play(step)), f"$ {step.typed}\n{said}")
            continue
        if step.prints and not step.is_right(said):
            wrong.append(f"$ {step.typed}\n{said}in place of\n{step.prints}\n")
    assert not wrong, "\n".join(["", *wrong])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_shows_what_is_said(page):
    # What becomes of an import is the business of its own pages.
    asked = [step for step in steps(page.read_text()) if re.match("txproxy (?!import)", step.typed) and step.prints]
    hidden = [step.typed for step in asked if re.search(r"(?m)\A\.+\Z|(?<!accepted): \.\.\.$", step.prints)]
    assert hidden == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_shows_what_curl_writes_and_nothing_beside_it(page):
    """Where its output is no terminal's, it draws how far it is; and what it writes last has no end of line."""
    typed = [step.typed for step in steps(page.read_text()) if "curl " in step.typed]
    away = re.compile(r"curl (?!.*-s).*(?: -o \S| > |[^|]\|[^|])")
    assert [one for one in typed if away.search(one) or re.search(r'-w "[^"]*(?<!\\n)"', one)] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_shows_each_of_its_files(page):
    shown = set(re.findall(r"literalinclude:: (\S+)", page.read_text()))
    folder = page.with_suffix("")
    files = {f"{page.stem}/{file.relative_to(folder)}" for file in folder.rglob("*.toml")} if folder.is_dir() else set()
    assert files <= shown


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_says_what_each_of_its_programs_is_called(page):
    text = page.read_text()
    shown = re.findall(r"literalinclude:: \S+/(\S+\.py)$", text, re.MULTILINE)
    assert [name for name in shown if f"``{name}``" not in text] == []


def test_all_that_pods_mount_is_made_on_the_page():
    page = DOCS / "jobs" / "kubernetes.rst"
    manifests = "".join(file.read_text() for file in page.with_suffix("").glob("*.yaml"))
    mounted = re.findall(r"(configMap|secret): \{ (?:secretN|n)ame: (\S+) \}", manifests)
    made = {"configMap": "kubectl create configmap {} ", "secret": "kubectl create secret generic {} "}
    assert len(mounted) == 3
    assert [name for kind, name in mounted if made[kind].format(name) not in page.read_text()] == []


def test_the_entry_page_leads_to_each():
    index = (DOCS / "jobs" / "index.rst").read_text()
    assert {page.stem for page in JOBS} <= set(re.findall(r":doc:`(?:[^`<]*<)?([a-z0-9-]+)>?`", index))


def test_steps_are_read_off_a_page():
    page = "Title\n\n.. code-block:: console\n\n   $ one \\\n       more &\n   $ two\n   printed\n\n   last\n\nText.\n"
    assert steps(page) == [Step("one more &", ""), Step("two", "printed\n\nlast")]


@pytest.mark.parametrize(
    ("prints", "said", "right"),
    [
        ("one", "one\n", True),
        ("one", "one\ntwo\n", False),
        ("o...e", "orange\r\n", True),
        ("...\ntwo", "a\nb\ntwo\n", True),
        ("...\ntwo\n...", "a\nb\ntwo\nc\n", True),
        ("...\ntwo\n...", "two\n", True),
        ("...\ntwo", "a\nb\n", False),
        ("a.b", "axb", False),
    ],
)
def test_what_is_printed_is_compared(prints, said, right):
    assert Step("", prints).is_right(said) is right
