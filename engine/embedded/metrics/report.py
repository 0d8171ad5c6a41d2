"""The evaluation for eyes: a table of summaries and a sheet of frames. Knows no measure."""

from __future__ import annotations

import math
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor


def table(rows: dict[str, dict[str, float]]) -> str:
    """Markdown: one row a video kind, one column a measure; what was not measured is left empty."""
    names = [name for name in next(iter(rows.values())) if any(not math.isnan(row[name]) for row in rows.values())]
    lines = ["| | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
    for title, row in rows.items():
        cells = ("" if math.isnan(row[name]) else f"{row[name]:.3g}" for name in names)
        lines.append(f"| {title} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def sheet(strips: list[Tensor], path: Path) -> None:
    """Stack strips [N, 3, H, W] in 0..1 below each other; N may differ."""
    longest = max(len(strip) for strip in strips)
    rows = []
    for strip in strips:
        blank = strip.new_ones(longest - len(strip), *strip.shape[1:])
        rows.append(torch.cat([*strip, *blank], -1))
    pixels = (torch.cat(rows, -2).clamp(0, 1).permute(1, 2, 0) * 255).round().byte().cpu().numpy()
    Image.fromarray(pixels).save(path, optimize=True)


def comparison(portrait: Tensor, truth: Tensor, video: Tensor, columns: int = 10) -> list[Tensor]:
    """Two strips: the portrait and the true frames; the portrait and the model's frames at the same moments."""
    frames = min(len(truth), len(video))
    places = torch.linspace(0, frames - 1, columns).round().long()
    return [torch.cat([portrait[None], part[places]]) for part in (truth, video)]
