import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Events(BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/silent":
            time.sleep(60)
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        for number in range(1, 4):
            self.wfile.write(b"data: %d\n\n" % number)
            time.sleep(0.1)

    def log_message(self, *words):
        pass


ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Events).serve_forever()
