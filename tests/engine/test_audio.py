"""Speech becomes features: upstream's numbers, any format, any length in the same memory, whole or in stretches."""

from __future__ import annotations

import json
import tracemalloc
import wave
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file

from engine import audio
from engine.audio import AudioFeatures, state_positions
from engine.model.wav2vec2 import Wav2Vec2, Wav2Vec2Config, fuse_weight_norm
from engine.speech import RATE, measure, native_rate, read_channels, read_mono, stretches, windows
from lora_repository.finding import Problem
from tests.engine.tiny_run import CHECKPOINT, GOLDENS, SPEECH, tone

GOLDEN = load_file(GOLDENS / "audio" / "wav2vec2_tiny.safetensors")
TABLES = json.loads((GOLDENS / "audio" / "window_tables.json").read_text())
LITTLE = Wav2Vec2Config(
    hidden_size=8,
    num_hidden_layers=1,
    num_attention_heads=2,
    intermediate_size=8,
    conv_dim=(4,) * 7,
    num_conv_pos_embeddings=16,
    num_conv_pos_embedding_groups=2,
)
torch.set_num_threads(1)


@pytest.fixture(scope="module")
def upstreams() -> Wav2Vec2:
    folder = CHECKPOINT / "wav2vec2-large-xlsr-53-english"
    stored = load_file(folder / "model.safetensors")
    state = {name.removeprefix("wav2vec2."): tensor for name, tensor in stored.items() if name.startswith("wav2vec2.")}
    state.pop("masked_spec_embed")
    model = Wav2Vec2(Wav2Vec2Config.from_json(json.loads((folder / "config.json").read_text())))
    model.load_state_dict(fuse_weight_norm(state), strict=True)
    return model.requires_grad_(False)


@pytest.fixture(scope="module")
def little() -> Wav2Vec2:
    torch.manual_seed(2)
    return Wav2Vec2(LITTLE).requires_grad_(False)


def refused(path: Path) -> str:
    with pytest.raises(Problem) as caught:
        measure(read_mono(path), path)
    assert path.name in caught.value.finding.message
    return caught.value.finding.code


def encoded(path: Path, samples: np.ndarray, rate: int, codec: str) -> Path:
    """Samples int16 `[n, channels]` in a file of another format."""
    layout = "mono" if samples.shape[1] == 1 else "stereo"
    with av.open(str(path), "w") as file:
        stream = file.add_stream(codec, rate=rate, layout=layout)
        for start in range(0, len(samples), 1024):
            piece = np.ascontiguousarray(samples[start : start + 1024].reshape(1, -1))
            frame = av.AudioFrame.from_ndarray(piece, format="s16", layout=layout)
            frame.sample_rate, frame.pts = rate, start
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    return path


def hum(seconds: float, rate: int, channels: int = 1) -> np.ndarray:
    moments = np.arange(int(seconds * rate)) / rate
    wave_ = 9000 * np.sin(2 * np.pi * 220 * moments)
    return np.stack([wave_ * (0.5 + 0.5 * channel) for channel in range(channels)], 1).astype(np.int16)


def test_hidden_states_are_upstreams_the_last_one_normalised(upstreams: Wav2Vec2) -> None:
    wave_ = np.concatenate(list(read_mono(SPEECH)))
    normal = (wave_ - wave_.mean()) / np.sqrt(wave_.var() + 1e-7)
    states = upstreams(torch.from_numpy(normal)[None])[0]
    assert states.shape == (25, 214, 32)
    assert torch.allclose(states[:, ::8], GOLDEN["hidden_states_every8"], atol=1e-4)


def test_features_are_upstreams_silence_at_the_end_included(upstreams: Wav2Vec2) -> None:
    features = torch.cat(list(AudioFeatures(upstreams, SPEECH, blocks=12, whole=True)), dim=-1)
    assert features.shape == (1, 25, 32, 144)
    assert torch.allclose(features[..., ::5], GOLDEN["audio_emb_every5"], atol=1e-4)
    assert not features[..., -10:].any()


def test_a_short_speech_is_heard_whole_either_way(upstreams: Wav2Vec2) -> None:
    stretched, whole = AudioFeatures(upstreams, SPEECH), AudioFeatures(upstreams, SPEECH, whole=True)
    assert len(stretched) == 9
    assert all(torch.equal(one, other) for one, other in zip(stretched, whole, strict=True))
    assert all(torch.equal(one, other) for one, other in zip(stretched, stretched, strict=True))  # again from the start


@pytest.mark.parametrize("vectors", TABLES)
def test_each_frame_takes_upstreams_vector(vectors: str) -> None:
    count = int(vectors)
    picked: list[int] = []
    for block in range(4 * TABLES[vectors]["clips"]):
        places = state_positions(block, count, count)
        picked += [round(place) for place in places] + [-1] * (12 - len(places))
    assert picked == TABLES[vectors]["idx"]


def test_stretches_give_nearly_what_the_whole_gives(
    little: Wav2Vec2, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With no attention to far places, features of stretches equal those of the whole file but for the seams."""
    for layer in little.encoder.layers:
        layer.attention.out_proj.weight.zero_()  # type: ignore[union-attr, operator]
    path = tone(tmp_path / "speech.wav", 9.3)
    whole = torch.cat(list(AudioFeatures(little, path, whole=True)), dim=-1)
    monkeypatch.setattr(audio, "STRETCH_SECONDS", 2)
    stretched = torch.cat(list(AudioFeatures(little, path)), dim=-1)
    assert whole.shape == (1, 2, 8, 12 * 20)
    assert torch.allclose(whole, stretched, atol=1e-4)


def test_six_minutes_take_the_memory_of_one(little: Wav2Vec2, tmp_path: Path) -> None:
    peaks = []
    for minutes in (1, 6):
        path = tone(tmp_path / f"{minutes}.wav", 60 * minutes)
        tracemalloc.start()
        features = AudioFeatures(little, path)
        shapes = {tuple(block.shape) for block in features}
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert len(features) == 125 * minutes
        assert shapes == {(1, 2, 8, 12)}
    assert peaks[1] < peaks[0] + 4e6  # six minutes of samples are 23 MB


@given(st.lists(st.integers(1, 9), max_size=12), st.lists(st.tuples(st.integers(0, 9), st.integers(1, 9)), max_size=8))
def test_windows_are_the_stretches_asked_for(pieces: list[int], steps: list[tuple[int, int]]) -> None:
    line = np.arange(sum(pieces) or 1)
    cut = iter(np.split(line, np.cumsum(pieces)[:-1]) if pieces else [line])
    starts = np.cumsum([step for step, _ in steps]) if steps else []
    spans = [(int(start), int(start) + length) for start, (_, length) in zip(starts, steps, strict=True)]
    for (start, stop), got in zip(spans, windows(cut, spans, np.concatenate), strict=True):
        assert got.tolist() == line[start:stop].tolist()


@given(st.integers(1, 5000), st.integers(1, 300), st.integers(0, 40))
def test_stretches_cover_everything_once(total: int, core: int, margin: int) -> None:
    plan = list(stretches(total, core, margin))
    assert [step for inner, _ in plan for step in inner] == list(range(total))
    assert all(heard.start <= inner.start and inner.stop <= heard.stop for inner, heard in plan)
    assert all(len(heard) <= core + 2 * margin for _, heard in plan)
    assert all(one.stop == other.start for (one, _), (other, _) in pairwise(plan))


@pytest.mark.parametrize(
    ("name", "codec", "rate", "channels"),
    [
        ("a.flac", "flac", 16_000, 1),
        ("b.wav", "pcm_s16le", 44_100, 2),
        ("c.mp3", "libmp3lame", 22_050, 1),
        ("d.ogg", "libopus", 48_000, 2),
    ],
)
def test_any_format_becomes_mono_at_16_khz(tmp_path: Path, name: str, codec: str, rate: int, channels: int) -> None:
    samples = hum(1.5, rate, channels)
    path = encoded(tmp_path / name, samples, rate, codec)
    mono = np.concatenate(list(read_mono(path)))
    assert mono.dtype == np.float32
    assert mono.size == pytest.approx(1.5 * RATE, abs=0.06 * RATE)
    middle = mono[4000:20000]
    expected = samples.mean(axis=1)[rate // 4 : -rate // 4].astype(float).std() / 32768
    assert middle.std() == pytest.approx(expected, rel=0.05)
    crossings = np.count_nonzero(np.diff(np.signbit(middle)))
    assert crossings == pytest.approx(2 * 220 * len(middle) / RATE, abs=3)
    assert native_rate(path) == rate
    assert next(read_channels(path, 48_000)).shape[0] == channels


def test_no_sample_is_lost_in_resampling(tmp_path: Path) -> None:
    path = encoded(tmp_path / "s.wav", hum(1.5, 44_100), 44_100, "pcm_s16le")
    assert sum(piece.size for piece in read_mono(path)) == pytest.approx(1.5 * RATE, abs=1)


def test_statistics_are_those_of_the_samples() -> None:
    pieces = np.array_split(np.random.default_rng(0).normal(0.1, 0.2, 5000).astype(np.float32), 7)
    loud = measure(pieces, Path("x"))
    whole = np.concatenate(pieces).astype(np.float64)
    assert (loud.samples, loud.seconds) == (5000, 5000 / RATE)
    assert loud.mean == pytest.approx(whole.mean(), abs=1e-9)
    assert loud.variance == pytest.approx(whole.var(), abs=1e-9)


def test_silence_and_nothing_are_refused(tmp_path: Path) -> None:
    for seconds in (0.0, 1.0):
        path = tmp_path / "silent.wav"
        with wave.open(str(path), "wb") as file:
            file.setparams((1, 2, RATE, 0, "NONE", ""))
            file.writeframes(bytes(2 * int(seconds * RATE)))
        assert refused(path) == "RUN027"


def test_what_is_no_sound_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.wav").write_text("hello")
    assert refused(tmp_path / "text.wav") == "RUN026"
    assert refused(tmp_path / "missing.wav") == "RUN026"
    film = tmp_path / "film.mp4"
    with av.open(str(film), "w") as file:
        stream = file.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        file.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")))
        file.mux(stream.encode(None))
    assert refused(film) == "RUN026"


def test_a_word_shorter_than_one_state_is_silence(little: Wav2Vec2, tmp_path: Path) -> None:
    (block,) = AudioFeatures(little, tone(tmp_path / "click.wav", 0.02))
    assert block.shape == (1, 2, 8, 12)
    assert not block.any()


def both_kinds() -> Iterator[Wav2Vec2Config]:
    yield LITTLE
    yield Wav2Vec2Config(**{**vars(LITTLE), "do_stable_layer_norm": False, "feat_extract_norm": "group"})


@pytest.mark.parametrize("config", both_kinds())
def test_the_number_of_states_is_known_before(config: Wav2Vec2Config) -> None:
    model = Wav2Vec2(config)
    for samples in (400, 719, 720, 16000):
        assert model(torch.randn(2, samples)).shape == (2, 2, config.states(samples), 8)
    assert (config.hop, config.reach, config.states(399)) == (320, 400, 0)


@pytest.mark.parametrize("change", [{"model_type": "hubert"}, {"hidden_act": "relu"}, {"add_adapter": True}])
def test_another_kind_of_model_is_refused(change: dict[str, object]) -> None:
    document = json.loads((CHECKPOINT / "wav2vec2-large-xlsr-53-english" / "config.json").read_text())
    with pytest.raises(ValueError, match="wav2vec2"):
        Wav2Vec2Config.from_json(document | change)


@pytest.mark.parametrize(
    "names", [("parametrizations.weight.original0", "parametrizations.weight.original1"), ("weight_g", "weight_v")]
)
def test_both_spellings_of_the_positional_weight_are_read(names: tuple[str, str]) -> None:
    direction, length = torch.randn(8, 4, 16), torch.rand(1, 1, 16)
    stem = "encoder.pos_conv_embed.conv."
    (fused,) = fuse_weight_norm({stem + names[0]: length, stem + names[1]: direction}).items()
    assert fused[0] == stem + "weight"
    assert torch.allclose(fused[1].norm(dim=(0, 1)), length.flatten(), atol=1e-5)
