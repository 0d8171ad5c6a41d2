"""`python -m engine.bench`: how fast this machine makes frames, part by part, with the roofline beside each.

A table for people and JSON for programs. Without a checkpoint the numbers of the model are drawn: times and room are
the true ones. A part that fails is told and does not take the others with it. Knows no job.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median
from typing import Any, Final

import torch

from engine.bench_parts import Ceilings, work
from engine.bench_subject import Subject
from engine.checkpoint_layout import find_layout
from engine.compiling import be_deterministic
from engine.drawn import DrawnModels
from engine.execution import Execution
from engine.load import load_models

Figures = dict[str, float | str]

_BLOCKS: Final = 6
"""Blocks that a time is the median of."""


@dataclass(frozen=True)
class Asked:
    """What to measure and on what."""

    checkpoint: str | None
    height: int
    width: int
    blocks: int
    narrow_cache: bool
    precisions: Sequence[str]
    passes: Sequence[int]
    parts: Sequence[str]
    layers: int | None


@dataclass
class Report:
    """Mutable: figures by part, and what went wrong."""

    figures: dict[str, Figures] = field(default_factory=dict)
    faults: dict[str, str] = field(default_factory=dict)

    def take(self, name: str, measure: Callable[[], Figures]) -> None:
        """Measure a part; a fault is kept beside the figures of the others."""
        began = time.monotonic()
        try:
            self.figures[name] = measure()
        except Exception as fault:  # noqa: BLE001  # one part must not cost the others
            self.faults[name] = "".join(traceback.format_exception(fault)[-3:])
            sys.stderr.write(f"{name}: {traceback.format_exc()}\n")
        sys.stderr.write(f"[{time.monotonic() - began:6.1f} s] {name} {self.figures.get(name, 'failed')}\n")
        sys.stderr.flush()

    def table(self) -> str:
        """Lines for people."""
        lines = []
        for name, figures in self.figures.items():
            told = (
                f"{key} {value:.4g}" if isinstance(value, float) else f"{key} {value}"
                for key, value in figures.items()
                if not (isinstance(value, str) and "\n" in value)
            )
            lines.append(f"{name:34} {'  '.join(told)}")
        return "\n".join([*lines, *(f"{name:34} FAILED {text.splitlines()[-1]}" for name, text in self.faults.items())])


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what was asked for; 1 when a part failed."""
    given = _parser().parse_args(arguments)
    width, height = (int(side) for side in given.size.split("*"))
    asked = Asked(
        given.ckpt_dir, height, width, given.blocks, given.narrow_cache, given.precision, given.passes, given.part,
        given.layers,
    )  # fmt: skip
    if not given.free:
        be_deterministic()
    torch.backends.cudnn.benchmark = given.free
    report = Report()
    for precision in asked.precisions:
        _measure(asked, precision, report)
    document = {"figures": report.figures, "faults": report.faults, "machine": _machine()}
    if given.json:
        Path(given.json).write_text(json.dumps(document, indent=2))
    sys.stdout.write(report.table() + "\n")
    return 1 if report.faults else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m engine.bench", description=__doc__)
    parts = ["ceilings", "forward", "vae", "whole", "launches", "syncs", "swap", "load"]
    parser.add_argument("--ckpt_dir", help="base model; without it the numbers are drawn, of the 14B model's shape")
    parser.add_argument("--size", default="704*384")
    parser.add_argument("--blocks", type=int, default=20)
    parser.add_argument("--narrow_cache", action="store_true")
    parser.add_argument("--precision", nargs="*", default=["fp8", "bf16"], choices=["fp8", "bf16", "f32"])
    parser.add_argument("--passes", nargs="*", type=int, default=[4, 3])
    parser.add_argument("--part", nargs="*", default=parts, choices=parts)
    parser.add_argument("--layers", type=int, help="only so many blocks of the drawn model")
    parser.add_argument(
        "--free", action="store_true", help="let torch choose kernels by their speed, not the same each time"
    )
    parser.add_argument("--json", help="write all figures there")
    return parser


def _measure(asked: Asked, precision: str, report: Report) -> None:
    """All parts in one precision, on one model."""
    execution = execution_for(precision, narrow_cache=asked.narrow_cache)
    label = f"{precision}{', fp8 cache' if asked.narrow_cache else ''}"
    subject = Subject(_models(asked, execution), asked.height, asked.width)
    ceilings = Ceilings(execution.device)
    if "ceilings" in asked.parts:
        report.take(f"ceilings ({label})", ceilings.measure)
    report.take(f"model ({label})", subject.load)
    for passes in asked.passes:
        name = f"{passes} passes, {label}"
        if "forward" in asked.parts:
            report.take(f"forward, {name}", lambda passes=passes: _forward(subject, passes, ceilings))  # type: ignore[misc]
        if "whole" in asked.parts:
            report.take(f"end to end, {name}", lambda passes=passes: _whole(subject, passes, asked.blocks))  # type: ignore[misc]
    if "vae" in asked.parts:
        report.take(f"decoder, 3 latents ({label})", lambda: _decoder(subject))
    if "launches" in asked.parts:
        report.take(f"launches a block ({label})", subject.launches)
    if "syncs" in asked.parts:
        report.take(f"no waiting ({label})", subject.refuse_waiting)
    if "swap" in asked.parts:
        report.take(f"swap of rank 128 ({label})", lambda: _in_folder(subject.swap))
    if "load" in asked.parts:
        report.take(f"load of the avatar model ({label})", lambda: _in_folder(subject.reload))
    subject.close()


def _in_folder(measure: Callable[[Path], Figures]) -> Figures:
    with tempfile.TemporaryDirectory() as folder:
        return measure(Path(folder))


def execution_for(precision: str, *, narrow_cache: bool) -> Execution:
    """The card's way where there is a card."""
    if not torch.cuda.is_available():
        return Execution(narrow_weights=precision == "fp8", narrow_cache=narrow_cache)
    device = torch.device("cuda:0")
    if precision == "f32":
        return replace(Execution.on_card(device), dtype=torch.float32)
    return Execution.on_card(device, narrow_weights=precision == "fp8", narrow_cache=narrow_cache)


def _models(asked: Asked, execution: Execution) -> Any:
    if asked.checkpoint is not None:
        return load_models(find_layout(asked.checkpoint), execution.device, execution.dtype, execution=execution)
    models = DrawnModels(execution)
    return models if asked.layers is None else models.cut(asked.layers)


def _forward(subject: Subject, passes: int, ceilings: Ceilings) -> Figures:
    """Seconds of one forward pass, of a warm block, and how near that is to what the card allows."""
    with subject.denoiser(passes) as video:
        first = video.block()
        second = video.block()
        times = [video.block() for _ in range(_BLOCKS)]
        seconds = median(times) / passes
    floor = ceilings.floor(work(subject.config, subject.height, subject.width), subject.models.execution)
    return {
        "forward_s": seconds,
        "roofline_s": floor,
        "dit_fps": 12 / (seconds * passes),
        "spread": (max(times) - min(times)) / median(times),
        "first_block_s": first,
        "recording_s": second,
        "peak_gib": subject.peak(),
    }


def _decoder(subject: Subject) -> Figures:
    times = list(subject.decoded(_BLOCKS))
    return {"seconds": median(times), "fps": 12 / median(times), "peak_gib": subject.peak()}


def _whole(subject: Subject, passes: int, blocks: int) -> Figures:
    """From a scene to a finished file: frames a second, and how long until the first was there."""
    with tempfile.TemporaryDirectory() as folder:
        marks = list(subject.video(Path(folder), passes, blocks))
    steady = marks[2:] if len(marks) > 4 else marks
    rate = (len(steady) - 1) * 12 / (steady[-1] - steady[0]) if len(steady) > 1 else 0.0
    return {
        "fps": rate,
        "fps_with_start": len(marks) * 12 / marks[-1],
        "first_frame_s": marks[0],
        "peak_gib": subject.peak(),
        "blocks": float(len(marks)),
    }


def _machine() -> dict[str, str]:
    told = {"torch": torch.__version__, "host": "processor"}
    if torch.cuda.is_available():
        told |= {"host": torch.cuda.get_device_name(0), "cudnn": str(torch.backends.cudnn.version())}
    return told


if __name__ == "__main__":
    raise SystemExit(main())
