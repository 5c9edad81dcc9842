"""An upstream that answers with what it got: ``Echo(name)``, in a thread of the test's own process."""

import http.server
import json
import threading


class _Answers(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # A head and its body go out in one piece.
    wbufsize = -1
    # A connection that nobody asks anything on holds nobody else up for ever.
    timeout = 20

    def _answer(self):
        length = int(self.headers.get("Content-Length", "0"))
        body = self.rfile.read(length)
        got = {
            "upstream": self.server.name,
            "method": self.command,
            "path": self.path,
            "headers": {name.lower(): value for name, value in self.headers.items()},
            "body": len(body),
        }
        self.server.seen += 1
        said = json.dumps({**got, "number": self.server.seen}).encode()
        self.send_response(int(self.headers.get("X-Answer-Status", "200")))
        for name, value in self.headers.items():
            # What the test wants to be answered with.
            if name.startswith("X-Answer-") and name != "X-Answer-Status":
                self.send_header(name.removeprefix("X-Answer-"), value)
        self.send_header("Content-Type", "application/json")
        self.send_header("X-Secret", "of the upstream")
        self.send_header("Content-Length", str(len(said)))
        self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(said)
        self.wfile.flush()

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_OPTIONS = do_PATCH = _answer

    def log_message(self, *words):
        pass


class Echo(http.server.HTTPServer):
    """At ``port``, which is free. It answers one after the other, each on a connection of its own."""

    request_queue_size = 64

    def __init__(self, name):
        super().__init__(("127.0.0.1", 0), _Answers)
        self.name = name
        self.seen = 0
        self.port = self.server_port
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def close(self):
        self.shutdown()
        self.server_close()
