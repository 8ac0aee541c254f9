"""Something that takes lines of JSON over HTTP, and may refuse or be away for a while."""

from __future__ import annotations

import json
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Quiet(ThreadingHTTPServer):
    """Who sends may be killed."""

    def handle_error(self, *_: object) -> None:
        pass


class Sink:
    """What it was sent, in `rows`; answers with `status`."""

    def __init__(self, port: int = 0) -> None:
        self.rows: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.status = 204
        sink = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    body = zlib.decompress(body, wbits=31)
                sink.headers.append(dict(self.headers))
                if sink.status < 300:
                    sink.rows += [json.loads(line) for line in body.splitlines()]
                self.send_response(sink.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = Quiet(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), daemon=True
        )
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/readings"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@contextmanager
def sinking() -> Iterator[Sink]:
    made = Sink()
    try:
        yield made
    finally:
        made.close()
