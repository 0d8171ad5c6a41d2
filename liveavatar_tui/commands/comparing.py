"""Commands that measure versions against one another: compare two, or all checkpoints of a training.

The measuring is a process of the engine's; what it finds is kept beside the versions, for production's policy to read.
"""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING

from liveavatar_tui.commands.output import complain, say, say_json, say_table
from liveavatar_tui.commands.parser import add_command, add_json, as_json, examples
from liveavatar_tui.commands.shared import settings_of
from lora_repository.i18n import _

if TYPE_CHECKING:
    from liveavatar_tui.commands.parser import CommandParser, SubParsers


def register(commands: SubParsers) -> None:
    """Add the commands, with their help in the language in force."""
    short = _("Which of two versions is better, measured.")
    more = _(
        "The same questions to both: one person with several speeches, prompts never trained on, ten runs with the\n"
        "same parameters. Every measure must first fail on videos that were spoilt on purpose. The verdict is kept\n"
        "with both versions, where `policy.compared` reads it; exit code 1 when the first may not take the place of\n"
        "the second."
    )
    shown = examples(
        ("liveavatar-tui compare v3.0", _("with what production is")),
        ("liveavatar-tui compare v3.0 none --person anna/", _("does it know her, from any portrait?")),
    )
    parser = add_command(commands, "compare", compare, short, more, shown)
    parser.add_argument("first", metavar="VERSION")
    parser.add_argument("second", metavar="OTHER", nargs="?", default="production")
    _add_exam(parser)
    add_json(parser).with_help()

    short = _("Which checkpoint of a training is best, measured.")
    more = _("All of them through one exam, ranked; --publish makes a version of the best.")
    shown = examples(("liveavatar-tui sweep my_lora_output/ --person data/images/ --publish v3.0_anna", ""))
    parser = add_command(commands, "sweep", sweep, short, more, shown)
    parser.add_argument("training", metavar="DIR", help=_("--output_dir of a training"))
    parser.add_argument("--against", metavar="OTHER", default="none", help=_("What gains are counted from: none."))
    parser.add_argument("--publish", metavar="NAME", help=_("v<major>.<minor>[.<patch>]_<slug>"))
    _add_exam(parser)
    add_json(parser).with_help()


def _add_exam(parser: CommandParser) -> None:
    add = parser.add_argument
    add("--portraits", metavar="DIR", help=_("Portraits to ask with; without it drawn people are asked."))
    add("--person", metavar="DIR", help=_("Good pictures of who should be seen, whatever the portraits show."))
    add("--quick", action="store_true", help=_("Fewer questions: wider intervals in a third of the time."))
    add("--output", metavar="DIR", help=_("Folder for report and clips; else a job folder."))


def compare(given: Namespace) -> int:
    """Measure, tell, keep; 1 when the first did not pass."""
    from engine.compare.outcome import REPORT, read_outcome
    from liveavatar_tui.comparing import keep, measure, stack_of
    from liveavatar_tui.deployment import Deployment

    settings = settings_of(given)
    deployment = Deployment(settings)
    first, second = (stack_of(deployment, name) for name in (given.first, given.second))
    folder = measure("engine.compare", settings, (first, second), vars(given), quiet=as_json(given))
    outcome = read_outcome(folder)
    kept = keep(deployment, outcome, folder, first, second)
    if as_json(given):
        import msgspec

        say_json(msgspec.to_builtins(outcome) | {"folder": str(folder), "kept": [str(path) for path in kept]})
        return 0 if outcome.passed else 1
    words = {"better": _("better"), "equal": _("equal"), "worse": _("worse"), "abstained": _("abstained")}
    say(
        _("{first} against {second}: {word}").format(
            first=outcome.first, second=outcome.second, word=words[outcome.word]
        )
    )
    say_table([[line.name, _figures(line.first), _figures(line.second), words[line.word]] for line in outcome.lines])
    for reason in outcome.reasons:
        say("  " + reason)
    say(_("Report: {path}").format(path=folder / REPORT))
    for path in kept:
        say(_("Kept: {path}").format(path=path))
    return 0 if outcome.passed else 1


def sweep(given: Namespace) -> int:
    """Rank, tell, publish the best; 1 when no checkpoint passed."""
    from pathlib import Path

    import msgspec

    from engine.compare.ranking import read_ranking
    from liveavatar_tui.comparing import Side, measure, stack_of
    from liveavatar_tui.deployment import Deployment

    settings = settings_of(given)
    deployment = Deployment(settings)
    training = Path(given.training).absolute()
    sides = Side(training.name, (training,), None), stack_of(deployment, given.against)
    folder = measure("engine.compare.sweep", settings, sides, vars(given), quiet=as_json(given))
    ranking = read_ranking(folder)
    best = ranking.places[0]
    published = None
    if hasattr(given, "publish") and best.passed:
        published = deployment.publish(Path(best.path), given.publish, "", None).version
    if as_json(given):
        say_json(msgspec.to_builtins(ranking) | {"folder": str(folder), "published": published})
    else:
        say_table([[place.name, f"{place.sum:+.2f}", place.word, place.reasons[0]] for place in ranking.places])
        if published:
            say(_("{version} is published: {path}").format(version=published, path=best.path))
        elif not best.passed:
            complain(_("No checkpoint is good enough, so none is published."))
    return 0 if best.passed else 1


def _figures(part: tuple[float, float, float] | None) -> str:
    return "-" if part is None else f"{part[0]:.3f} [{part[1]:.3f}, {part[2]:.3f}]"
