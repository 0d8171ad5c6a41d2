"""Between the command and the engine that measures: what is compared, the process, and what is kept of it.

Knows no screen and no measure.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from engine.compare.outcome import REPORT, Outcome
from engine.compare.verdict import mirrored, scores
from engine.job_folder import JobFolder, fresh_job_id
from engine.training.codes import COMPARISON_FAILED
from liveavatar_tui.jobs.starting import engine_environment
from liveavatar_tui.safe_text import safe_text
from lora_repository.i18n import language
from lora_repository.published import hashes_of
from lora_repository.scores import SCORES, Comparison, Sample
from lora_repository.version_name import match_version_name

if TYPE_CHECKING:
    from liveavatar_tui.deployment import Deployment
    from liveavatar_tui.settings import Settings

_NOTHING: Final = "none"


class Side(NamedTuple):
    """One side of a comparison: what it is called, its adapters, and its version where it is one of the repository."""

    name: str
    stack: tuple[Path, ...]
    version: str | None


def stack_of(deployment: Deployment, reference: str) -> Side:
    """What a reference stands for; `none` is the base alone. Raises Problem for what leads nowhere."""
    if reference == _NOTHING:
        return Side(_NOTHING, (), None)
    place = deployment.resolve(reference).resolve()
    inside = place.parent == deployment.repository.root.resolve() and match_version_name(place.name) is not None
    return Side(place.name, (place,), place.name if inside else None)


def measure(
    module: str, settings: Settings, sides: tuple[Side, Side], flags: Mapping[str, object], *, quiet: bool
) -> Path:
    """Run the engine on both sides, telling how far it is; the folder of what it found. Raises Problem TRAIN031."""
    from liveavatar_tui.commands.following import ended_well, follow_job
    from liveavatar_tui.jobs.ending import explain
    from lora_repository.finding import Problem

    folder = Path(str(flags.get("output") or settings.jobs_folder() / fresh_job_id())).absolute()
    folder.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", module, *(_joined(side) for side in sides), "--output", str(folder)]
    command += ["--first_name", sides[0].name, "--second_name", sides[1].name, "--ckpt_dir", str(settings.ckpt_dir)]
    for flag in ("portraits", "person"):
        if flags.get(flag):
            command += [f"--{flag}", str(Path(str(flags[flag])).absolute())]
    command += ["--quick"] if flags.get("quick") else []
    environment = engine_environment(os.environ, language())
    with subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as process:
        while process.poll() is None and not (folder / "events.jsonl").exists():
            with_patience(process)
        if not (folder / "events.jsonl").exists():
            raise COMPARISON_FAILED.problem(path=str(folder))
        job = follow_job(JobFolder(folder), quiet=quiet)
    if not ended_well(job):
        found = explain(job)
        raise Problem(found) if found is not None else COMPARISON_FAILED.problem(path=str(folder))
    return folder


def with_patience(process: subprocess.Popen[bytes]) -> None:
    """A tenth of a second, or less if it ends."""
    try:
        process.wait(0.1)
    except subprocess.TimeoutExpired:
        return


def keep(deployment: Deployment, outcome: Outcome, folder: Path, first: Side, second: Side) -> list[Path]:
    """Write the comparison beside each side that is a version: its document, report and clips."""
    made = []
    for side, other, verdict in (
        (first, second, outcome.verdict),
        (second, first, mirrored(outcome.verdict)),
    ):
        if side.version is None:
            continue
        version = deployment.repository.version(side.version)
        place = deployment.repository.state / SCORES / side.version / fresh_job_id()
        place.mkdir(parents=True)
        for name in (REPORT, *(file for clip in outcome.clips for file in (clip.first, clip.second))):
            shutil.copyfile(folder / name, place / name)
        samples = tuple(
            Sample(file=f"{place.name}/{clip.first if side is first else clip.second}", title=clip.title)
            for clip in outcome.clips
        )
        comparison = Comparison(
            version=side.version,
            hashes=hashes_of(version.path),
            against=other.name,
            time=datetime.now(UTC),
            user=_user(),
            host=socket.gethostname(),
            protocol=outcome.protocol,
            base=outcome.base,
            passed=verdict.passed,
            verdict=verdict.word,
            reasons=tuple(safe_text(reason) for reason in verdict.reasons),
            scores=scores(verdict),
            samples=samples,
            report=f"{place.name}/{REPORT}",
        )
        made.append(deployment.repository.add_comparison(comparison))
    return made


def _joined(side: Side) -> str:
    return ",".join(map(str, side.stack)) or _NOTHING


def _user() -> str:
    from lora_repository.history import this_user

    return this_user()
