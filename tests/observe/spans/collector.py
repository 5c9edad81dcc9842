"""A collector of OpenTelemetry: it hears spans over HTTP, as its protocol has them."""

import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


class Collector(ThreadingHTTPServer):
    """What it has heard: ``spans``, each with the attributes of its resource; and from where, ``paths``."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.spans = []
        self.paths = set()
        # What is asked for besides is answered, and kept.
        self.requests = []

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        data = self.rfile.read(int(self.headers["Content-Length"]))
        found = ExportTraceServiceRequest.FromString(data)
        self.server.paths.add(self.path)
        for resource in found.resource_spans:
            known = values(resource.resource.attributes)
            self.server.spans += [(known, span) for scope in resource.scope_spans for span in scope.spans]
        self._answer()

    def do_GET(self):
        self.server.requests.append(self.headers)
        self._answer()

    def _answer(self):
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *words):
        """Nobody wants to read it."""


def values(attributes):
    """Those of a span or a resource, as Python has them."""
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in attributes}


@contextmanager
def collecting():
    """One that runs."""
    collector = Collector()
    thread = threading.Thread(target=collector.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield collector
    finally:
        collector.shutdown()
        thread.join()
        collector.server_close()
