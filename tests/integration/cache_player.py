"""Plays the cases of ``cache_cases`` to a cache, many at once, and is its origin meanwhile.

By hand, with an origin of its own at PORT, which the cache must ask::

    python -m tests.integration.cache_player --cache 127.0.0.1:8080 --origin PORT [--forward] [--only ID,ID] [--show]
"""

import argparse
import asyncio
import contextlib
import itertools
import os
import socket
import time

import attrs

from tests.integration.cache_transcripts import filled, http_date, read_all

AT_ONCE = 40
# For hangs alone.
DEADLINE = 30
BODILESS = (204, 304)


@attrs.define
class Message:
    """A request at the origin, or a response at the client."""

    first: str
    lines: list
    body: bytes = b""
    interim: list = attrs.field(factory=list)
    whole: bool = True

    @property
    def fields(self):
        found = {}
        for name, value in self.lines:
            found.setdefault(name.lower(), []).append(value)
        return found

    def values(self, name):
        return self.fields.get(name.lower(), [])

    @property
    def status(self):
        return int(self.first.split(" ")[1])

    @property
    def method(self):
        return self.first.split(" ")[0]

    def __str__(self):
        return "\n".join([self.first, *(f"{name}: {value}" for name, value in self.lines), "", repr(self.body[:200])])


async def _read_head(reader):
    first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").rstrip("\r\n").split("\r\n")
    return Message(first, [(name, value.strip()) for name, _, value in (line.partition(":") for line in lines)])


async def _read_chunks(reader):
    body = b""
    while size := int((await reader.readline()).split(b";")[0], 16):
        body += (await reader.readexactly(size + 2))[:-2]
    while (await reader.readline()).strip():
        pass
    return body


async def _read_body(message, reader, until_the_end):
    """Fills in the body, and whether it is all there."""
    length = message.values("content-length")
    try:
        if message.values("transfer-encoding"):
            message.body = await _read_chunks(reader)
        elif length:
            message.body = await reader.readexactly(int(length[0]))
        elif until_the_end:
            message.body = await reader.read()
    except asyncio.IncompleteReadError as cut:
        message.body, message.whole = cut.partial, False
    except (ValueError, ConnectionError):
        message.whole = False
    return message


class Scene:
    """A case that is played: ``at`` is the step, ``asked`` and ``sent`` what the origin heard and said in each."""

    _numbers = itertools.count(1)

    def __init__(self, case):
        self.case = case
        self.path = f"/{case.id}-{os.getpid()}-{next(self._numbers)}"
        self.now = int(time.time())
        self.at = 0
        self.asked = [[] for _ in case.steps]
        self.sent = [set() for _ in case.steps]

    def content(self, number, request):
        """What the origin sends in a step, before anything is done to it."""
        text = self.case.steps[number].content
        if text is None:
            return f"answer {number + 1} of {self.case.id}".encode()
        return filled(text, self.now, self.path, request.fields).encode()


class Origin:
    """Answers by the step that the case of a path is at."""

    def __init__(self, listening):
        self.listening = listening
        self.scenes = {}
        self._open = {}

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._serve, sock=self.listening, limit=1 << 20)
        return self

    async def __aexit__(self, *_):
        self._server.close()
        for writer in self._open.values():
            writer.transport.abort()
        await asyncio.gather(*self._open)

    async def _serve(self, reader, writer):
        self._open[asyncio.current_task()] = writer
        with contextlib.suppress(asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError, ValueError):
            while True:
                request = await _read_body(await _read_head(reader), reader, False)
                if not self._respond(request, writer):
                    break
                await writer.drain()
        writer.close()
        del self._open[asyncio.current_task()]

    def _respond(self, request, writer):
        """Whether the connection stays."""
        target = request.first.split(" ")[1]
        scene = self.scenes.get("/" + target.split("?")[0].lstrip("/").split("/")[0])
        if scene is None:
            writer.write(b"HTTP/1.1 421 Misdirected Request\r\nContent-Length: 0\r\n\r\n")
            return True
        scene.asked[scene.at].append(request)
        step = scene.case.steps[scene.at]
        if "close" in step.ways:
            return False
        for interim in step.interim:
            status, _, field = interim.partition(" ")
            writer.write(f"HTTP/1.1 {status} Interim\r\n{field}\r\n\r\n".encode())
        return _write_answer(scene, step, request, writer)


def _write_answer(scene, step, request, writer):
    status, body = step.status, scene.content(scene.at, request)
    if status == 304 and not (request.values("if-none-match") or request.values("if-modified-since")):
        status = 200
    lines = [(name, filled(value, scene.now, scene.path, request.fields)) for name, value in step.answer]
    names = {name.lower() for name, _ in lines}
    if "bare" not in step.ways:
        lines += [("Date", http_date(time.time()))] if "date" not in names else []
        lines += [("Content-Type", "text/plain")] if "content-type" not in names and status != 304 else []
    bodiless = status in BODILESS
    if not bodiless:
        scene.sent[scene.at].add(body)
    data = b"" if bodiless or request.method == "HEAD" else body
    if "chunked" in step.ways and not bodiless:
        lines.append(("Transfer-Encoding", "chunked"))
        data = data and b"%x\r\n%b\r\n0\r\n\r\n" % (len(data), data)
    elif not bodiless and "content-length" not in names:
        lines.append(("Content-Length", str(len(body))))
    if "cut" in step.ways:
        data = data[: len(data) // 2]
    head = "".join(f"{name}: {value}\r\n" for name, value in lines)
    writer.write(f"HTTP/1.1 {status} Status\r\n{head}\r\n".encode("latin-1") + data)
    return "cut" not in step.ways


@attrs.frozen
class Cache:
    """Where it listens, and how it is asked: ``authority`` is that of the origin for a forward proxy."""

    port: int
    authority: str
    forward: bool = False
    host: str = "127.0.0.1"

    async def ask(self, scene, step):
        reader, writer = await asyncio.open_connection(self.host, self.port, limit=1 << 20)
        try:
            writer.write(self._request(scene, step))
            interim = []
            while (response := await _read_head(reader)).status < 200:
                interim.append(response)
            response.interim = interim
            if step.method != "HEAD" and response.status not in BODILESS:
                await _read_body(response, reader, True)
            return response
        finally:
            writer.close()

    def _request(self, scene, step):
        target = scene.path + step.suffix
        if self.forward:
            target = f"http://{self.authority}{target}"
        lines = [(name, filled(value, scene.now, scene.path)) for name, value in step.fields]
        names = {name.lower() for name, _ in lines}
        if "host" not in names:
            lines.insert(0, ("Host", self.authority))
        body = (step.body or "").encode()
        if body and not names & {"content-length", "transfer-encoding"}:
            lines.append(("Content-Length", str(len(body))))
        head = "".join(f"{name}: {value}\r\n" for name, value in lines)
        return f"{step.method} {target} HTTP/1.1\r\n{head}\r\n".encode("latin-1") + body


def _source_fault(scene, step, response):
    """What is wrong with where the response comes from."""
    asked, number = scene.asked[scene.at], scene.at
    conditional = [r for r in asked if r.values("if-none-match") or r.values("if-modified-since")]
    if step.source == "origin" and not asked:
        return "the origin was not asked"
    if step.source == "stored" and asked:
        return "the origin was asked"
    if step.source == "checked" and not conditional:
        return "the origin was asked without a condition" if asked else "the origin was not asked"
    if step.source is None or step.method == "HEAD" or response.status in (*BODILESS, 206, 416):
        return None
    steps = [number] if step.source == "origin" else [step.of_step - 1] if step.of_step else range(number)
    if any(response.body in scene.sent[n] for n in steps):
        return None
    if step.source == "origin" and "cut" in step.ways:
        return None
    return f"the body is {response.body[:80]!r}, which is not that of {' or '.join(f'step {n + 1}' for n in steps)}"


def _status_fault(scene, step, response):
    wanted = step.gets
    if wanted is None and "cut" in step.ways:
        # Who waits for the whole says 502.
        return None
    if wanted is None:
        of = {"origin": scene.at, None: None}.get(step.source, (step.of_step or 1) - 1)
        if of is None:
            return None
        wanted = (scene.case.steps[of].status,)
    return (
        None if response.status in wanted else f"the status is {response.status}, not {' or '.join(map(str, wanted))}"
    )


def _text_fault(scene, step, response):
    body = response.body.decode("latin-1")
    for sign, text in step.text:
        text = filled(text, scene.now, scene.path)
        if {"==": body != text, "=~": text not in body, "=!~": text in body}[sign]:
            return f"the body is {body[:200]!r}, not {sign} {text!r}"
    return None


def _asked_fault(scene, step):
    asked = scene.asked[scene.at]
    for check in step.asked:
        if not asked:
            return "the origin was not asked"
        if check == "once":
            fault = None if len(asked) == 1 else f"the origin was asked {len(asked)} times"
        elif isinstance(check, str):
            fault = None if check == f"by {asked[-1].method}" else f"the origin was asked by {asked[-1].method}"
        else:
            fault = _field_fault(scene, check, asked[-1])
            fault = fault and f"at the origin {fault}"
        if fault:
            return fault
    return None


def _field_fault(scene, check, message):
    return attrs.evolve(check, value=filled(check.value, scene.now, scene.path)).fault(message.values(check.name))


def _seen_fault(scene, step, response):
    if step.interim and len(response.interim) != len(step.interim):
        return f"{len(response.interim)} interim responses came, not {len(step.interim)}"
    faults = (_field_fault(scene, check, response) for check in step.sees)
    return next(filter(None, faults), None)


def fault_of(scene, step, response):
    """What is wrong with a step, or None."""
    faults = (
        _source_fault(scene, step, response),
        _status_fault(scene, step, response),
        _text_fault(scene, step, response),
        _seen_fault(scene, step, response),
        _asked_fault(scene, step),
    )
    return next(filter(None, faults), None)


async def _play(case, cache, origin, show):
    scene = Scene(case)
    origin.scenes[scene.path] = scene
    for number, step in enumerate(case.steps):
        if number and case.steps[number - 1].wait:
            await asyncio.sleep(case.steps[number - 1].wait)
        scene.at = number
        where = f"{case.file}:{step.line}: step {number + 1}"
        try:
            response = await asyncio.wait_for(cache.ask(scene, step), DEADLINE)
        except asyncio.TimeoutError:
            return f"{where}: no response within {DEADLINE} s"
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            return f"{where}: no response: {error!r}"
        if show:
            asked = "\n".join(f"  at the origin: {request}" for request in scene.asked[number])
            show(f"--- {where} {step.method} {scene.path}{step.suffix}\n{asked}\n  at the client: {response}")
        fault = fault_of(scene, step, response)
        if fault:
            return f"{where}: {fault}"
    return None


async def play(cases, cache, listening, show=None):
    """The faults of those cases that do not hold, by their names; ``listening`` is the socket of the origin."""
    gate, faults = asyncio.Semaphore(AT_ONCE), {}

    async def one(case, origin):
        async with gate:
            fault = await _play(case, cache, origin, show)
        if fault:
            faults[case.id] = fault

    async with Origin(listening) as origin:
        await asyncio.gather(*[one(case, origin) for case in cases])
    return dict(sorted(faults.items()))


def _main():
    parser = argparse.ArgumentParser(description="Plays the cases to a cache.")
    parser.add_argument("--cache", required=True, help="where it listens: HOST:PORT")
    parser.add_argument("--origin", required=True, type=int, help="the port that it asks at 127.0.0.1")
    parser.add_argument("--forward", action="store_true", help="it is a forward proxy")
    parser.add_argument("--only", help="names of cases, with commas")
    parser.add_argument("--peer", help="only those cases that this peer does")
    parser.add_argument("--show", action="store_true", help="what is asked and answered")
    given = parser.parse_args()
    mode = "forward" if given.forward else "reverse"
    cases = [case for case in read_all().values() if mode in case.only]
    if given.only:
        cases = [case for case in cases if case.id in given.only.split(",")]
    if given.peer:
        cases = [case for case in cases if given.peer in case.also]
    host, _, port = given.cache.rpartition(":")
    authority = f"127.0.0.1:{given.origin}" if given.forward else given.cache
    cache = Cache(int(port), authority, given.forward, host or "127.0.0.1")
    listening = socket.create_server(("127.0.0.1", given.origin))
    faults = asyncio.run(play(cases, cache, listening, print if given.show else None))
    for name, fault in faults.items():
        print(f"[{name}] {fault}")
    print(f"{len(cases) - len(faults)} of {len(cases)} cases hold")
    raise SystemExit(bool(faults))


if __name__ == "__main__":
    _main()
