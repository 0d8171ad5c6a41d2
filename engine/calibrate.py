"""`python -m engine.calibrate`: measure what the engine really takes here, and keep the constants of this machine.

On a card: models of the true widths with four blocks and drawn numbers, in bf16 and fp8, at three sizes; about a minute
and 12 GB. Without one: the embedded avatar, in processes of their own. The constants are kept for this card (or host),
driver, torch, cuDNN and engine, and are used from the next preflight on.
"""

from __future__ import annotations

import argparse
import gc
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from engine.checkpoint_layout import EMBEDDED_WEIGHTS, find_layout
from engine.job_folder import JobFolder, read_journal
from engine.memory import HOST, PRIOR, Case, Mode, Parts, case_of, mode_of
from engine.memory.calibration import Fitted, calibration_file, key_of, store
from engine.memory.fitting import Point, compare, fit_card, fit_host
from engine.memory.sizes import fp8_numbers
from engine.probe import Machine, probe
from engine.protocol import Memory
from engine.resolving import EMBEDDED_SIDE
from engine.spec import EMBEDDED
from lora_repository.i18n import _, set_language

if TYPE_CHECKING:
    from engine.drawn import DrawnModels

SIZES: Final = ((384, 704), (640, 448), (512, 512), (256, 256))
LAYERS: Final = 4
PASSES: Final = 4
BLOCKS: Final = 3
"""The first block runs plainly, the second is recorded, the third replayed."""
_SAMPLES: Final = EMBEDDED_WEIGHTS.parent / "samples"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, fit, keep and report; 1 when a measurement fails."""
    set_language()
    parser = argparse.ArgumentParser(prog="python -m engine.calibrate", description=_("Measure this machine's memory."))
    parser.add_argument("--json", action="store_true", help=_("Report as JSON."))
    parser.add_argument("--dry-run", action="store_true", help=_("Measure and report, keep nothing."))
    given = parser.parse_args(arguments)
    machine = probe()
    device = machine.cards[0].device if machine.cards and _has_cuda() else HOST
    points = list(measure_host() if device == HOST else measure_card(device))
    fitted = fit_host(points) if device == HOST else fit_card(points)
    if not given.dry_run:
        store(calibration_file(), key_of(machine, device), fitted)
    report = _report(machine, device, points, fitted)
    sys.stdout.write(json.dumps(report, indent=2) + "\n" if given.json else _table(report))
    return 0


def _has_cuda() -> bool:
    import torch

    return torch.cuda.is_available()


# --- on a card


def measure_card(device: str) -> Iterator[Point]:
    """A point for every size in both precisions; fp8 is left out where the card has none."""
    import torch

    from engine.drawn import DrawnModels
    from engine.execution import FP8_CAPABILITY, Execution

    before = _driver_used(device)
    there = torch.device(device)
    for narrow in (False, True):
        if narrow and torch.cuda.get_device_capability(there) < FP8_CAPABILITY:
            continue
        models = DrawnModels(Execution.on_card(there, narrow_weights=narrow, narrow_cache=narrow)).cut(LAYERS)
        mode = Mode(device, 2, offload=False, fp8=narrow, fp8_cache=narrow)
        for height, width in SIZES:
            yield _measured(models, _case(models, height, width, mode), before)
        del models


def _measured(models: DrawnModels, case: Case, before: int) -> Point:
    """One short video, from an empty allocator."""
    import torch

    gc.collect()
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    generate_blocks(models, case)
    device = case.mode.device
    reserved = torch.cuda.max_memory_reserved(device)
    beyond = _driver_used(device) - before - torch.cuda.memory_reserved(device)
    return Point(case, reserved, max(0, beyond))


def generate_blocks(models: DrawnModels, case: Case) -> None:
    """The way of a frame, as long as it takes to record and replay."""
    from engine.generate import Inputs, generate, set_scene

    portrait, speech = _SAMPLES / "presenter.png", _SAMPLES / "explaining.wav"
    inputs = Inputs("a person", portrait, speech, case.height, case.width, BLOCKS)
    scene = set_scene(models, inputs)  # type: ignore[arg-type]
    for _block in islice(generate(models, scene, steps=case.passes), BLOCKS):  # type: ignore[arg-type]
        pass


def _case(models: DrawnModels, height: int, width: int, mode: Mode) -> Case:
    """What is measured, counted from the very models; what stands for a text encoder has no weights."""
    dit, vae = models.dit, models.vae
    numbers, rows = fp8_numbers({name: tuple(part.shape) for name, part in _plain(dit.config).items()})
    parts = Parts(
        dit=sum(part.numel() for part in _plain(dit.config).values()),
        vae=sum(part.numel() for part in vae.parameters()),
        t5=0,
        wav2vec=sum(part.numel() for part in models.audio.parameters()),
        decoder_width=vae.config.decoder_dim,
        patch=vae.config.patch_size,
        dit_fp8=numbers,
        dit_rows=rows,
    )
    return Case(dit.config, parts, height, width, PASSES, mode)


def _plain(config: Any) -> dict[str, Any]:
    """The model's tensors as a checkpoint has them, without their bytes."""
    import torch

    from engine.model.dit import DiT

    with torch.device("meta"):
        return dict(DiT(config).state_dict())


def _driver_used(device: str) -> int:
    """Bytes of the card that are in use, by the driver's count; asking makes no context, which would be counted."""
    card = next(card for card in probe().cards if card.device == device)
    return card.total - card.free


# --- on a processor


def measure_host() -> Iterator[Point]:
    """The embedded avatar's peak on each of its samples, as the engine itself reports it."""
    layout = find_layout(EMBEDDED)
    case = case_of(layout, EMBEDDED_SIDE, EMBEDDED_SIDE, PASSES, mode_of(layout, None, offload=False))
    for name in ("presenter.png", "host.png"):
        with tempfile.TemporaryDirectory() as folder:
            yield Point(case, _peak_of_a_run(Path(folder), _SAMPLES / name))


def _peak_of_a_run(folder: Path, portrait: Path) -> int:
    """One clip in a process of its own; raises CalledProcessError where it fails."""
    command = [sys.executable, "-m", "engine.inference", "--prompt", "a person", "--image", portrait]
    command += ["--audio", _SAMPLES / "explaining.wav", "--num_clip", "1", "--output", folder / "run"]
    subprocess.run([str(word) for word in command], check=True, capture_output=True)
    events = read_journal(JobFolder(folder / "run").events).events
    return max(event.peak for event in events if isinstance(event, Memory) and event.device == HOST)


# --- told


def _report(machine: Machine, device: str, points: Sequence[Point], fitted: Fitted) -> dict[str, Any]:
    before, after = compare(points, PRIOR), compare(points, fitted.constants())
    rows = [
        {
            "size": f"{old.case.width}x{old.case.height}",
            "precision": "fp8" if old.case.mode.fp8 else f"{8 * old.case.mode.width} bit",
            "measured": old.measured,
            "predicted_before": old.predicted,
            "predicted": new.predicted,
            "error_before": round(old.error, 4),
            "error": round(new.error, 4),
        }
        for old, new in zip(before, after, strict=True)
    ]
    return {"key": key_of(machine, device), "constants": _plain_fit(fitted), "rows": rows}


def _plain_fit(fitted: Fitted) -> dict[str, float]:
    import msgspec

    return {name: value for name, value in msgspec.structs.asdict(fitted).items() if value is not None}


def _table(report: dict[str, Any]) -> str:
    lines = [report["key"]]
    for row in report["rows"]:
        lines.append(
            f"  {row['size']:>9}  {row['precision']:>6}  {row['measured'] / 2**20:9.0f} MiB"
            f"  {row['error_before']:+7.1%} -> {row['error']:+7.1%}"
        )
    fitted = report["constants"]
    lines.append("  " + ", ".join(f"{name} {fitted[name]:.4g}" for name in fitted if name != "when"))
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
