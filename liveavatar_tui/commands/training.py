"""Commands that make adapters: look at a data set, train on it, put what came out where staging finds it."""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING

from liveavatar_tui.commands.output import say, say_findings, say_json
from liveavatar_tui.commands.parser import add_command, add_json, as_json, examples
from liveavatar_tui.commands.shared import settings_of
from lora_repository.i18n import _
from lora_repository.wording import command

if TYPE_CHECKING:
    from liveavatar_tui.commands.parser import SubParsers

_FLAGS = (
    *("train_images", "train_audios", "prompt_list", "train_videos", "output_dir", "base_adapter", "label"),
    *("lora_rank", "t5_rank", "lora_alpha", "learning_rate", "num_train_epochs", "batch_size", "blocks", "save_every"),
    *("seed", "size", "device", "threads"),
)
_PLACES = frozenset({"train_images", "train_audios", "prompt_list", "train_videos", "output_dir", "base_adapter"})


def register(commands: SubParsers) -> None:
    """Add the commands, with their help in the language in force."""
    short = _("Train an adapter: pictures, speeches and prompts become a version's folder.")
    more = _(
        "A job like a run: it goes on when this terminal is closed. Given the same flags again, a training that was\n"
        "interrupted goes on where it stood. Further flags: python -m engine.train_lora --help"
    )
    shown = examples(
        (
            "liveavatar-tui train --train-images data/images/ --train-audios data/audios/ "
            "--prompt-list data/prompts.txt --output-dir my_lora_output/ --follow",
            "",
        ),
    )
    parser = add_command(commands, "train", train, short, more, shown)
    add = parser.add_argument
    add("--train-images", "--train_images", metavar="DIR", help=_("10 to 20 pictures of one person."))
    add("--train-audios", "--train_audios", metavar="DIR", help=_("Speeches of up to 30 s."))
    add("--prompt-list", "--prompt_list", metavar="FILE", help=_("Prompts that fit the person, one a line."))
    add("--train-videos", "--train_videos", metavar="DIR", help=_("Clips of the person speaking, with sound."))
    add("--output-dir", "--output_dir", metavar="DIR", required=True, help=_("Becomes a version by the contract."))
    add("--base-adapter", "--base_adapter", metavar="PATH", help=_("Adapter that lies below."))
    for flag, kind in (("lora-rank", int), ("t5-rank", int), ("lora-alpha", float), ("learning-rate", float)):
        add(f"--{flag}", f"--{flag.replace('-', '_')}", metavar="N", type=kind)
    for flag in ("num-train-epochs", "batch-size", "blocks", "save-every", "seed", "threads"):
        add(f"--{flag}", f"--{flag.replace('-', '_')}", metavar="N", type=int)
    add("--size", metavar="W*H", help=_("Largest picture area."))
    add("--device", metavar="NAME", help=_("Such as cuda:1."))
    add("--label", metavar="NAME", help=_("A name for this training."))
    add("--follow", action="store_true", help=_("Show the progress until it is over."))
    add_json(parser).with_help()

    short = _("Make a version of a training, and point staging at it.")
    shown = examples(("liveavatar-tui stage my_lora_output/ --as v3.0_anna", ""))
    parser = add_command(commands, "stage", stage, short, "", shown)
    parser.add_argument("source", metavar="DIR")
    parser.add_argument("--as", dest="name", metavar="NAME", help=_("v<major>.<minor>[.<patch>]_<slug>"))
    parser.add_argument("--reason", metavar="TEXT", default="")
    add_json(parser).with_help()

    short = _("Is a data set fit to be trained on? Every file, with a reason.")
    more = _("--fix writes a copy with what can be mended mended: sounds at 16 kHz in mono, pictures cut to the face.")
    shown = examples(("liveavatar-tui doctor data/ --fix data_fixed/", ""))
    parser = add_command(commands, "doctor", doctor, short, more, shown)
    parser.add_argument("folder", metavar="DIR", help=_("Holds images/, audios/, prompts.txt, and videos/ if any."))
    parser.add_argument("--fix", metavar="OUT", help=_("Folder of the mended copy."))
    add_json(parser).with_help()


def train(given: Namespace) -> int:
    """Check what can be checked at once, then a job; with --follow the exit code is that of the training."""
    import sys
    from pathlib import Path

    from engine.training.checking import check
    from engine.training.places import begun
    from engine.training.spec import TrainSpec
    from liveavatar_tui.commands.following import ended_well, follow_job, job_json, say_ending
    from liveavatar_tui.jobs.starting import start
    from lora_repository.i18n import language

    settings = settings_of(given)
    chosen = {flag: getattr(given, flag) for flag in _FLAGS if hasattr(given, flag)}
    for flag in _PLACES & chosen.keys():
        chosen[flag] = str(Path(chosen[flag]).expanduser().absolute())
    spec = TrainSpec(**chosen, base_model=settings.ckpt_dir, language=language())
    check(spec, resume=begun(spec))
    job = start(spec, settings.jobs_folder(), command=(sys.executable, "-m", "engine.train_lora"))
    if hasattr(given, "follow"):
        job = follow_job(job.folder, quiet=as_json(given))
    if as_json(given):
        say_json(job_json(job))
    elif job.state.live:
        say(_("Started {job}. Watch it: liveavatar-tui jobs show {job} --follow").format(job=job.id))
    else:
        say_ending(job)
    return 0 if job.state.live or ended_well(job) else 1


def stage(given: Namespace) -> int:
    """Publish, then switch staging; raises Problem as both do."""
    from pathlib import Path

    import msgspec

    from liveavatar_tui.deployment import STAGING, Deployment

    deployment = Deployment(settings_of(given))
    source = Path(given.source).absolute()
    made = deployment.publish(source, getattr(given, "name", None), source.name, None)
    switched = deployment.activate(STAGING, made.version, given.reason)
    if as_json(given):
        say_json(msgspec.to_builtins(made) | {"generation": switched.number})
        return 0
    say(_("{version} is published, and staging points at it.").format(version=made.version))
    say("  " + _("Compare it: {command}").format(command=command("liveavatar-tui", "compare", made.version)))
    return 0


def doctor(given: Namespace) -> int:
    """A line a file with its grade; 1 where a file is not fit."""
    from pathlib import Path

    from engine.dataset.doctor import examine
    from engine.dataset.fixing import fix

    folder = Path(given.folder).absolute()
    report = examine(folder)
    fixed = fix(folder, Path(given.fix).absolute(), report) if hasattr(given, "fix") else ()
    if as_json(given):
        say_json(report.as_dict() | {"fixed": [str(path) for path in fixed]})
        return 0 if report.ok else 1
    words = {"good": _("good"), "usable": _("usable"), "unfit": _("unfit")}
    for file in report.files:
        say(f"{words[file.grade]:<8} {file.name}")
        say_findings(file.findings)
    say_findings(report.findings)
    for path in fixed:
        say(_("mended: {path}").format(path=path))
    return 0 if report.ok else 1
