"""Planted faults of each kind are found, and none in a good folder."""

from __future__ import annotations

import wave
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageFilter

from engine.dataset import codes, mesh
from engine.dataset.clips import offset
from engine.dataset.doctor import examine
from engine.dataset.fixing import fix
from engine.dataset.grades import Grade, Report
from engine.embedded.corpus.dynamics import reference_pose
from engine.embedded.corpus.identity import generator, sample
from engine.embedded.corpus.renderer import render
from engine.embedded.corpus.scene import MOTION
from engine.embedded.metrics import real_speech
from engine.speech import read_mono

SAMPLES = np.ndarray[tuple[int], np.dtype[np.float32]]
PROMPTS = [f"a {mood} woman talking about {topic}" for mood in ("calm", "happy") for topic in "abcdefghij"]


def write(path: Path, samples: np.ndarray, rate: int = 16_000, channels: int = 1) -> None:
    pixels = (np.repeat(samples[:, None], channels, 1) * 32767).clip(-32768, 32767).astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(pixels.tobytes())


def portraits(count: int, seed: int = 77) -> list[Image.Image]:
    who = sample(1, generator(seed, held_out=True))
    pose = reference_pose(count, torch.Generator().manual_seed(5))
    pose[:, MOTION.index("yaw")] = torch.linspace(-0.12, 0.12, count)
    drawn = render(who.repeat(count), pose, 512)
    return [Image.fromarray((one.permute(1, 2, 0) * 255).round().byte().numpy()) for one in drawn]


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten pictures of one person, five recordings of people, twenty prompts."""
    folder = tmp_path_factory.mktemp("data")
    (folder / "images").mkdir()
    (folder / "audios").mkdir()
    for index, picture in enumerate(portraits(10)):
        picture.save(folder / "images" / f"p{index}.png")
    for index, recording in enumerate(real_speech.load()[:5]):
        write(folder / "audios" / f"s{index}.wav", recording.audio)
    (folder / "prompts.txt").write_text("\n".join(PROMPTS) + "\n")
    return folder


def found(report: Report, name: str) -> set[str]:
    return {finding.code for file in report.of([name]) for finding in file.findings}


def test_a_good_folder_has_no_fault(good: Path) -> None:
    report = examine(good)
    assert [file.name for file in report.files if file.grade is not Grade.GOOD] == []
    assert report.ok
    unseen = {codes.FACES_UNSEEN.code} if not mesh.available() else set()
    assert {finding.code for finding in report.findings} == unseen


Plant = Callable[[Path], None]


def soft(path: Path) -> None:
    portraits(1)[0].filter(ImageFilter.GaussianBlur(3)).save(path)


def small(path: Path) -> None:
    portraits(1)[0].resize((300, 300)).save(path)


def dark(path: Path) -> None:
    portraits(1)[0].point(lambda value: value // 12).save(path)


def copy(path: Path) -> None:
    portraits(10)[3].save(path)


def torn(path: Path) -> None:
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"\0" * 40)


@pytest.mark.parametrize(
    ("plant", "code"),
    [
        (soft, codes.PICTURE_SOFT),
        (small, codes.PICTURE_SMALL),
        (dark, codes.PICTURE_EXPOSURE),
        (copy, codes.PICTURE_TWICE),
        (torn, codes.PICTURE_UNREADABLE),
    ],
)
def test_planted_pictures_are_found(good: Path, tmp_path: Path, plant: Plant, code: codes.Code) -> None:
    folder = clone(good, tmp_path)
    plant(folder / "images" / "q.png")
    report = examine(folder)
    assert code.code in found(report, "images/q.png")
    assert not report.ok
    assert all(file.grade is Grade.GOOD for file in report.files if file.name != "images/q.png")


def nobody(path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    Image.fromarray(noise).resize((512, 512), Image.Resampling.NEAREST).save(path)


def two(path: Path) -> None:
    pair = Image.new("RGB", (1024, 512))
    pair.paste(portraits(1)[0], (0, 0))
    pair.paste(portraits(1, 41)[0], (512, 0))
    pair.save(path)


def stranger(path: Path) -> None:
    Image.open(Path(__file__).parent.parent / "embedded" / "astronaut.jpg").resize((600, 600)).save(path)


@pytest.mark.parametrize(
    ("plant", "code"),
    [(nobody, codes.FACE_MISSING), (two, codes.FACES_SEVERAL), (stranger, codes.FACE_STRANGE)],
)
def test_planted_faces_are_found(good: Path, tmp_path: Path, plant: Plant, code: codes.Code) -> None:
    pytest.importorskip("mediapipe", reason="faces are found by the extra `evaluate`")
    folder = clone(good, tmp_path)
    plant(folder / "images" / "q.png")
    assert code.code in found(examine(folder), "images/q.png")


def speech() -> np.ndarray:
    return real_speech.load()[0].audio


def noise(level: float) -> np.ndarray:
    return np.random.default_rng(1).normal(0, level, len(speech())).astype(np.float32)


def chord(count: int) -> np.ndarray:
    moments = np.arange(count) / 16_000
    return sum(0.03 * np.sin(2 * np.pi * tone * moments) for tone in (220, 277, 330, 440)).astype(np.float32)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("samples", "rate", "channels", "code"),
    [
        (lambda: np.repeat(speech(), 3), 48_000, 1, codes.SOUND_RATE),
        (speech, 16_000, 2, codes.SOUND_CHANNELS),
        (lambda: np.tile(speech(), 6), 16_000, 1, codes.SOUND_LONG),
        (lambda: speech()[:16_000], 16_000, 1, codes.SOUND_SHORT),
        (lambda: (speech() * 30).clip(-1, 1), 16_000, 1, codes.SOUND_CLIPPED),
        (lambda: speech() + noise(0.05), 16_000, 1, codes.SOUND_NOISY),
        (lambda: np.concatenate([speech()[:24_000], speech()[:240_000] * 0]), 16_000, 1, codes.SOUND_SILENT),
        (lambda: speech() + chord(len(speech())), 16_000, 1, codes.SOUND_MUSIC),
    ],
    ids=["rate", "stereo", "long", "short", "clipped", "noisy", "silent", "music"],
)
def test_planted_sounds_are_found(
    good: Path, tmp_path: Path, samples: Callable[[], np.ndarray], rate: int, channels: int, code: codes.Code
) -> None:
    folder = clone(good, tmp_path)
    write(folder / "audios" / "t.wav", samples(), rate, channels)
    report = examine(folder)
    assert found(report, "audios/t.wav") == {code.code}
    assert all(file.grade is Grade.GOOD for file in report.files if file.name != "audios/t.wav")


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (PROMPTS[4].upper() + "!", codes.PROMPT_TWICE),
        ("sunset over the sea", codes.PROMPT_IMPERSONAL),
        ("a woman in a cafÃ© talking", codes.PROMPT_BROKEN),
        ("a woman " + "very " * 130 + "calm", codes.PROMPT_LONG),
    ],
)
def test_planted_prompts_are_found(good: Path, tmp_path: Path, line: str, code: codes.Code) -> None:
    folder = clone(good, tmp_path)
    (folder / "prompts.txt").write_text("\n".join([*PROMPTS, line]) + "\n", encoding="utf-8")
    report = examine(folder)
    assert found(report, "prompts.txt:21") == {code.code}
    assert all(file.grade is Grade.GOOD for file in report.files if file.name != "prompts.txt:21")


def test_a_list_in_another_encoding_is_found(good: Path, tmp_path: Path) -> None:
    folder = clone(good, tmp_path)
    (folder / "prompts.txt").write_bytes("a woman in a café".encode("latin-1"))
    assert found(examine(folder), "prompts.txt") == {codes.PROMPTS_ENCODING.code}


def test_nothing_is_skipped_silently(good: Path, tmp_path: Path) -> None:
    folder = clone(good, tmp_path)
    (folder / "images" / "notes.psd").write_bytes(b"x")
    assert found(examine(folder), "images/notes.psd") == {codes.FILE_STRANGE.code}


def test_an_empty_folder_is_not_fit(tmp_path: Path) -> None:
    report = examine(tmp_path)
    assert not report.ok
    assert [finding.code for finding in report.findings].count(codes.COUNT_LOW.code) == 3


def test_the_copy_is_mended_and_the_original_is_not(good: Path, tmp_path: Path) -> None:
    folder = clone(good, tmp_path / "in")
    wrong = folder / "audios" / "t.wav"
    write(wrong, np.tile(np.repeat(speech(), 3), 6), 48_000, 2)
    torn(folder / "images" / "q.png")
    before = wrong.read_bytes()
    made = fix(folder, tmp_path / "out", examine(folder))
    report = examine(tmp_path / "out")
    assert wrong.read_bytes() == before
    assert len([path for path in made if path.parent.name == "audios"]) == 6
    assert not (tmp_path / "out" / "images" / "q.png").exists()
    assert [file.name for file in report.files if file.grade is not Grade.GOOD] == []
    assert sum(len(piece) for piece in read_mono(tmp_path / "out" / "audios" / "t.wav")) == 30 * 16_000


def test_sound_that_comes_late_is_told_in_frames() -> None:
    rng = np.random.default_rng(0)
    gap = np.convolve(rng.normal(size=200), np.ones(4) / 4, "same")
    for late in (-7, 0, 5):
        lag, agreement = offset(gap, np.roll(gap, late))
        assert lag == late
        assert agreement > 0.9


def clone(folder: Path, out: Path) -> Path:
    import shutil

    return Path(shutil.copytree(folder, out / "data"))
