"""A web server on this host that answers as told: ranges, cut connections, refusals, redirects, another file."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx


class Server:
    """Serves `content` at every path. `faults` are used up one a request: a status, "cut", "slow down" or a URL."""

    def __init__(self, content: bytes, tag: str = '"one"') -> None:
        self.content = content
        self.tag = tag
        self.faults: list[int | str] = []
        self.ranges: list[str | None] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_arguments: object) -> None:
                pass

            def do_GET(self) -> None:
                server.ranges.append(self.headers.get("Range"))
                fault = server.faults.pop(0) if server.faults else None
                if isinstance(fault, int) or (isinstance(fault, str) and "://" in fault):
                    self.send_response(fault if isinstance(fault, int) else 302)
                    if isinstance(fault, str):
                        self.send_header("Location", fault)
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
                self.give(fault)

            def give(self, fault: str | None) -> None:
                wanted = self.headers.get("Range")
                same = self.headers.get("If-Range") in (None, server.tag)
                start = int(wanted[6:-1]) if wanted and same else 0
                body = server.content[start:]
                self.send_response(206 if start else 200)
                if start:
                    self.send_header("Content-Range", f"bytes {start}-{len(server.content) - 1}/{len(server.content)}")
                if server.tag:
                    self.send_header("ETag", server.tag)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body[: len(body) * 3 // 10] if fault == "cut" else body)
                self.close_connection = fault == "cut"

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.handle_error = lambda *_arguments: None  # type: ignore[method-assign]  # clients hang up here
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.http.shutdown()
        self.http.server_close()


class Here(httpx.HTTPTransport):
    """Sends every https request to the server on this host, over a real socket; plain http stays what it is."""

    def __init__(self, server: Server) -> None:
        super().__init__()
        self._port = server.http.server_address[1]

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        url = request.url.copy_with(scheme="http", host="127.0.0.1", port=self._port)
        return super().handle_request(httpx.Request(request.method, url, headers=request.headers))
