"""Commands on the queue: who waits for what, and another order; and the same run once more."""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING, Any

from liveavatar_tui.commands.output import say, say_json, say_table
from liveavatar_tui.commands.parser import Command, CommandParser, add_command, add_json, as_json, examples
from liveavatar_tui.commands.run_flags import add_run_flags, run_settings
from liveavatar_tui.commands.shared import settings_of
from lora_repository.i18n import _

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from engine.spec import RunSpec
    from liveavatar_tui.commands.parser import SubParsers
    from liveavatar_tui.jobs.devices import Shortage
    from liveavatar_tui.jobs.queue import Line, Waiting
    from liveavatar_tui.settings import Settings


def register(commands: SubParsers) -> None:
    """Add the commands, with their help in the language in force."""
    short = _("Who waits for a device, and in which order.")
    more = _("A job starts by itself when its devices and their memory are free; nobody need be logged in for that.")
    shown = examples(
        ("liveavatar-tui queue move last 1", _("it goes first")),
        ("liveavatar-tui queue hold 5580b7", _("the others pass it")),
    )
    parser = add_json(add_command(commands, "queue", list_them, short, more, shown)).with_help()
    actions: SubParsers = parser.add_subparsers(title=_("Commands"), metavar=_("COMMAND"), parser_class=CommandParser)
    one = _add_one(actions, "move", move, _("Give a waiting job another place."))
    one.add_argument("place", metavar="PLACE", type=int, help=_("Counted from 1."))
    add_json(one).with_help()
    add_json(_add_one(actions, "hold", hold, _("Let the others pass a waiting job."))).with_help()
    add_json(_add_one(actions, "release", release, _("Let it go again."))).with_help()

    short = _("Start the same run once more, with other values where flags say so.")
    more = _("All its LoRAs stay, in their order, unless --lora or --no-lora is given.")
    shown = examples(
        ("liveavatar-tui retry last", ""),
        ("liveavatar-tui retry last --cheaper", _("with the next setting that needs less memory")),
        ('liveavatar-tui retry last --size "512*288" --seed 7', ""),
    )
    parser = add_command(commands, "retry", retry, short, more, shown)
    parser.add_argument("job", metavar="JOB")
    parser.add_argument("--cheaper", action="store_true", help=_("Change as little as makes it fit."))
    add_start_flags(add_run_flags(parser))
    add_json(parser).with_help()


def _add_one(actions: SubParsers, name: str, run: Command, short: str) -> CommandParser:
    parser = add_command(actions, name, run, short)
    parser.add_argument("job", metavar="JOB")
    return parser


def add_start_flags(parser: CommandParser) -> None:
    """What every command takes that starts a job."""
    add = parser.add_argument
    add("--wait", action="store_true", help=_("Return when the run is over."))
    add("--follow", action="store_true", help=_("As --wait, and print the progress."))
    add("--force", action="store_true", help=_("Start in spite of errors that preflight found."))
    add("--now", action="store_true", help=_("Do not queue: start at once, beside whatever runs."))


# --- the queue


def list_them(given: Namespace) -> int:
    """One line a waiting job, and what it waits for."""
    from liveavatar_tui.jobs.queue import read_line, wake

    folder = settings_of(given).jobs_folder()
    wake(folder)
    _say_line(folder, read_line(folder), given)
    return 0


def _say_line(folder: Path, line: Line, given: Namespace) -> None:
    if as_json(given):
        say_json({"folder": str(folder), "waiting": [_waiting_json(folder, line, one) for one in line]})
        return
    if not line:
        say(_("No job waits."))
    say_table(
        [
            (str(place), one.id, ", ".join(one.devices), _what_for(folder, line, one), _label(folder, one.id))
            for place, one in enumerate(line, 1)
        ],
        indent="",
    )


def _waiting_json(folder: Path, line: Line, one: Waiting) -> dict[str, Any]:
    from liveavatar_tui.jobs.queue import ahead

    return {
        "id": one.id,
        "devices": list(one.devices),
        "needs": dict(one.needs),
        "held": one.held,
        "ahead": [other.id for other in ahead(line, one.id)],
        "why": _what_for(folder, line, one),
    }


def _what_for(folder: Path, line: Line, one: Waiting) -> str:
    """Why it does not run yet."""
    from engine.probe import probe
    from liveavatar_tui.jobs.devices import busy, shortage
    from liveavatar_tui.jobs.promises import spoken_for
    from liveavatar_tui.jobs.queue import ahead

    if one.held:
        return _("held")
    if before := ahead(line, one.id):
        return _("after {job}").format(job=before[-1].id)
    if busy(folder, one.devices):
        return _("until the running job ends")
    short = shortage(one.needs, probe(), spoken_for(folder))
    return _("its turn") if short is None else _short_text(short)


def _short_text(short: Shortage) -> str:
    from liveavatar_tui.quantities import bytes_text

    facts = {"need": bytes_text(short.need), "free": bytes_text(short.free), "device": short.device}
    return _("until {need} are free on {device}; {free} are").format(**facts)


def _label(folder: Path, job: str) -> str:
    from engine.job_folder import JobFolder
    from liveavatar_tui.jobs.job import read_spec

    spec = read_spec(JobFolder(folder / job))
    return spec.label if spec is not None else ""


def move(given: Namespace) -> int:
    """Another place in the queue."""
    from liveavatar_tui.jobs.queue import moved

    return _rearrange(given, lambda line, job: moved(line, job, given.place))


def hold(given: Namespace) -> int:
    """The others pass it."""
    from liveavatar_tui.jobs.queue import holding

    return _rearrange(given, lambda line, job: holding(line, job, held=True))


def release(given: Namespace) -> int:
    """It goes again when it is its turn."""
    from liveavatar_tui.jobs.queue import holding

    return _rearrange(given, lambda line, job: holding(line, job, held=False))


def _rearrange(given: Namespace, edit: Callable[[Line, str], Line]) -> int:
    """Change the queue, and tell it as it is then; raises `Problem` JOB007 for a job that does not wait."""
    from liveavatar_tui.jobs.queue import rearrange
    from liveavatar_tui.jobs.watching import find_job

    folder = settings_of(given).jobs_folder()
    job = find_job(folder, given.job).root.name
    _say_line(folder, rearrange(folder, job, edit), given)
    return 0


# --- once more


def retry(given: Namespace) -> int:
    """The same spec as a new job; 1 when preflight or the run fails."""
    from liveavatar_tui.commands.running import launch
    from liveavatar_tui.jobs.repeating import spec_of
    from liveavatar_tui.jobs.watching import find_job, read_job

    settings = run_settings(given)
    job = read_job(find_job(settings.jobs_folder(), given.job))
    spec = _changed(spec_of(job), given, settings)
    if hasattr(given, "cheaper"):
        spec = _cheaper(spec, given)
    return launch(spec, settings, given, repeats=job.id)


def _changed(spec: RunSpec, given: Namespace, settings: Settings) -> RunSpec:
    """The spec with what was given; values are checked and paths made absolute as everywhere."""
    import msgspec

    from liveavatar_tui.commands.run_flags import run_spec

    typed = run_spec(given, settings) if hasattr(given, "lora") or hasattr(given, "no_lora") else None
    changes: Mapping[str, object] = {
        name: getattr(settings.generate, name)
        for name in type(settings.generate).__struct_fields__
        if hasattr(given, name) and name in type(spec).__struct_fields__
    }
    if hasattr(given, "ckpt_dir"):
        changes = {**changes, "ckpt_dir": settings.ckpt_dir}
    if typed is not None:
        changes = {**changes, "adapters": typed.adapters, "label": typed.label}
    return msgspec.structs.replace(spec, **changes)


def _cheaper(spec: RunSpec, given: Namespace) -> RunSpec:
    from engine.probe import probe
    from liveavatar_tui.jobs.repeating import cheaper

    changed, changes = cheaper(spec, probe())
    if not as_json(given):
        for change in changes:
            say(f"{change.flag}  {_(change.said)}")
    return changed
