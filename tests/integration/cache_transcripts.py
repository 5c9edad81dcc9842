"""Reads the cases of ``cache_cases``: what a client asks, what the origin would answer, and what is to come of it.

A case is a few lines, and each line's first sign says whose it is::

    [max-age] A response is fresh for max-age seconds (RFC 9111 4.2.1).
    also nginx squid varnish
    > GET ?a=1
    > Accept: text/plain
    >> a body of the request
    < 200
    < Cache-Control: max-age=60
    << a body of the response
    > GET ?a=1
    = stored
    = Age < 10
    == a body of the response

``also`` names the peers that do so too, ``only`` the modes it is about. ``>`` begins a step, or adds a field to its
request. ``<`` is what the origin answers if it is asked in that step: a status, a field, or a way to answer in
(``WAYS``). ``=`` says where the response is to come from (``SOURCES``), of which step's answer it is, and its status,
or ``failed`` for one that says that there was no answer; or what a field of it is like. ``==``, ``=~`` and ``=!~`` are
about its body: it is this, or has this in it, or has not. ``?`` says what the origin was asked in that step: a field,
``by METHOD``, or ``once``. ``wait 0.3`` lets time pass before the next step.

Braces in values are filled in: ``{-60}`` with a date so many seconds from now, ``{-60 850}`` and ``{-60 asctime}`` with
its older forms, ``{2000*x}`` with so many letters, ``{here}`` with the case's path, and in answers ``{asked Host}``
with a field as the origin was sent it.
"""

import re
import time
from email.utils import formatdate
from pathlib import Path

import attrs

FOLDER = Path(__file__).parent / "cache_cases"
MODES = ("reverse", "forward")
PEERS = ("nginx", "squid", "varnish")
# origin: it was asked, and this is what it answered. stored: it was not asked. checked: it was asked with a condition,
# and the stored response was good. stale: the stored response, whether it was asked meanwhile or not.
SOURCES = ("origin", "stored", "checked", "stale")
# What a gateway says of an origin that does not answer.
FAILED = (502, 503, 504)
# close: no answer at all. cut: half of the body. chunked: without a length. bare: no Date and no Content-Type.
WAYS = ("close", "cut", "chunked", "bare")

_HEAD = re.compile(r"\[([a-z0-9-]+)\] (\S.*)")
_METHOD = re.compile(r"([A-Z][A-Z-]*)(?: (\S.*))?")
_CHECK = re.compile(r"(!?)([A-Z][A-Za-z0-9-]*)(?:: (.*)| (~|!~|<|>) (.*))?")
_BRACES = re.compile(r"\{([^{}]+)\}")


class TranscriptError(Exception):
    """A case that cannot be read; says where."""


@attrs.frozen
class Check:
    """What a field is to be like: ``sign`` is one of ``= ~ !~ < > here gone``."""

    name: str
    sign: str
    value: str = ""

    def fault(self, values):
        """What is wrong with a field that has these values, or None."""
        found = ", ".join(values)
        numbers = [int(value) for value in (found, self.value) if value.isdigit()]
        good = {
            "=": lambda: found == self.value,
            "~": lambda: self.value in found,
            "!~": lambda: self.value not in found,
            "<": lambda: len(numbers) == 2 and numbers[0] < numbers[1],
            ">": lambda: len(numbers) == 2 and numbers[0] > numbers[1],
            "here": lambda: bool(values),
            "gone": lambda: not values,
        }[self.sign]()
        return None if good else f"{self.name} is {found!r}, not {self.sign} {self.value}".rstrip()


@attrs.define
class Step:
    """One request, and what is known of it."""

    method: str
    suffix: str
    line: int
    fields: list = attrs.field(factory=list)
    body: str | None = None
    status: int = 200
    ways: set = attrs.field(factory=set)
    interim: list = attrs.field(factory=list)
    answer: list = attrs.field(factory=list)
    content: str | None = None
    source: str | None = None
    of_step: int | None = None
    gets: tuple | None = None
    sees: list = attrs.field(factory=list)
    text: list = attrs.field(factory=list)
    asked: list = attrs.field(factory=list)
    wait: float = 0.0


@attrs.define
class Case:
    """A name, a sentence, and its steps."""

    id: str
    says: str
    file: str
    line: int
    only: tuple = MODES
    also: tuple = ()
    steps: list = attrs.field(factory=list)


def http_date(seconds, form=""):
    """RFC 9110 section 5.6.7."""
    if form == "asctime":
        return time.asctime(time.gmtime(seconds))
    if form == "850":
        return time.strftime("%A, %d-%b-%y %H:%M:%S GMT", time.gmtime(seconds))
    return formatdate(seconds, usegmt=True)


def filled(text, now, here, asked=None):
    """``text`` with its braces filled in; ``asked`` has the fields that the origin was sent, by lower-case names."""

    def fill(match):
        what, _, rest = match[1].partition(" ")
        if what == "here":
            return here
        if what == "asked" and asked is not None:
            return ", ".join(asked.get(rest.lower(), ["-"]))
        if re.fullmatch(r"[+-]\d+", what):
            return http_date(now + int(what), rest)
        if re.fullmatch(r"\d+\*.", match[1]):
            return match[1][-1] * int(match[1][:-2])
        raise TranscriptError(f"no such braces: {match[0]}")

    return _BRACES.sub(fill, text)


def _field(text):
    name, colon, value = text.partition(":")
    if not colon:
        raise ValueError(f"not a field: {text!r}")
    return name, value.strip(" ")


def _check(text):
    match = _CHECK.fullmatch(text)
    if match is None:
        raise ValueError(f"not about a field: {text!r}")
    absent, name, exactly, sign, value = match.groups()
    if absent:
        return Check(name, "gone")
    if exactly is not None:
        return Check(name, "=", exactly)
    return Check(name, sign, value) if sign else Check(name, "here")


def _outcome(step, text):
    """What follows ``=``."""
    if text[0].isupper() or text[0] == "!":
        step.sees.append(_check(text))
        return
    for word in text.split():
        if word in SOURCES:
            step.source = word
        elif word == "failed":
            step.gets = FAILED
        elif word.isdigit() and int(word) < 100:
            step.of_step = int(word)
        elif word.isdigit():
            step.gets = (int(word),)
        else:
            raise ValueError(f"neither of {', '.join(SOURCES)}, nor a step, a status or a field: {word!r}")


def _answer(step, text):
    """What follows ``<``."""
    first, _, rest = text.partition(" ")
    if first == "interim":
        step.interim.append(rest)
    elif first.endswith(":"):
        step.answer.append(_field(text))
    else:
        for word in text.split():
            if word in WAYS:
                step.ways.add(word)
            elif word.isdigit():
                step.status = int(word)
            else:
                raise ValueError(f"neither a status nor one of {', '.join(WAYS)}: {word!r}")


def _take(case, sign, text, line):
    """One line of a case."""
    if sign == ">" and (match := _METHOD.fullmatch(text)):
        case.steps.append(Step(match[1], match[2] or "", line))
        return
    if sign in ("only", "also"):
        known = MODES if sign == "only" else PEERS
        if not set(text.split()) <= set(known):
            raise ValueError(f"{sign} is of {', '.join(known)}")
        setattr(case, sign, tuple(text.split()))
        return
    if not case.steps:
        raise ValueError("a step begins with a method, and what follows the case's path")
    step = case.steps[-1]
    if sign == ">":
        step.fields.append(_field(text))
    elif sign == ">>":
        step.body = text
    elif sign == "<":
        _answer(step, text)
    elif sign == "<<":
        step.content = text
    elif sign == "=":
        _outcome(step, text)
    elif sign in ("==", "=~", "=!~"):
        step.text.append((sign, text))
    elif sign == "?":
        step.asked.append(_check(text) if text[0].isupper() or text[0] == "!" else text)
    elif sign == "wait":
        step.wait = float(text)
    else:
        raise ValueError(f"no line begins with {sign!r}")


def _whole(case):
    """The case, if it says enough."""
    if not case.steps:
        raise ValueError(f"[{case.id}] has no steps")
    first = case.steps[0]
    if first.source is None and first.gets is None:
        first.source = "origin"
    for step in case.steps:
        if not (step.source or step.gets or step.sees or step.text or step.asked):
            raise ValueError(f"the step of line {step.line} expects nothing")
    return case


def read_text(text, file):
    """The cases of one file's text."""
    cases = []
    for line, written in enumerate(text.splitlines(), 1):
        if not written.strip() or written.startswith("#"):
            continue
        try:
            if match := _HEAD.fullmatch(written):
                cases.append(Case(match[1], match[2], file, line))
                continue
            sign, _, rest = written.partition(" ")
            if not cases:
                raise ValueError("a case begins with its name in brackets, and a sentence")
            _take(cases[-1], sign, rest, line)
        except ValueError as error:
            raise TranscriptError(f"{file}:{line}: {error}") from None
    for case in cases:
        try:
            _whole(case)
        except ValueError as error:
            raise TranscriptError(f"{file}:{case.line}: {error}") from None
    return cases


def read_all(folder=FOLDER):
    """All cases, by their names."""
    found = {}
    for path in sorted(folder.glob("*.txt")):
        for case in read_text(path.read_text(), path.name):
            if case.id in found:
                raise TranscriptError(f"{path.name}:{case.line}: [{case.id}] is in {found[case.id].file} as well")
            found[case.id] = case
    return found
