"""The text encoder and the way of a prompt into it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer

from engine.model.t5 import T5Config, UmT5Encoder, bucket
from engine.text import TextEncoder, clean, read_tokenizer
from lora_repository.finding import Problem
from tests.engine.tiny_run import CHECKPOINT

GOLDENS = Path(__file__).parent / "goldens"
GOLDEN = load_file(GOLDENS / "t5" / "umt5_tiny.safetensors")
TOKENIZER = CHECKPOINT / "google" / "umt5-xxl" / "tokenizer.json"
torch.set_num_threads(1)


@pytest.fixture(scope="module")
def upstreams() -> UmT5Encoder:
    weights = load_file(GOLDENS / "t5" / "umt5_tiny_weights.safetensors")
    model = UmT5Encoder(T5Config.from_state_dict(weights))
    model.load_state_dict(weights, strict=True)
    return model.requires_grad_(False)


def test_a_padded_batch_is_encoded_as_upstream_does(upstreams: UmT5Encoder) -> None:
    rows = upstreams(GOLDEN["in.ids"], GOLDEN["in.mask"])
    assert torch.allclose(rows, GOLDEN["y"], atol=1e-4)


def test_without_padding_the_real_rows_are_the_same(upstreams: UmT5Encoder) -> None:
    real = len(GOLDEN["y0_sliced"])
    assert torch.allclose(upstreams(GOLDEN["in.ids"][:1, :real])[0], GOLDEN["y0_sliced"], atol=1e-4)


def test_distances_fall_into_upstreams_buckets() -> None:
    assert torch.equal(bucket(torch.arange(-511, 512), 32, 128).int(), GOLDEN["rel_buckets_m511_p511"])


def test_the_full_size_has_upstreams_parameters() -> None:
    with torch.device("meta"):
        model = UmT5Encoder(T5Config())
    assert sum(parameter.numel() for parameter in model.parameters()) == 5_680_910_336


def test_sizes_are_read_from_the_shapes(upstreams: UmT5Encoder) -> None:
    assert T5Config.from_state_dict(upstreams.state_dict()) == T5Config(300, 48, 64, 96, 4, 3)


@pytest.mark.parametrize(
    ("prompt", "cleaned"),
    [
        ("  a \n person\ttalks ", "a person talks"),
        ("Tom <3 &amp;amp; Ann", "Tom <3 & Ann"),
        ("caf\u00c3\u00a9", "caf\u00e9"),
        ("\u4e00\u4f4d\u5973\u58eb\u3000\u8bf4\u8bdd", "\u4e00\u4f4d\u5973\u58eb \u8bf4\u8bdd"),
        ("", ""),
    ],
)
def test_prompts_are_cleaned(prompt: str, cleaned: str) -> None:
    assert clean(prompt) == cleaned


def encoder(max_tokens: int) -> TextEncoder:
    torch.manual_seed(0)
    model = UmT5Encoder(T5Config(64, 16, 16, 32, 2, 1)).requires_grad_(False)
    return TextEncoder(model, read_tokenizer(TOKENIZER), max_tokens)


def test_a_prompt_gives_a_row_for_each_token_and_the_end() -> None:
    assert encoder(24).encode("a person talks to the camera").shape == (1, 7, 16)
    assert encoder(24).encode("").shape == (1, 1, 16)


def test_a_prompt_that_is_too_long_is_cut_and_keeps_its_end_token() -> None:
    cut = encoder(4).encode("a person talks to the camera")
    assert cut.shape == (1, 4, 16)
    assert torch.allclose(cut, encoder(24).encode("a person talks"), atol=1e-6)


def test_padding_of_the_tokenizer_file_is_not_applied(tmp_path: Path) -> None:
    tokenizer = Tokenizer.from_file(str(TOKENIZER))
    tokenizer.enable_padding(length=20)
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    torch.manual_seed(0)
    model = UmT5Encoder(T5Config(64, 16, 16, 32, 2, 1))
    assert TextEncoder(model, read_tokenizer(tmp_path / "tokenizer.json")).encode("a man").shape == (1, 3, 16)


def test_a_broken_tokenizer_is_named(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(Problem) as caught:
        read_tokenizer(tmp_path / "tokenizer.json")
    assert caught.value.finding.code == "RUN014"
    assert "tokenizer.json" in caught.value.finding.message
