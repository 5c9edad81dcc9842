"""A server that answers as a test says, and knows what it was asked."""

import contextlib
import http.server
import threading
from email.utils import formatdate

import attrs


@attrs.frozen
class Asked:
    """A request: names of ``fields`` are in lower case, and several lines are one."""

    method: str
    path: str
    fields: dict[str, str]


@attrs.define
class ScriptedOrigin:
    """Answers each request with what ``answer`` makes of it: a status, fields and a body. As long as ``held`` is not
    set, none gets one.
    """

    port: int
    answer: object
    asked: list[Asked] = attrs.field(factory=list)
    held: threading.Event = attrs.field(factory=threading.Event)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def take(self):
        """What it was asked since the last time."""
        asked, self.asked[:] = list(self.asked), []
        return asked

    def handle(self, handler):
        length = int(handler.headers.get("content-length", 0))
        handler.rfile.read(length)
        fields = {name.lower(): ", ".join(handler.headers.get_all(name)) for name in handler.headers}
        asked = Asked(handler.command, handler.path, fields)
        self.asked.append(asked)
        self.held.wait()
        status, more, body = self.answer(asked)
        handler.send_response_only(status)
        lines = {"Date": formatdate(usegmt=True), **more}
        if status not in (204, 304):
            lines.setdefault("Content-Length", str(len(body)))
        for name, value in lines.items():
            for one in [value] if isinstance(value, str) else value:
                handler.send_header(name, one)
        handler.end_headers()
        if handler.command != "HEAD" and status not in (204, 304):
            handler.wfile.write(body.encode())


@contextlib.contextmanager
def scripted_origin(port, answer):
    """One at ``port``; ``answer`` may be set anew at any time."""
    origin = ScriptedOrigin(port, answer)
    origin.held.set()

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_):
            pass

        def handle(self):
            with contextlib.suppress(ConnectionError):
                super().handle()

    for method in ("GET", "HEAD", "POST", "PUT", "DELETE", "PURGE", "OPTIONS"):
        setattr(Handler, f"do_{method}", lambda self: origin.handle(self))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield origin
    finally:
        origin.held.set()
        server.shutdown()
        server.server_close()
        thread.join()
