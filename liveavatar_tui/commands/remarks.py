"""Commands about what people and comparisons say of a version: tag, scores. Its files stay as they are."""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING, Any

from liveavatar_tui.commands.output import say, say_json, say_table
from liveavatar_tui.commands.parser import add_command, add_json, as_json, examples
from liveavatar_tui.commands.shared import settings_of
from lora_repository.i18n import _

if TYPE_CHECKING:
    from liveavatar_tui.commands.parser import SubParsers
    from lora_repository.notes import Remarks
    from lora_repository.repository import LoraRepository
    from lora_repository.scores import Comparison, Score


def register(commands: SubParsers) -> None:
    """Add the commands, with their help in the language in force."""
    short = _("Tag a version and write a note to it; without flags, show them.")
    more = _("Kept beside the versions, never inside: published bytes do not change. `versions --filter` finds them.")
    shown = examples(
        ('liveavatar-tui tag v2.1 --add approved --note "calmer hands"', ""),
        ("liveavatar-tui tag v2.1 --remove draft", ""),
        ('liveavatar-tui tag v2.1 --note ""', _("take the note away")),
    )
    parser = add_command(commands, "tag", tag, short, more, shown)
    parser.add_argument("version", metavar="VERSION")
    parser.add_argument("--add", metavar="TAG", action="append", help=_("Add a tag; may be given again."))
    parser.add_argument("--remove", metavar="TAG", action="append", help=_("Take a tag away; may be given again."))
    parser.add_argument("--note", metavar="TEXT", help=_("The note, in place of the one that is there."))
    add_json(parser).with_help()

    short = _("How a version did in comparisons, and the samples that were made with it.")
    more = _("Newest first. Only a comparison of the present files counts for the policy of production.")
    parser = add_command(commands, "scores", scores, short, more)
    parser.add_argument("version", metavar="VERSION")
    add_json(parser).with_help()


def tag(given: Namespace) -> int:
    """Change, then show."""
    repository = _repository(given)
    name = str(repository.version(given.version).name)
    add, remove, note = (getattr(given, flag, None) for flag in ("add", "remove", "note"))
    if add or remove or note is not None:
        said: Remarks | None = repository.annotate(name, add=add or (), remove=remove or (), note=note)
    else:
        said = repository.remarks().get(name)
    if as_json(given):
        say_json({"version": name} | remarks_json(said))
        return 0
    say(name)
    if said is None or not (said.tags or said.note):
        say("  " + _("Nobody has said anything of it."))
        return 0
    if said.tags:
        say("  " + " ".join(said.tags))
    for line in said.note.splitlines():
        say("  " + line)
    say("  " + _("by {user} on {host}, {time}").format(user=said.user, host=said.host, time=_minute(said.time)))
    return 0


def remarks_json(said: Remarks | None) -> dict[str, Any]:
    """Tags and note, and who said the last of them."""
    if said is None:
        return {"tags": [], "note": "", "time": None, "user": None, "host": None}
    return {
        "tags": list(said.tags),
        "note": said.note,
        "time": said.time.isoformat(),
        "user": said.user,
        "host": said.host,
    }


def scores(given: Namespace) -> int:
    """One block a comparison; 1 when the last one of the present files was not passed."""
    import msgspec

    from lora_repository.published import hashes_of

    repository = _repository(given)
    version = repository.version(given.version)
    found, samples = repository.comparisons(str(version.name)), repository.samples(str(version.name))
    passed = repository.passed(version, hashes_of(version.path)) if found else None
    if as_json(given):
        say_json(
            {
                "version": str(version.name),
                "passed": passed,
                "comparisons": [msgspec.to_builtins(one) for one in found],
                "samples": [str(path) for path in samples],
            }
        )
        return 1 if passed is False else 0
    say(str(version.name))
    if not found:
        say("  " + _("It was not compared with anything yet."))
    for one in found:
        _say_comparison(one)
    for path in samples:
        say(f"  {path}")
    return 1 if passed is False else 0


def _say_comparison(one: Comparison) -> None:
    verdicts = {"better": _("better"), "equal": _("equal"), "worse": _("worse"), "abstained": _("abstained")}
    passed = _("passed") if one.passed else _("not passed")
    against = _("against {name}").format(name=one.against) if one.against else ""
    who = f"{one.user}@{one.host}"
    say("  " + "  ".join(text for text in (_minute(one.time), passed, verdicts[one.verdict], against, who) if text))
    say_table([_score_cells(score) for score in one.scores], indent="    ")
    for reason in one.reasons:
        say("    " + reason)


def _score_cells(score: Score) -> list[str]:
    if score.value is None:
        return [score.name, _("not measured")]
    bounds = "" if score.low is None or score.high is None else f"[{score.low:.3g}, {score.high:.3g}]"
    other = "" if score.reference is None else _("other {value}").format(value=f"{score.reference:.3g}")
    mark = {True: _("passed"), False: _("not passed"), None: ""}[score.passed]
    return [score.name, f"{score.value:.3g} {score.unit}".strip(), bounds, other, mark]


def _minute(time: Any) -> str:
    return f"{time.astimezone():%Y-%m-%d %H:%M}"


def _repository(given: Namespace) -> LoraRepository:
    from pathlib import Path

    from lora_repository.repository import LoraRepository

    return LoraRepository(Path(settings_of(given).lora.repository))
