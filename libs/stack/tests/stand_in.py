"""Stands in for `python -m chassis`: answers /readyz, and shows the environment it was given."""

import json
import os
from http.server import BaseHTTPRequestHandler, HTTPServer


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        ours = {name: value for name, value in os.environ.items() if name.startswith("CLOSELOOP_")}
        body = json.dumps({**ours, "process": os.getpid()}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


if __name__ == "__main__":
    HTTPServer((os.environ["CLOSELOOP_HOST"], int(os.environ["CLOSELOOP_PORT"])), Handler).serve_forever()
