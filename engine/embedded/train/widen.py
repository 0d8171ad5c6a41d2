"""A trained module copied into a wider one of the same shape of graph, with the same output.

Channels that the narrow module has not begin silent: nothing writes to them and what reads them is random, so they
learn apart from the first step. The norms over channels, and the scale of the attention, count channels; both are
corrected. Knows only the names and groupings of the autoencoder (SPEC section 7).
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from engine.model.vae import WanVae

GROUPS = {"to_qkv": 3, "upsamples": 2}
"""Outputs that lie side by side in one matrix: query, key and value; the two frames that one becomes."""


@torch.no_grad()
def widen(wide: WanVae, narrow: Mapping[str, Tensor]) -> WanVae:
    """Fill `wide` from the state of a narrower one, in place; what has the same shape is copied."""
    for name, target in wide.state_dict().items():
        source = narrow[name].to(target)
        if source.shape != target.shape:
            source = _gain(source, target) if name.endswith("gamma") else _matrix(name, source, target)
        target.copy_(source)
    return wide


def _gain(source: Tensor, target: Tensor) -> Tensor:
    """The mean square over more channels, the further ones silent, is smaller."""
    gain = torch.ones_like(target)
    gain[: len(source)] = source
    return gain * math.sqrt(len(source) / len(target))


def _matrix(name: str, source: Tensor, target: Tensor) -> Tensor:
    """Weight or bias: known outputs as before; whoever reads a silent channel reads it at random."""
    groups = _groups(name)
    wide = torch.zeros_like(target)
    for into, kept in zip(wide.chunk(groups), source.chunk(groups), strict=True):
        rows = len(kept)
        if target.ndim > 1:
            columns = kept.shape[1]
            torch.nn.init.normal_(into[:, columns:], std=1 / math.sqrt(target[0].numel()))
            into[:rows, :columns] = kept
        else:
            into[:rows] = kept
    if "to_qkv" in name:  # the product of query and key is divided by the root of the width
        into, kept = wide.chunk(groups)[0], source.chunk(groups)[0]
        into *= math.sqrt(len(into) / len(kept))
    return wide


def _groups(name: str) -> int:
    if "to_qkv" in name:
        return GROUPS["to_qkv"]
    return GROUPS["upsamples"] if "upsamples" in name and "time_conv" in name else 1
