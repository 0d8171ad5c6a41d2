"""Portraits and speeches as people give them: good, missing, broken, of another kind."""

from __future__ import annotations

import os
import wave
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from engine.sources import read_portrait, read_speech
from lora_repository.finding import Finding, Problem
from tests.engine.tiny_run import PORTRAIT, SPEECH, tone


def refused(read: object, path: Path) -> Finding:
    with pytest.raises(Problem) as caught:
        read(path)  # type: ignore[operator]
    return caught.value.finding


def test_a_portrait_is_measured_upright(tmp_path: Path) -> None:
    portrait = read_portrait(PORTRAIT)
    assert (portrait.width, portrait.height) == (300, 150)
    turned = Image.Exif()
    turned[274] = 6
    Image.new("RGB", (400, 300)).save(tmp_path / "phone.jpg", exif=turned)
    upright = read_portrait(tmp_path / "phone.jpg")
    assert (upright.width, upright.height) == (300, 400)


def test_a_missing_portrait(tmp_path: Path) -> None:
    assert refused(read_portrait, tmp_path / "no.png").code == "RUN020"


def test_a_portrait_that_is_cut_short(tmp_path: Path) -> None:
    content = PORTRAIT.read_bytes()
    for share in (0.0005, 0.3, 0.9):
        (tmp_path / "cut.png").write_bytes(content[: int(len(content) * share)])
        found = refused(read_portrait, tmp_path / "cut.png")
        assert found.code == "RUN021" and "cut.png" in found.fix


def test_a_speech_is_no_portrait_and_a_portrait_no_speech() -> None:
    assert refused(read_portrait, SPEECH).code == "RUN021"
    assert refused(read_speech, PORTRAIT).code == "RUN026"
    assert refused(read_portrait, SPEECH.parent).code == "RUN021"
    assert refused(read_speech, SPEECH.parent).code == "RUN026"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user to be refused")
@pytest.mark.parametrize("read", [read_portrait, read_speech])
def test_a_file_without_read_permission(tmp_path: Path, read: object) -> None:
    secret = tone(tmp_path / "secret file", 1)
    secret.chmod(0o000)
    for folder in tmp_path.parents[:3]:
        folder.chmod(0o755)
    tmp_path.chmod(0o755)
    os.seteuid(65534)
    try:
        found = refused(read, secret)
    finally:
        os.seteuid(0)
    assert found.code == "RUN028" and found.fix == f"chmod a+r '{secret}'"


@pytest.mark.parametrize(
    ("name", "codec"), [("a.wav", "pcm_s16le"), ("a.mp3", "libmp3lame"), ("a.m4a", "aac"), ("a.flac", "flac")]
)
def test_a_speech_is_as_long_as_it_lasts(tmp_path: Path, name: str, codec: str) -> None:
    with av.open(str(tmp_path / name), "w") as container:
        track = container.add_stream(codec, rate=16_000)
        track.layout = "mono"
        samples = np.random.default_rng(0).normal(0, 3000, (1, 40_000)).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
        frame.sample_rate = 16_000
        resampler = av.AudioResampler(format=track.format, layout="mono", rate=16_000, frame_size=track.frame_size or 0)
        for part in [*resampler.resample(frame), *resampler.resample(None), None]:
            container.mux(track.encode(part))
    assert read_speech(tmp_path / name).seconds == pytest.approx(2.5, abs=0.15)


def test_a_speech_without_a_sample(tmp_path: Path) -> None:
    assert refused(read_speech, tone(tmp_path / "empty.wav", 0)).code in ("RUN026", "RUN027")


def test_silence_is_no_speech(tmp_path: Path) -> None:
    with wave.open(str(tmp_path / "silence.wav"), "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", ""))
        file.writeframes(bytes(32_000))
    assert refused(read_speech, tmp_path / "silence.wav").code == "RUN027"


def test_a_missing_speech(tmp_path: Path) -> None:
    assert refused(read_speech, tmp_path / "no.wav").code == "RUN025"


def test_a_name_that_looks_like_a_protocol_is_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    tone(tmp_path / "concat:a.wav", 1)
    assert read_speech(Path("concat:a.wav")).seconds == 1.0


@given(
    st.binary(max_size=500),
    st.sampled_from([b"", b"\x89PNG\r\n\x1a\n", b"RIFF\x24\0\0\0WAVEfmt ", b"\xff\xd8\xff\xe0", b"ID3"]),
)
def test_no_content_raises_anything_but_a_problem(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, start: bytes
) -> None:
    path = tmp_path_factory.mktemp("any") / "file"
    path.write_bytes(start + content)
    for read in (read_portrait, read_speech):
        try:
            read(path)
        except Problem as error:
            assert error.finding.code in ("RUN021", "RUN026", "RUN027")


def test_a_portrait_below_one_step_of_the_sides_is_too_small(tmp_path: Path) -> None:
    Image.new("RGB", (200, 63)).save(tmp_path / "thin.png")
    assert refused(read_portrait, tmp_path / "thin.png").code == "RUN023"
