"""The live preview of a real run in a real pseudo-terminal: `python benchmarks/preview.py [--png FOLDER]`.

The embedded avatar runs in its own process; the app shows it in a box of so many cells, on a link of so many bytes a
second (a proxy with the buffer of an SSH connection: what the app has sent is taken in at that rate, and answered
then). Told: frames a second, bytes a second, processor share of the app, and how long a key takes until its answer has
come through the link. `--png` keeps the screen as it looks.
"""

from __future__ import annotations

import argparse
import os
import re
import select
import subprocess
import sys
import tempfile
import threading
import time
import wave
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests/terminal"), str(ROOT / "tests/liveavatar_tui")]

import pty_harness  # noqa: E402
from terminal_picture import draw_screen  # noqa: E402

BESIDE = 30
ABOVE = 11
_BUFFER = 1 << 16


class Link(pty_harness.Terminal):
    """A terminal at the end of a link of `rate` bytes a second; None is as fast as it goes."""

    def __init__(
        self, argv: Sequence[str], *, rate: int | None, columns: int, rows: int, env: Mapping[str, str]
    ) -> None:
        self._rate = rate
        self._wire: deque[bytes] = deque()
        self._held = 0
        super().__init__(argv, columns=columns, rows=rows, env=env)

    def _read(self) -> None:
        if self._rate is None:
            super()._read()
            return
        threading.Thread(target=self._deliver, daemon=True).start()
        while True:
            if self._held >= _BUFFER:
                time.sleep(0.002)
                continue
            try:
                if not select.select([self.descriptor], [], [], 0.1)[0]:
                    continue
                data = os.read(self.descriptor, 4096)
            except (OSError, ValueError):
                break
            if not data:
                break
            self._held += len(data)
            self._wire.append(data)
        self.closed.set()

    def _deliver(self) -> None:
        assert self._rate
        tail = b""
        while not self.closed.is_set():
            if not self._wire:
                time.sleep(0.001)
                continue
            data = self._wire.popleft()
            time.sleep(len(data) / self._rate)
            self._held -= len(data)
            self.chunks.append((time.perf_counter() - self.began, data))
            window = tail + data
            for query, answer in pty_harness._ANSWERS.items():
                for _ in range(window.count(query) - tail.count(query)):
                    with suppress(OSError):
                        os.write(self.descriptor, answer)
            tail = window[-16:]


def _long_speech(folder: Path, seconds: int) -> Path:
    """The sample that ships with the product, again and again."""
    from liveavatar_tui.paths import sample_audio

    with wave.open(str(sample_audio())) as sample:
        parameters, data = sample.getparams(), sample.readframes(sample.getnframes())
    with wave.open(str(folder / "speech.wav"), "wb") as speech:
        speech.setparams(parameters)
        for _time in range(1 + seconds * parameters.framerate // parameters.nframes):
            speech.writeframes(data)
    return folder / "speech.wav"


def start_run(folder: Path, clips: int) -> tuple[Path, subprocess.Popen[bytes]]:
    """The embedded avatar, talking for `clips` clips."""
    from engine.job_folder import JobFolder
    from engine.spec import EMBEDDED, RunSpec, encode
    from liveavatar_tui.paths import sample_image

    job = JobFolder(folder / "jobs" / "20260314-092600-aaaaaa")
    job.create()
    spec = RunSpec(
        prompt="a person talking", image=str(sample_image()), audio=str(_long_speech(folder, 2 * clips)),
        ckpt_dir=EMBEDDED, size="128*128", num_clip=clips, label="preview",
    )  # fmt: skip
    job.spec.write_bytes(encode(spec))
    with job.log.open("ab") as log:
        # Below the app, as an operator's screen is above a batch job.
        command = ("nice", "-n", "5", sys.executable, "-m", "engine.inference", "--spec", str(job.spec))
        return job.root, subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ, "PYTHONPATH": str(ROOT)})


def measure(job: Path, columns: int, rows: int, rate: int | None, seconds: float, png: Path | None) -> str:
    """One window of measuring on a run that goes on."""
    size = {"columns": columns + 4 + BESIDE, "rows": rows + ABOVE}
    env = {"PYTHONPATH": str(ROOT), "LIVEAVATAR_LANG": "en"}
    argv = (sys.executable, str(ROOT / "benchmarks/preview_app.py"), str(job), str(columns))
    with Link(argv, rate=rate, env=env, **size) as terminal:
        terminal.wait(lambda: terminal.raw.count(b"\xe2\x96\x80") > 200, 60)
        time.sleep(3)
        process = psutil.Process(terminal.pid)
        busy, began, start = sum(process.cpu_times()[:2]), time.perf_counter(), len(terminal.raw)
        waits: list[float] = []
        while time.perf_counter() - began < seconds:
            waits.append(_press(terminal, b"K=%04d" % (len(waits) + 1)))
            time.sleep(0.2)
        took = time.perf_counter() - began
        sent = terminal.raw[start:]
        share = (sum(process.cpu_times()[:2]) - busy) / took
        waits.sort()
        if png is not None:
            draw_screen(terminal).save(png / f"preview-{columns}x{rows}-{rate or 'local'}.png")
    p95 = waits[min(len(waits) - 1, len(waits) * 95 // 100)]
    link = f"{rate // 1000} kB/s link" if rate else "local"
    counts = [int(count) for count in re.findall(rb"F=(\d{4})", sent)]
    frames = (counts[-1] - counts[0]) / took
    return (
        f"{columns}x{rows}, {link}: {frames:.1f} frames/s, {len(sent) / took / 1000:.0f} kB/s, "
        f"CPU {share:.0%}, key {1000 * waits[len(waits) // 2]:.0f} ms, p95 {1000 * p95:.0f} ms of {len(waits)}"
    )


def _press(terminal: Link, sign: bytes) -> float:
    start, began = len(terminal.chunks), time.perf_counter() - terminal.began
    terminal.send("\x14")
    looked, rest = start, b""
    while time.perf_counter() - terminal.began - began < 5:
        for at, data in list(terminal.chunks)[looked:]:
            looked += 1
            rest = rest[-16:] + data
            if sign in rest:
                return at - began
        time.sleep(0.002)
    return 5.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "cells", nargs="*", default=["120x33", "72x20", "72x20@50000", "120x33@50000"], metavar="CxR[@B/S]"
    )
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--clips", type=int, default=200)
    parser.add_argument("--png", type=Path, help="folder for the pictures")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        job, engine = start_run(Path(folder), options.clips)
        try:
            while not (job / "preview.jpg").exists():
                assert engine.poll() is None, (job / "engine.log").read_text()
                time.sleep(0.2)
            for cells in options.cells:
                box, _at, rate = cells.partition("@")
                columns, rows = map(int, box.split("x"))
                print(f"load {os.getloadavg()[0]:.1f}", end="; ")
                told = measure(job, columns, rows, int(rate) if rate else None, options.seconds, options.png)
                print(told, flush=True)
        finally:
            engine.kill()
            engine.wait()


if __name__ == "__main__":
    main()
