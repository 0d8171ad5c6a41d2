"""The app in a browser: who is let in, who is not, and the real app in a real Chromium."""

from __future__ import annotations

import http.client
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

pytest.importorskip("textual_serve", reason="needs the extra web: pip install 'liveavatar-tui[web]'")
sys.path.insert(0, str(Path(__file__).parent.parent / "liveavatar_tui"))

from world import write_world

ROOT = Path(__file__).parent.parent.parent
CHROMIUM = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), ""
)


@dataclass
class Served:
    """A server at work."""

    url: str
    host: str
    token: str

    def get(self, path: str, **headers: str) -> tuple[int, dict[str, str], str]:
        """Status, headers and text of one request; nothing is followed."""
        connection = http.client.HTTPConnection(self.host, timeout=20)
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read().decode()


@contextmanager
def served(root: Path, *arguments: str) -> Iterator[Served]:
    env = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "LIVEAVATAR_CONFIG": str(root / "config.yaml"),
        "LIVEAVATAR_LANG": "en",
    }
    command = [sys.executable, "-m", "liveavatar_tui.cli", "serve", "--port", "0", *arguments]
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            url = process.stdout.readline().strip()
            assert url, process.stderr.read() if process.stderr else ""
            parts = urlsplit(url)
            server = Served(url, parts.netloc, parts.query.removeprefix("token="))
            _wait(server)
            yield server
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(20)


def _wait(server: Served) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            server.get("/")
            return
        except ConnectionError:
            assert time.monotonic() < deadline
            time.sleep(0.1)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    root = tmp_path_factory.mktemp("served")
    write_world(root)
    with served(root) as found:
        yield found


def test_it_listens_on_this_machine_only_and_prints_one_address(server: Served) -> None:
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/\?token=[\w-]{32}", server.url)


def test_nobody_comes_in_without_the_token(server: Served) -> None:
    for path in ("/", "/ws", "/static/js/textual.js", "/download/x", "/?token=wrong", "/?token="):
        status, _headers, text = server.get(path)
        assert status == 403 and server.token not in text, path
    assert server.get("/", Cookie="liveavatar-token=wrong")[0] == 403
    assert server.get("/", Cookie="liveavatar-token=\xe9")[0] == 403


def test_the_token_becomes_a_cookie_of_this_site_and_leaves_the_address(server: Served) -> None:
    status, headers, _text = server.get(f"/?token={server.token}")
    assert (status, headers["Location"]) == (303, "/")
    assert "HttpOnly" in headers["Set-Cookie"] and "SameSite=Strict" in headers["Set-Cookie"]
    cookie = headers["Set-Cookie"].partition(";")[0]
    status, headers, text = server.get("/", Cookie=cookie)
    assert status == 200 and "Live Avatar" in text and server.token not in text
    assert headers["Referrer-Policy"] == "no-referrer" and "default-src 'self'" in headers["Content-Security-Policy"]


def test_other_names_and_other_sites_are_turned_away(server: Served) -> None:
    cookie = f"liveavatar-token={server.token}"
    port = server.host.partition(":")[2]
    assert server.get("/", Cookie=cookie, Host="evil.example")[0] == 403
    assert server.get("/ws", Cookie=cookie, Origin="http://evil.example")[0] == 403
    status, _headers, text = server.get("/", Cookie=cookie, Host=f"localhost:{port}")
    assert status == 200 and f"ws://localhost:{port}/ws" in text
    status, _headers, text = server.get("/", Cookie=cookie, Host="localhost:9000")
    assert status == 200 and "ws://localhost:9000/ws" in text, "through a tunnel the port is another"


def test_misuse_is_said_in_a_sentence(tmp_path: Path) -> None:
    from liveavatar_tui.cli import main

    assert main(["serve", "--port", "x"]) == 2
    assert main(["serve", "--port", "70000"]) == 2


@pytest.mark.skipif(not CHROMIUM, reason="no Chromium on this machine: apt-get install chromium")
def test_the_app_works_in_a_browser(server: Served) -> None:
    sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright: pip install playwright")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1200, "height": 800})
        asked: list[str] = []
        sent = bytearray()
        page.on("request", lambda request: asked.append(request.url))
        # Letters are painted on a canvas: what the window was sent is read from its socket.
        page.on("websocket", lambda socket: socket.on("framereceived", lambda data: sent.extend(_bytes(data))))
        page.goto(server.url)
        _until(page, lambda: b"PRODUCTION" in sent and b"v1.0_product_demo" in sent)
        assert "token" not in page.url
        page.mouse.click(600, 500)
        page.keyboard.press("4")
        _until(page, lambda: b"ckpt_dir" in sent and b"LIVEAVATAR_LORA_" in sent)
        picture = page.screenshot()
        if folder := os.environ.get("SHOTS"):
            (Path(folder) / "serve.png").write_bytes(picture)
        assert len(picture) > 20_000, "an empty page is smaller"
        assert all(urlsplit(url).netloc == server.host or url.startswith("data:") for url in asked if _fetched(url))
        browser.close()


def _until(page: Any, condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "it did not come to that"
        page.wait_for_timeout(100)


def _bytes(data: bytes | str) -> bytes:
    return data.encode() if isinstance(data, str) else data


def _fetched(url: str) -> bool:
    """The template's one font from elsewhere is asked for and forbidden by the page's policy before it is fetched."""
    return "fonts.googleapis.com" not in url
