"""`python -m engine.train_lora`: one training in a process of its own, with the flags of the article and more.

Parses and opens the job folder; knows nothing of how an adapter is trained.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from engine import codes
from engine.conduct import conduct, take
from engine.flags import FlagParser
from engine.job_folder import JobFolder, fresh_job_id, jobs_root, reason
from engine.log import Terminal, open_log
from engine.spec import EMBEDDED
from engine.training.checking import check
from engine.training.places import begun
from engine.training.run import train
from engine.training.spec import TrainSpec, decode, encode
from lora_repository.borrowed import teach_argparse
from lora_repository.files import write_whole
from lora_repository.finding import Problem
from lora_repository.i18n import _, set_language

_PLACES = ("base_model", "train_images", "train_audios", "prompt_list", "train_videos", "output_dir", "base_adapter")


@dataclass(frozen=True, slots=True)
class Request:
    """What the command line asks for."""

    folder: JobFolder
    spec: TrainSpec
    resume: bool


def main(arguments: Sequence[str] | None = None) -> int:
    """Train once; returns the exit code."""
    set_language()
    teach_argparse()
    try:
        request = parse(sys.argv[1:] if arguments is None else arguments)
        check(request.spec, resume=request.resume)
        lock = take(request.folder)
        write_whole(request.folder.spec, encode(request.spec))
    except Problem as error:
        Terminal(None, None).tell(error.finding)
        return error.exit_code
    terminal = open_log(request.folder.log)
    set_language(request.spec.language)
    try:
        return conduct(
            request.folder,
            terminal,
            lambda stage: train(request.spec, stage, request.folder.preview, resume=request.resume),
        )
    finally:
        lock.release()


def parse(arguments: Sequence[str]) -> Request:
    """The request behind the flags; exits 2 with a sentence for misuse."""
    parser = _parser()
    given = vars(parser.parse_args(arguments))
    resume = given.pop("resume", False)
    if "spec" in given:
        path = Path(given["spec"]).absolute()
        spec = _read(path)
        return Request(JobFolder(path.parent), spec, resume or begun(spec))
    if "output_dir" not in given:
        parser.error(_("{flags} must be given").format(flags="--output_dir"))
    folder = JobFolder(Path(given.pop("job", jobs_root() / fresh_job_id())).expanduser().absolute())
    for name in _PLACES:
        if given.get(name) and (name, given[name]) != ("base_model", EMBEDDED):
            given[name] = str(Path(given[name]).expanduser().absolute())
    if "target_modules" in given:
        given["target_modules"] = tuple(given["target_modules"])
    return Request(folder, TrainSpec(**given, language=set_language()), resume)


def _parser() -> FlagParser:
    # Defaults stand in TrainSpec alone: a flag that is not given does not appear.
    parser = FlagParser(
        prog="python -m engine.train_lora",
        description=_("From pictures of a person, speeches and prompts to an adapter that knows the person."),
        argument_default=argparse.SUPPRESS,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--base_model", metavar="DIR", help=_("folder of the base model (default: the embedded avatar)"))
    add("--train_images", metavar="DIR", help=_("10 to 20 pictures of one person"))
    add("--train_audios", metavar="DIR", help=_("speeches of up to 30 s"))
    add("--prompt_list", metavar="FILE", help=_("prompts that fit the person, one a line"))
    add("--train_videos", metavar="DIR", help=_("clips of the person speaking, with sound"))
    add("--output_dir", metavar="DIR", help=_("becomes a version by the contract"))
    add("--lora_rank", type=int, metavar="N", help=_("rank of the video model's adapter (default: 4)"))
    add("--t5_rank", type=int, metavar="N", help=_("rank of the text encoder's adapter (default: 0, none)"))
    add("--lora_alpha", type=float, metavar="N", help=_("strength times rank (default: 16)"))
    add("--target_modules", nargs="+", metavar="NAME", help=_("what gets a layer (default: attn ffn)"))
    add("--base_adapter", metavar="PATH", help=_("adapter that lies below, such as the distilled one"))
    add("--learning_rate", type=float, metavar="X", help=_("at its highest (default: 1e-4)"))
    add("--num_train_epochs", type=int, metavar="N", help=_("each picture with each speech so often (default: 10)"))
    add("--batch_size", type=int, metavar="N", help=_("clips a step (default: 1)"))
    add("--blocks", type=int, metavar="N", help=_("twelve frames each, of a clip (default: 5)"))
    add("--size", metavar="W*H", help=_("largest picture area (default: 704*384)"))
    add("--own_path", type=float, metavar="X", help=_("share of steps on the model's own way (default: 0.5)"))
    add("--held_out", type=float, metavar="X", help=_("share of clips only looked at (default: 0.1)"))
    add("--save_every", type=int, metavar="N", help=_("steps between checkpoints (default: ten in all)"))
    add("--seed", type=int, metavar="N", help=_("the same seed gives the same weights (default: 420)"))
    add("--device", metavar="NAME", help=_("such as cuda:1 (default: the first card, else the processor)"))
    add("--checkpointing", action=argparse.BooleanOptionalAction, help=_("compute twice to keep less (on a card)"))
    add("--threads", type=int, metavar="N", help=_("processor threads (default: all that may be used)"))
    add("--resume", action="store_true", help=_("go on with the training in --output_dir"))
    add("--job", metavar="DIR", help=_("job folder, made if need be (default: a new one in the state folder)"))
    add("--label", metavar="NAME", help=_("a name for this training"))
    add("--spec", metavar="FILE", help=_("read every setting from this file; its folder is the job folder"))
    return parser


def _read(path: Path) -> TrainSpec:
    """The spec in a file; raises Problem RUN001."""
    try:
        return decode(path.read_bytes())
    except OSError as fault:
        raise codes.SPEC_UNREADABLE.problem(path=str(path), reason=reason(fault)) from fault
    except (msgspec.DecodeError, UnicodeDecodeError) as fault:
        raise codes.SPEC_UNREADABLE.problem(path=str(path), reason=str(fault)) from fault


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # without the interpreter's clean-up: with torch loaded it takes a quarter of a second
