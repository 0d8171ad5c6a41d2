"""`python -m engine.inference`: one generation in a process of its own, by hand with flags or with `--spec`.

Parses and opens the job folder; `conduct` sees to it that every end is told. Knows nothing of how a video is made.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from engine import __version__, codes
from engine.conduct import conduct, take
from engine.flags import FlagParser
from engine.job_folder import JobFolder, fresh_job_id, jobs_root, reason
from engine.log import Terminal, open_log
from engine.protocol import Finished
from engine.resolving import check_values
from engine.run import run
from engine.spec import EMBEDDED, Precision, Pristine, RunSpec, decode, encode
from engine.stage import Stage
from lora_repository.borrowed import teach_argparse
from lora_repository.files import write_whole
from lora_repository.finding import Problem
from lora_repository.i18n import _, set_language

SPEC_NAME = "spec.json"


@dataclass(frozen=True, slots=True)
class Request:
    """What the command line asks for: a spec to write down, or None when `spec.json` is in the folder already."""

    folder: JobFolder
    spec: RunSpec | None


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one generation; returns the exit code."""
    set_language()
    teach_argparse()
    try:
        request = parse(sys.argv[1:] if arguments is None else arguments)
        lock = take(request.folder)
    except Problem as error:
        Terminal(None, None).tell(error.finding)
        return error.exit_code
    terminal = open_log(request.folder.log)
    try:
        return conduct(request.folder, terminal, lambda stage: _generate(request, stage))
    finally:
        lock.release()


def _generate(request: Request, stage: Stage) -> Finished:
    spec = _spec_of(request)
    set_language(spec.language)
    return run(spec, request.folder, stage)


def parse(arguments: Sequence[str]) -> Request:
    """The request behind the flags; exits 2 with a sentence for misuse, raises Problem for a value that cannot be."""
    parser = _parser()
    given = vars(parser.parse_args(arguments))
    if "spec" in given:
        if len(given) > 1:
            parser.error(_("--spec stands alone: the file holds every other setting"))
        return _from_file(Path(given["spec"]).absolute())
    missing = [f"--{name}" for name in ("prompt", "image", "audio") if name not in given]
    if missing:
        parser.error(_("{flags} must be given").format(flags=", ".join(missing)))
    folder = Path(given.pop("output", jobs_root() / fresh_job_id())).expanduser().absolute()
    for name in ("image", "audio", "ckpt_dir"):
        if name in given and (name, given[name]) != ("ckpt_dir", EMBEDDED):
            given[name] = _absolute(given[name])
    given["adapters"] = _adapters(given.pop("lora_path_dmd", []))
    spec = RunSpec(**given, language=set_language())
    check_values(spec)
    return Request(JobFolder(folder), spec)


def _parser() -> FlagParser:
    # Defaults stand in RunSpec alone: a flag that is not given does not appear.
    parser = FlagParser(
        prog="python -m engine.inference",
        description=_("From a portrait, a speech and a prompt to a talking video."),
        argument_default=argparse.SUPPRESS,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--prompt", help=_("what the video shows"))
    add("--image", metavar="FILE", help=_("the portrait"))
    add("--audio", metavar="FILE", help=_("the speech"))
    add(
        "--lora_path_dmd",
        metavar="PATH",
        action="append",
        help=_(
            "adapter: a contract folder, one .safetensors, or none; repeat it or use commas for a stack, base first"
        ),
    )
    add("--ckpt_dir", metavar="DIR", help=_("folder of the base model (default: the embedded avatar)"))
    add("--size", metavar="W*H", help=_("largest picture area; the shape follows the portrait (default: 704*384)"))
    add("--num_clip", type=int, metavar="N", help=_("clips of 1.92 s (default: as long as the speech)"))
    add("--sample_steps", type=int, metavar="N", help=_("denoising steps (default: 4)"))
    add("--seed", type=int, metavar="N", help=_("the same seed gives the same video (default: 420)"))
    add("--offload_model", type=_truth, metavar="True|False", help=_("keep parts of the model in host memory"))
    add(
        "--precision",
        type=Precision,
        choices=list(Precision),
        help=_("of the large matrices on a card (default: bf16)"),
    )
    add("--cache_precision", type=Precision, choices=list(Precision), help=_("of keys and values on a card"))
    add("--skip_last_step", action="store_true", help=_("leave the last denoising pass out: a quarter faster"))
    add("--pristine", type=Pristine, choices=list(Pristine), help=_("where the base without adapters is kept"))
    add("--avatarise", action="store_true", help=_("turn a photograph into the nearest avatar (embedded model only)"))
    add("--parity", action="store_true", help=_("reproduce upstream, flaws included"))
    add("--threads", type=int, metavar="N", help=_("processor threads (default: all that may be used)"))
    add("--label", metavar="NAME", help=_("a name for this run"))
    add("--output", metavar="DIR", help=_("job folder, made if need be (default: a new one in the state folder)"))
    add("--spec", metavar="FILE", help=_("read every setting from this file; its folder is the job folder"))
    add("--version", action="version", version=__version__, help=_("print the version"))
    return parser


def _truth(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise argparse.ArgumentTypeError(_("expected True or False, found {text}").format(text=repr(text)))
    return text.lower() == "true"


def _absolute(path: str) -> str:
    return str(Path(path).expanduser().absolute())


def _adapters(given: Sequence[str]) -> tuple[str, ...]:
    names = [name.strip() for entry in given for name in entry.split(",")]
    return tuple(_absolute(name) for name in names if name and name.lower() != "none")


def _from_file(path: Path) -> Request:
    """A `spec.json` lies in its job folder; a spec of any other name gets a new folder."""
    if path.name == SPEC_NAME and path.is_file():
        return Request(JobFolder(path.parent), None)
    return Request(JobFolder(jobs_root() / fresh_job_id()), read_spec(path))


def read_spec(path: Path) -> RunSpec:
    """The spec in a file; raises Problem RUN001."""
    try:
        return decode(path.read_bytes())
    except OSError as fault:
        raise codes.SPEC_UNREADABLE.problem(path=str(path), reason=reason(fault)) from fault
    except (msgspec.DecodeError, UnicodeDecodeError) as fault:
        raise codes.SPEC_UNREADABLE.problem(path=str(path), reason=str(fault)) from fault


def _spec_of(request: Request) -> RunSpec:
    if request.spec is None:
        return read_spec(request.folder.spec)
    write_whole(request.folder.spec, encode(request.spec))
    return request.spec


if __name__ == "__main__":
    # Without the interpreter's clean-up: with torch loaded it takes a quarter of a second, a busy host a whole one.
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
