"""The form in a browser: the same checks, a password, and a real run of the embedded avatar in a real Chromium."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "liveavatar_tui"))

from world import write_speech, write_world

from liveavatar_tui.jobs.watching import list_jobs
from liveavatar_tui.settings import load_settings
from liveavatar_tui.web.form import Runs

ROOT = Path(__file__).parent.parent.parent
CHROMIUM = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), ""
)


def test_the_form_is_checked_as_everywhere(tmp_path: Path) -> None:
    runs = Runs(write_world(tmp_path), ("v2.1_customer_service",))
    told = runs.check("a person", None, None, "256*256", "", "420")
    assert "v2.1_customer_service" in told and "24 of 24 tensors" in told
    assert "CFG005" in runs.check("a person", None, None, "large", "", "420")
    assert "RUN020" in runs.check("a person", "/no/portrait.png", None, "256*256", "", "420")
    assert "LORA0" in Runs(runs.settings, ("v9.9_gone",)).check("a person", None, None, "256*256", "", "420")


def test_what_preflight_refuses_starts_nothing(tmp_path: Path) -> None:
    settings = write_world(tmp_path)
    shown = list(Runs(settings, ()).generate("a person", "/no/portrait.png", None, "256*256", "", "420"))
    assert len(shown) == 1 and "RUN020" in shown[0][0]
    assert list_jobs(settings.jobs_folder()) == []


@dataclass
class Served:
    url: str
    user: str
    password: str
    root: Path


@pytest.fixture(scope="module")
def form(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    pytest.importorskip("gradio", reason="needs the extra web: pip install 'liveavatar-tui[web]'")
    root = tmp_path_factory.mktemp("form")
    write_speech(root / "speech.wav", 1.0)
    (root / "config.yaml").write_text(
        f"lora: {{repository: {ROOT}/ckpt/lora_repository}}\njobs: {{folder: jobs}}\n"
        "generate: {audio: speech.wav, size: 128*128}\n"
    )
    version = ROOT / "ckpt/lora_repository/v1.0_product_demo"
    command = [sys.executable, "-m", "engine.gradio_app", "--lora_path_dmd", str(version), "--ckpt_dir", "embedded"]
    env = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "LIVEAVATAR_CONFIG": str(root / "config.yaml"),
        "LIVEAVATAR_LANG": "en",
    }
    with subprocess.Popen([*command, "--port", "0"], env=env, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            line = next(line for line in process.stdout if "password" in line)
            told = re.match(r"(http://127\.0\.0\.1:\d+/)\s+name: (\S+)\s+password: (\S+)", line)
            assert told is not None, line
            yield Served(told[1], told[2], told[3], root)
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(30)


def test_nobody_comes_in_without_the_password(form: Served) -> None:
    for path in ("config", "gradio_api/info", f"gradio_api/file={form.root}/config.yaml"):
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(form.url + path, timeout=20)
        assert refused.value.code in (401, 403), path


@pytest.mark.skipif(not CHROMIUM, reason="no Chromium on this machine: apt-get install chromium")
def test_a_video_is_made_in_a_browser(form: Served) -> None:
    sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright: pip install playwright")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1300, "height": 1100})
        page.goto(form.url)
        page.locator("input").nth(0).fill(form.user)
        page.locator("input").nth(1).fill(form.password)
        page.get_by_role("button").first.click()
        told = page.locator("#told textarea")
        told.wait_for(timeout=60_000)
        page.locator("#size input, #size textarea").first.fill("large")
        page.locator("#check").click()
        _until(page, lambda: "CFG005" in told.input_value())
        page.locator("#size input, #size textarea").first.fill("128*128")
        page.locator("#launch").click()
        _until(page, lambda: page.locator("#video video").count() > 0)
        settings = load_settings(form.root / "config.yaml", environ={})
        (job,) = list_jobs(settings.jobs_folder())
        assert job.state == "done" and job.spec is not None and job.spec.adapters[0].endswith("v1.0_product_demo")
        if folder := os.environ.get("SHOTS"):
            page.screenshot(path=f"{folder}/form.png")
        browser.close()


def _until(page: Any, condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline, "it did not come to that"
        page.wait_for_timeout(200)
