import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Count(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_PUT(self):
        said = b"%d bytes\n" % sum(map(len, self.body()))
        self.send_response(200)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def body(self):
        while size := int(self.rfile.readline(), 16):  # a body in chunks
            while size:
                part = self.rfile.read(min(size, 65536))
                size -= len(part)
                yield part
            self.rfile.readline()
        self.rfile.readline()

    def log_message(self, *words):
        pass


ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Count).serve_forever()
