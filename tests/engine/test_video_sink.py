"""The video file: picture and sound in step, whole or not there at all, the same memory for any length."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import wave
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from engine.preview_player import PreviewPlayer
from engine.video_sink import VideoSink, save_preview
from lora_repository.finding import Problem
from tests.engine.tiny_run import tone

ROOT = Path(__file__).parents[2]
SIDE = 64


def frames(count: int, start: int = 0) -> NDArray[np.uint8]:
    """Grey frames, each a step brighter than the one before, with a white bar to the left."""
    ramp = np.zeros((count, SIDE, SIDE, 3), np.uint8)
    ramp += (40 + np.arange(start, start + count) % 100).astype(np.uint8)[:, None, None, None]
    ramp[:, :, :8] = 250
    return ramp


def write(path: Path, speech: Path, blocks: int) -> Path:
    with VideoSink(path, SIDE, SIDE, 25, speech) as sink:
        for block in range(blocks):
            sink.write(frames(12, 12 * block))
    return path


def sound(path: Path) -> tuple[NDArray[np.float32], int]:
    with av.open(str(path)) as file:
        track = file.streams.audio[0]
        return np.concatenate([frame.to_ndarray() for frame in file.decode(track)], axis=1), track.rate


def lengths(path: Path) -> tuple[Fraction, Fraction]:
    """Seconds of picture and sound."""
    with av.open(str(path)) as file:
        return tuple(track.duration * track.time_base for track in (file.streams.video[0], file.streams.audio[0]))  # type: ignore[return-value]


def test_frames_come_back_in_order_and_colour(tmp_path: Path) -> None:
    path = write(tmp_path / "o.mp4", tone(tmp_path / "s.wav", 2), 4)
    with av.open(str(path)) as file:
        stream = file.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert (stream.average_rate, stream.frames) == (25, 48)
        shown = np.stack([frame.to_ndarray(format="rgb24") for frame in file.decode(stream)]).astype(float)
    assert np.abs(shown - frames(48)).mean() < 3
    assert np.abs(shown[:, 20, 40, 0] - frames(48)[:, 20, 40, 0]).max() < 6


def test_the_index_is_in_front(tmp_path: Path) -> None:
    content = write(tmp_path / "o.mp4", tone(tmp_path / "s.wav", 1), 2).read_bytes()
    assert 0 < content.find(b"moov") < content.find(b"mdat")


@pytest.mark.parametrize("speech_seconds", [0.3, 1.92, 9.0])
def test_the_sound_is_as_long_as_the_picture(tmp_path: Path, speech_seconds: float) -> None:
    path = write(tmp_path / "o.mp4", tone(tmp_path / "s.wav", speech_seconds), 4)
    picture, voice = lengths(path)
    assert picture == Fraction(48, 25)
    assert abs(voice - picture) < Fraction(1, 1000)
    samples, rate = sound(path)
    loud = np.abs(samples[0]) > 0.02
    end = np.flatnonzero(loud)[-1] / rate
    assert end == pytest.approx(min(speech_seconds, 1.92), abs=0.15)


def test_picture_and_sound_are_in_step(tmp_path: Path) -> None:
    """A click at 1.2 s of the speech is heard at 1.2 s of the video."""
    samples = np.zeros(3 * 16_000, "<i2")
    samples[19_200:19_280] = 20_000
    with wave.open(str(tmp_path / "s.wav"), "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", ""))
        file.writeframes(samples.tobytes())
    heard, rate = sound(write(tmp_path / "o.mp4", tmp_path / "s.wav", 4))
    assert np.abs(heard[0]).argmax() / rate == pytest.approx(1.2, abs=0.01)


@pytest.mark.parametrize(("rate", "expected"), [(16_000, 16_000), (44_100, 44_100), (11_000, 48_000), (96_000, 48_000)])
def test_the_speechs_own_rate_is_kept_where_aac_knows_it(tmp_path: Path, rate: int, expected: int) -> None:
    path = write(tmp_path / "o.mp4", tone(tmp_path / "s.wav", 1, rate), 2)
    samples, found = sound(path)
    assert (found, samples.shape[0]) == (expected, 1)
    assert 0.1 < np.abs(samples).max() < 0.4


def test_nothing_is_at_the_name_before_it_is_whole(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    path = out / "o.mp4"
    path.write_text("the video before")
    sink = VideoSink(path, SIDE, SIDE, 25, tone(tmp_path / "s.wav", 1))
    sink.write(frames(12))
    assert path.read_text() == "the video before"
    assert len(list(out.iterdir())) == 2
    sink.close()
    assert [entry.name for entry in out.iterdir()] == ["o.mp4"]
    assert lengths(path)[0] == Fraction(12, 25)


def test_a_fault_in_between_leaves_nothing(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    with (
        pytest.raises(ZeroDivisionError),
        VideoSink(out / "o.mp4", SIDE, SIDE, 25, tone(tmp_path / "s.wav", 1)) as sink,
    ):
        sink.write(frames(24))
        _ = 1 / 0
    assert list(out.iterdir()) == []


@pytest.mark.parametrize("shape", [(2, SIDE, SIDE + 2, 3), (2, SIDE // 2, SIDE, 3), (2, SIDE, SIDE, 4)])
def test_frames_of_another_size_are_refused_and_leave_nothing(tmp_path: Path, shape: tuple[int, ...]) -> None:
    out = tmp_path / "out"
    out.mkdir()
    sink = VideoSink(out / "o.mp4", SIDE, SIDE, 25, tone(tmp_path / "s.wav", 1))
    with pytest.raises(ValueError, match="64x64"):
        sink.write(np.zeros(shape, np.uint8))
    assert list(out.iterdir()) == []


@pytest.mark.parametrize("place", ["missing/o.mp4", "file/o.mp4"])
def test_a_place_that_cannot_be_written_is_named(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(Problem) as caught:
        VideoSink(tmp_path / place, SIDE, SIDE, 25, tone(tmp_path / "s.wav", 1))
    assert caught.value.finding.code == "RUN051"
    assert "o.mp4" in caught.value.finding.message


def test_a_speech_that_cannot_be_read_leaves_nothing(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (tmp_path / "s.wav").write_text("no sound")
    with pytest.raises(Problem) as caught:
        VideoSink(out / "o.mp4", SIDE, SIDE, 25, tmp_path / "s.wav")
    assert caught.value.finding.code == "RUN026"
    assert list(out.iterdir()) == []


WRITER = """
import sys
from pathlib import Path
import numpy as np
from engine.video_sink import VideoSink
from lora_repository.finding import Problem
noise = np.random.default_rng(0).integers(0, 255, (12, 64, 64, 3)).astype(np.uint8)
try:
    with VideoSink(Path(sys.argv[1]), 64, 64, 25, Path(sys.argv[2])) as sink:
        for _ in range(40):
            sink.write(noise)
except Problem as fault:
    print(fault.finding.code, len(list(Path(sys.argv[1]).parent.iterdir())))
"""


def write_too_much(shell: list[str], preparing: str, out: Path, speech: Path) -> str:
    """What the writer tells, in a process whose shell has run `preparing` first."""
    script = f'{preparing} && exec "$0" -c "$1" "$2" "$3"'
    arguments = [*shell, "-c", script, sys.executable, WRITER, str(out), str(speech)]
    done = subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    return done.stdout.strip() or done.stderr


def test_a_file_that_may_not_grow_is_told_and_removed(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    speech = tone(tmp_path / "s.wav", 1)
    assert write_too_much(["sh"], "trap '' XFSZ && ulimit -f 200", out / "o.mp4", speech) == "RUN051 0"


def test_a_full_disk_is_told_and_the_rest_removed(tmp_path: Path) -> None:
    """A file system of 300 KiB, in a namespace of its own."""
    out = tmp_path / "out"
    out.mkdir()
    namespace = ["unshare", "--user", "--map-root-user", "--mount"]
    mount = ["mount", "-t", "tmpfs", "-o", "size=300k", "none", str(out)]
    if subprocess.run([*namespace, *mount], capture_output=True, check=False).returncode != 0:
        pytest.skip("no right to mount a small file system here")
    speech = tone(tmp_path / "s.wav", 1)
    assert write_too_much([*namespace, "sh"], " ".join(mount), out / "o.mp4", speech) == "RUN042 0"


def test_memory_does_not_grow_with_the_video(tmp_path: Path) -> None:
    sink = VideoSink(tmp_path / "o.mp4", SIDE, SIDE, 25, tone(tmp_path / "s.wav", 120))
    marks = []
    for block in range(250):
        sink.write(frames(12, 12 * block))
        if block in (60, 249):
            pages = int(Path("/proc/self/statm").read_text().split()[1])
            marks.append(pages * os.sysconf("SC_PAGE_SIZE"))
    sink.close()
    assert marks[1] - marks[0] < 8e6  # 190 blocks of raw frames are 28 MB


def test_a_preview_replaces_the_one_before(tmp_path: Path) -> None:
    path = tmp_path / "preview.jpg"
    for start in (0, 60):
        save_preview(path, frames(1, start)[0])
    with Image.open(path) as shown:
        assert (shown.format, shown.size) == ("JPEG", (SIDE, SIDE))
        assert abs(np.asarray(shown)[30, 40, 0].item() - 100) < 4
    assert [entry.name for entry in tmp_path.iterdir()] == ["preview.jpg"]


def test_the_player_shows_a_block_over_time_and_ends_with_its_last_frame(tmp_path: Path) -> None:
    path = tmp_path / "preview.jpg"
    seen = set()
    with PreviewPlayer(path, 25) as player:
        for start in (0, 12):
            player.show(frames(12, start))
            deadline = time.monotonic() + 20
            while len(seen) < (3 if start == 0 else 4) and time.monotonic() < deadline:
                if path.exists():
                    seen.add(path.stat().st_mtime_ns)
                time.sleep(0.005)
    assert len(seen) >= 4
    assert [entry.name for entry in tmp_path.iterdir()] == ["preview.jpg"]


def test_what_the_player_cannot_write_is_told_with_the_next_block(tmp_path: Path) -> None:
    with PreviewPlayer(tmp_path / "nowhere" / "preview.jpg", 25) as player:
        player.show(frames(12, 0))
        deadline = time.monotonic() + 20
        with pytest.raises(FileNotFoundError):
            while time.monotonic() < deadline:
                player.show(frames(12, 0))
                time.sleep(0.005)
