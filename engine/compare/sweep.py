"""`python -m engine.compare.sweep TRAINING --output DIR`: every checkpoint of a training through one exam, ranked.

Knows no version of a repository and no measure.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

from engine.checkpoint_layout import find_layout
from engine.compare import __main__ as one_comparison
from engine.compare.ranking import DOCUMENT, Ranking, ranked
from engine.compare.verdict import Values
from engine.conduct import conduct
from engine.log import Terminal, open_log
from engine.protocol import Compared
from engine.resolving import prove_stack
from engine.stage import Stage
from engine.training import codes
from engine.training.places import checkpoints
from lora_repository.borrowed import teach_argparse
from lora_repository.files import write_whole
from lora_repository.finding import Problem
from lora_repository.i18n import set_language


def sweep(request: one_comparison.Request, folder: Path, stage: Stage) -> Compared:
    """Examine the reference and every checkpoint; raises Problem, Stopped."""
    room = one_comparison.open_room(request, folder, stage)
    paths = {path.name: path for path in checkpoints(Path(request.first[0]))}
    stacks = {request.names[1]: request.second} | {name: (str(path),) for name, path in paths.items()}
    examined: dict[str, Values] = {}
    controls: Values = {}
    for name, stack in stacks.items():

        def told(share: float, name: str = name) -> None:
            stage.note(name, share)
            stage.go_on()

        found = room.examine(tuple(map(Path, stack)), told)
        if not examined:
            controls = room.controls(found)
        examined[name] = found.values
    reference = examined.pop(request.names[1])
    ranking = Ranking(reference=request.names[1], places=ranked(examined, paths, reference, controls))
    write_whole(folder / DOCUMENT, msgspec.json.format(msgspec.json.encode(ranking), indent=2) + b"\n")
    stage.close()
    best = ranking.places[0]
    seconds = round(sum(stage.seconds.values()), 3)
    return Compared(output=str(folder / DOCUMENT), seconds=seconds, verdict=best.word, passed=best.passed)


def require_checkpoints(request: one_comparison.Request) -> None:
    """Raises Problem TRAIN030 for a folder without checkpoints, and for one that does not load."""
    found = checkpoints(Path(request.first[0])) if request.first else []
    if not found:
        raise codes.NO_CHECKPOINTS.problem(exit_code=2, path=request.first[0] if request.first else "none")
    layout = find_layout(request.ckpt_dir)
    for path in found:
        prove_stack((path,), layout)


def main(arguments: Sequence[str] | None = None) -> int:
    """Sweep once; returns the exit code."""
    set_language()
    teach_argparse()
    try:
        request, folder = one_comparison.parse(sys.argv[1:] if arguments is None else arguments)
        require_checkpoints(request)
        lock = one_comparison.begin(request, folder)
    except Problem as error:
        Terminal(None, None).tell(error.finding)
        return error.exit_code
    terminal = open_log(folder.log)
    try:
        return conduct(folder, terminal, lambda stage: sweep(request, folder.root, stage))
    finally:
        lock.release()


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # without the interpreter's clean-up: with torch loaded it takes a quarter of a second
