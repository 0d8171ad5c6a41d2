"""`python -m engine.compare FIRST SECOND --output DIR`: one comparison in a process of its own.

Parses, opens the job folder, writes document, clips and report into it; knows nothing of how anything is measured.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from engine.checkpoint_layout import find_layout
from engine.compare.outcome import DOCUMENT, REPORT, Clip, Outcome
from engine.compare.verdict import judge
from engine.conduct import conduct, take
from engine.cores import usable_cores
from engine.flags import FlagParser
from engine.job_folder import JobFolder, RecordLock, fresh_job_id, jobs_root
from engine.log import Terminal, open_log
from engine.protocol import Compared, Phase
from engine.resolving import prove_stack
from engine.spec import EMBEDDED, RunSpec
from engine.stage import Stage
from engine.training.material import PICTURES, listed
from lora_repository.borrowed import teach_argparse
from lora_repository.files import write_whole
from lora_repository.finding import Problem
from lora_repository.i18n import _, set_language

if TYPE_CHECKING:
    from engine.compare.examine import Room
    from engine.compare.questions import Extent
    from engine.compare.takes import Takes

CLIPS = 6


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What is compared with what, and by how many questions."""

    first: tuple[str, ...]
    second: tuple[str, ...]
    names: tuple[str, str]
    ckpt_dir: str = EMBEDDED
    portraits: str = ""
    person: str = ""
    size: str = "704*384"
    quick: bool = False
    speeches: int | None = None
    prompts: int | None = None
    runs: int | None = None
    seconds: float | None = None
    threads: int | None = None


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare once; returns the exit code."""
    set_language()
    teach_argparse()
    try:
        request, folder = parse(sys.argv[1:] if arguments is None else arguments)
        layout = find_layout(request.ckpt_dir)
        for stack in (request.first, request.second):
            prove_stack(tuple(map(Path, stack)), layout)
        lock = begin(request, folder)
    except Problem as error:
        Terminal(None, None).tell(error.finding)
        return error.exit_code
    terminal = open_log(folder.log)
    try:
        return conduct(folder, terminal, lambda stage: compare(request, folder.root, stage))
    finally:
        lock.release()


def begin(request: Request, folder: JobFolder) -> RecordLock:
    """Hold the job folder and write down what is asked; raises Problem RUN003, RUN004, RUN005."""
    lock = take(folder)
    write_whole(folder.spec, msgspec.json.format(msgspec.json.encode(request), indent=2) + b"\n")
    return lock


def open_room(request: Request, folder: Path, stage: Stage) -> Room:
    """Models loaded and questions written; raises Problem, Stopped."""
    import torch

    from engine.compare.examine import Room
    from engine.execution import Execution
    from engine.load import load_models

    layout = find_layout(request.ckpt_dir)
    torch.set_num_threads(request.threads or usable_cores())
    stage.enter(Phase.LOADING)
    card = torch.cuda.is_available() and not layout.embedded
    execution = Execution.on_card(torch.device("cuda:0")) if card else Execution()
    models = load_models(layout, execution.device, execution.dtype, execution=execution)
    stage.enter(Phase.COMPARING)
    area = RunSpec(prompt="", image="", audio="", size=request.size).area()
    shown, person = listed(request.portraits, PICTURES), listed(request.person, PICTURES)
    questions = folder / "questions"
    questions.mkdir(exist_ok=True)
    return Room(models, extent_of(request), questions, shown, person, area)


def compare(request: Request, folder: Path, stage: Stage) -> Compared:
    """Examine both, judge, write it all down; raises Problem, Stopped."""
    room = open_room(request, folder, stage)
    examined = []
    for stack, name in zip((request.first, request.second), request.names, strict=True):

        def told(share: float, name: str = name) -> None:
            stage.note(name, share)
            stage.go_on()

        examined.append(room.examine(tuple(map(Path, stack)), told))
    stage.note(_("controls"))
    verdict = judge(examined[0].values, examined[1].values, room.controls(examined[1]))
    outcome = Outcome(
        first=request.names[0],
        second=request.names[1],
        base=EMBEDDED if request.ckpt_dir == EMBEDDED else Path(request.ckpt_dir).name,
        word=verdict.word,
        passed=verdict.passed,
        reasons=verdict.reasons,
        lines=verdict.lines,
        clips=write_clips(folder, examined[0].takes, examined[1].takes),
    )
    write_outcome(folder, outcome)
    stage.close()
    seconds = round(sum(stage.seconds.values()), 3)
    return Compared(output=str(folder / REPORT), seconds=seconds, verdict=outcome.word, passed=outcome.passed)


def extent_of(request: Request) -> Extent:
    """How much is asked."""
    from engine.compare.questions import QUICK, Extent

    fields = ("speeches", "prompts", "runs", "seconds")
    given = {field: getattr(request, field) for field in fields if getattr(request, field) is not None}
    return msgspec.structs.replace(QUICK if request.quick else Extent(), **given)


def write_clips(folder: Path, first: Takes, second: Takes) -> tuple[Clip, ...]:
    """Some answers of both, as files."""
    from engine.compare.takes import write_video

    pairs = list(zip((*first.new, *first.same), (*second.new, *second.same), strict=True))
    made = []
    for index, (one, other) in enumerate(pairs[:CLIPS]):
        names = (f"clip-{index}-first.mp4", f"clip-{index}-second.mp4")
        for answer, name in zip((one, other), names, strict=True):
            write_video(answer, folder / name)
        made.append(Clip(title=one.question.prompt, first=names[0], second=names[1]))
    return tuple(made)


def write_outcome(folder: Path, outcome: Outcome) -> None:
    """Document and page, the document last."""
    from engine.compare.report import page

    write_whole(folder / REPORT, page(outcome).encode())
    write_whole(folder / DOCUMENT, msgspec.json.format(msgspec.json.encode(outcome), indent=2) + b"\n")


def parse(arguments: Sequence[str]) -> tuple[Request, JobFolder]:
    """The request behind the flags; exits 2 with a sentence for misuse."""
    given = vars(_parser().parse_args(arguments))
    folder = JobFolder(Path(given.pop("output", jobs_root() / fresh_job_id())).expanduser().absolute())
    names = (given.pop("first_name", given["first"]), given.pop("second_name", given["second"]))
    for name in ("portraits", "person", "ckpt_dir"):
        if given.get(name) and (name, given[name]) != ("ckpt_dir", EMBEDDED):
            given[name] = str(Path(given[name]).expanduser().absolute())
    for name in ("first", "second"):
        given[name] = tuple(
            str(Path(part.strip()).absolute()) for part in given[name].split(",") if part.strip().lower() != "none"
        )
    return Request(**given, names=names), folder


def _parser() -> FlagParser:
    parser = FlagParser(
        prog="python -m engine.compare",
        description=_("Which of two adapters is better: the same questions to both, with 95 per cent intervals."),
        argument_default=argparse.SUPPRESS,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("first", metavar="FIRST", help=_("a version's folder, a stack with commas, or none for the base"))
    add("second", metavar="SECOND", help=_("what it is held against, as FIRST"))
    add("--first_name", metavar="NAME", help=_("what the report calls the first"))
    add("--second_name", metavar="NAME", help=_("what the report calls the second"))
    add("--ckpt_dir", metavar="DIR", help=_("folder of the base model (default: the embedded avatar)"))
    add("--portraits", metavar="DIR", help=_("portraits to ask with (default: drawn people)"))
    add("--person", metavar="DIR", help=_("good pictures of who should be seen (default: who the portrait shows)"))
    add("--size", metavar="W*H", help=_("largest picture area (default: 704*384)"))
    add("--quick", action="store_true", help=_("fewer questions: wider intervals in a third of the time"))
    add("--speeches", type=int, metavar="N", help=_("of one prompt and portrait (default: 8)"))
    add("--prompts", type=int, metavar="N", help=_("never trained on (default: 10)"))
    add("--runs", type=int, metavar="N", help=_("with the same parameters (default: 10)"))
    add("--seconds", type=float, metavar="X", help=_("of each video (default: 4)"))
    add("--threads", type=int, metavar="N", help=_("processor threads (default: all that may be used)"))
    add("--output", metavar="DIR", help=_("job folder, made if need be (default: a new one in the state folder)"))
    return parser


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # without the interpreter's clean-up: with torch loaded it takes a quarter of a second
