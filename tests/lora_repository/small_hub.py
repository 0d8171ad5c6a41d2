"""The part of the hub's interface that a download uses, on this host: model info, resolve with LFS headers, ranges."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

COMMIT = "0123456789abcdef0123456789abcdef01234567"
_RESOLVE = re.compile(r"/org/name/resolve/([^/]+)/(.+)")


class SmallHub:
    """One repository, `org/name`, with `files`. `refusal` answers every request, `cuts` bodies end early."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files = files
        self.stated = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
        self.refusal = 0
        self.cuts = 0
        self.tokens: set[str | None] = set()
        self.ranges: list[str | None] = []
        hub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_arguments: object) -> None:
                pass

            def do_HEAD(self) -> None:
                self.answer(body=False)

            def do_GET(self) -> None:
                self.answer(body=True)

            def answer(self, body: bool) -> None:
                hub.tokens.add(self.headers.get("Authorization"))
                path = self.path.partition("?")[0]
                match = _RESOLVE.fullmatch(path)
                if hub.refusal:
                    self.give(hub.refusal, b"{}", {"X-Error-Code": "RepoNotFound"} if hub.refusal == 404 else {}, body)
                elif path.startswith("/api/models/org/name/tree/"):
                    self.give(200, json.dumps(hub.tree()).encode(), {"Content-Type": "application/json"}, body)
                elif path.startswith("/api/models/org/name"):
                    self.give(200, json.dumps(hub.info()).encode(), {"Content-Type": "application/json"}, body)
                elif match and match[2] in hub.files:
                    self.file(match[2], body)
                else:
                    self.give(404, b"{}", {"X-Error-Code": "EntryNotFound"}, body)

            def file(self, name: str, body: bool) -> None:
                content, sha = hub.files[name], hub.stated[name]
                headers = {"X-Repo-Commit": COMMIT, "X-Linked-Etag": f'"{sha}"', "X-Linked-Size": str(len(content))}
                wanted = self.headers.get("Range")
                if body:
                    hub.ranges.append(wanted)
                start = int(wanted[6:].partition("-")[0]) if wanted else 0
                if start:
                    headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
                cut = body and hub.cuts > 0
                hub.cuts -= cut
                self.give(206 if start else 200, content[start:], headers | {"ETag": f'"{sha}"'}, body, cut)

            def give(self, status: int, content: bytes, headers: dict[str, str], body: bool, cut: bool = False) -> None:
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                if body:
                    self.wfile.write(content[: len(content) * 3 // 10] if cut else content)
                self.close_connection = cut

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.handle_error = lambda *_arguments: None  # type: ignore[method-assign]  # clients hang up here
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def info(self) -> dict[str, object]:
        siblings = [
            {"rfilename": name, "size": len(content), "blobId": "0" * 40,
             "lfs": {"sha256": self.stated[name], "size": len(content), "pointerSize": 130}}
            for name, content in self.files.items()
        ]  # fmt: skip
        return {"_id": "1", "id": "org/name", "sha": COMMIT, "private": False, "siblings": siblings, "tags": []}

    def tree(self) -> list[dict[str, object]]:
        return [
            {"type": "file", "path": name, "size": len(content), "oid": "0" * 40,
             "lfs": {"oid": self.stated[name], "size": len(content), "pointerSize": 130}}
            for name, content in self.files.items()
        ]  # fmt: skip

    def close(self) -> None:
        self.http.shutdown()
        self.http.server_close()
