"""The umT5 text encoder: token numbers to one vector a token (SPEC section 8).

Every block has its own table of relative positions. Knows no text, no tokenizer and no prompt. One number: at full size
its 5.7 billion weights are used once a video, then only take room.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn


@dataclass(frozen=True)
class T5Config:
    """Sizes of the encoder; the defaults are umT5-XXL's."""

    vocab_size: int = 256384
    dim: int = 4096
    dim_attn: int = 4096
    dim_ffn: int = 10240
    num_heads: int = 64
    num_layers: int = 24
    num_buckets: int = 32
    max_distance: int = 128
    eps: float = 1e-6

    @classmethod
    def from_state_dict(cls, state: Mapping[str, Tensor]) -> T5Config:
        """Read every size from the tensors' shapes; raises KeyError naming a tensor that is missing."""
        buckets, heads = state["blocks.0.pos_embedding.embedding.weight"].shape
        vocabulary, dim = state["token_embedding.weight"].shape
        return cls(
            vocab_size=vocabulary,
            dim=dim,
            dim_attn=state["blocks.0.attn.q.weight"].shape[0],
            dim_ffn=state["blocks.0.ffn.fc1.weight"].shape[0],
            num_heads=heads,
            num_layers=sum(name.endswith(".attn.q.weight") for name in state),
            num_buckets=buckets,
        )


class RootMeanSquareNorm(nn.Module):
    """x / rms(x) times a learned gain; the division in float32."""

    def __init__(self, dim: int, eps: float) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(dim))

    def forward(self, x: Tensor) -> Tensor:
        """`[..., D]` -> `[..., D]`."""
        scale = torch.rsqrt(x.float().square().mean(-1, keepdim=True) + self.eps)
        return (x * scale).to(x.dtype) * self.weight


class RelativePosition(nn.Module):
    """A bias for each head and distance between key and query; far distances share logarithmic buckets."""

    def __init__(self, config: T5Config) -> None:
        super().__init__()
        self.max_distance = config.max_distance
        self.embedding = nn.Embedding(config.num_buckets, config.num_heads)

    def forward(self, length: int) -> Tensor:
        """`[1, NH, length, length]`, query before key."""
        place = torch.arange(length, device=self.embedding.weight.device)
        buckets = bucket(place[None, :] - place[:, None], self.embedding.num_embeddings, self.max_distance)
        bias: Tensor = self.embedding(buckets)
        return bias.permute(2, 0, 1).unsqueeze(0)


def bucket(relative: Tensor, buckets: int, max_distance: int) -> Tensor:
    """Bucket of `key - query`: half for each sign; of a half, the first half exact, the rest logarithmic."""
    half = buckets // 2
    exact = half // 2
    distance = relative.abs()
    spread = torch.log(distance.clamp(min=1).float() / exact) / math.log(max_distance / exact) * (half - exact)
    far = (exact + spread.long()).clamp(max=half - 1)
    return (relative > 0).long() * half + torch.where(distance < exact, distance, far)


class Attention(nn.Module):
    """Multi-head attention without biases and without the usual division by the root of the head's width."""

    def __init__(self, config: T5Config) -> None:
        super().__init__()
        self.num_heads = config.num_heads
        self.q = nn.Linear(config.dim, config.dim_attn, bias=False)
        self.k = nn.Linear(config.dim, config.dim_attn, bias=False)
        self.v = nn.Linear(config.dim, config.dim_attn, bias=False)
        self.o = nn.Linear(config.dim_attn, config.dim, bias=False)

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        """`[B, S, D]` and a bias `[B or 1, NH, S, S]` -> `[B, S, D]`."""
        q, k, v = (self._heads(linear(x)) for linear in (self.q, self.k, self.v))
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=bias.to(q.dtype), scale=1.0)
        out: Tensor = self.o(y.transpose(1, 2).flatten(2))
        return out

    def _heads(self, x: Tensor) -> Tensor:
        return x.view(*x.shape[:2], self.num_heads, -1).transpose(1, 2)


class FeedForward(nn.Module):
    """A gated projection up and one down."""

    def __init__(self, config: T5Config) -> None:
        super().__init__()
        self.gate = nn.ModuleDict({"0": nn.Linear(config.dim, config.dim_ffn, bias=False)})
        self.fc1 = nn.Linear(config.dim, config.dim_ffn, bias=False)
        self.fc2 = nn.Linear(config.dim_ffn, config.dim, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """`[..., D]` -> `[..., D]`."""
        y: Tensor = self.fc2(self.fc1(x) * F.gelu(self.gate["0"](x), approximate="tanh"))
        return y


class Block(nn.Module):
    """Attention and feed-forward, each normalised before and added after."""

    def __init__(self, config: T5Config) -> None:
        super().__init__()
        self.norm1 = RootMeanSquareNorm(config.dim, config.eps)
        self.attn = Attention(config)
        self.norm2 = RootMeanSquareNorm(config.dim, config.eps)
        self.ffn = FeedForward(config)
        self.pos_embedding = RelativePosition(config)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """`[B, S, D]` and the real tokens `[B, S]` (None: all) -> `[B, S, D]`."""
        bias = self.pos_embedding(x.shape[1])
        if mask is not None:
            bias = bias.masked_fill(mask[:, None, None, :] == 0, torch.finfo(x.dtype).min)
        x = x + self.attn(self.norm1(x), bias)
        return torch.add(x, self.ffn(self.norm2(x)))


class UmT5Encoder(nn.Module):
    """The whole encoder; parameters are named as upstream's."""

    def __init__(self, config: T5Config) -> None:
        super().__init__()
        self.config = config
        self.token_embedding = nn.Embedding(config.vocab_size, config.dim)
        self.blocks = nn.ModuleList([Block(config) for _ in range(config.num_layers)])
        self.norm = RootMeanSquareNorm(config.dim, config.eps)

    def forward(self, ids: Tensor, mask: Tensor | None = None) -> Tensor:
        """Token numbers `[B, S]` and the real ones among them `[B, S]` (None: all) -> `[B, S, D]`."""
        x: Tensor = self.token_embedding(ids)
        for block in self.blocks:
            x = block(x, mask)
        y: Tensor = self.norm(x)
        return y
