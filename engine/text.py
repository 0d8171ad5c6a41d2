"""From a prompt to the rows that the avatar model is told: cleaning, tokens, text encoder (SPEC section 1, item 7).

Knows nothing of padding: it hands out the rows of real tokens, and the avatar model appends the empty ones itself.
"""

from __future__ import annotations

import html
from pathlib import Path

import ftfy
import torch
from tokenizers import Tokenizer
from torch import Tensor

from engine import codes
from engine.model.t5 import UmT5Encoder


def clean(prompt: str) -> str:
    """Broken encodings and (twice) HTML entities mended, white space collapsed."""
    return " ".join(html.unescape(html.unescape(ftfy.fix_text(prompt))).split())


class TextEncoder:
    """Tokenizer and encoder together; `max_tokens` counts the end token."""

    def __init__(self, model: UmT5Encoder, tokenizer: Tokenizer, max_tokens: int = 512) -> None:
        self.model = model
        self._tokenizer = tokenizer
        tokenizer.no_padding()
        tokenizer.enable_truncation(max_tokens)

    @torch.no_grad()
    def encode(self, prompt: str) -> Tensor:
        """`[1, tokens, text_dim]`, the end token included; what is over `max_tokens` is cut."""
        ids = self._tokenizer.encode(clean(prompt)).ids
        rows: Tensor = self.model(torch.tensor([ids], device=self.model.norm.weight.device))
        return rows


def read_tokenizer(path: Path) -> Tokenizer:
    """`tokenizer.json`; raises Problem RUN014 when it cannot be read as one."""
    try:
        return Tokenizer.from_file(str(path))
    except Exception as fault:
        raise codes.CHECKPOINT_DAMAGED.problem(path=str(path), folder=str(path.parent), reason=str(fault)) from fault
