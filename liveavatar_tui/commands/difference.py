"""The command that tells two LoRAs apart: configs, coverage, and a map of how strong each is where."""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING, Any, Final

from liveavatar_tui.commands.output import Meter, say, say_findings, say_json, say_table
from liveavatar_tui.commands.parser import add_command, add_json, as_json, examples
from liveavatar_tui.commands.shared import settings_of
from lora_repository.i18n import _

if TYPE_CHECKING:
    from collections.abc import Iterator

    from liveavatar_tui.commands.parser import SubParsers
    from lora_repository.difference import Compared, Difference, ModuleDifference, PartDifference
    from lora_repository.heat_map import HeatMap

_MAPS: Final = ("a", "b", "distance", "cosine")
_CELL: Final = 7


def register(commands: SubParsers) -> None:
    """Add the command, with its help in the language in force."""
    short = _("Tell two LoRAs apart: config, coverage, rank, strength module by module.")
    more = _(
        "A and B are versions, channels, folders or files. Strength is the norm of the update, held against that of\n"
        "the weight where the base model is on this host; cosine is 1 for one direction, 0 for nothing in common.\n"
        "Neither is loaded; adapters of 1.35 GB take half a minute."
    )
    shown = examples(
        ("liveavatar-tui diff production staging", _("what would change")),
        ("liveavatar-tui diff v2.1 v2.2 --map cosine", _("where they point elsewhere")),
        ("liveavatar-tui diff v2.1 v2.2 --json | jq '.parts[0].total'", ""),
    )
    parser = add_command(commands, "diff", diff, short, more, shown)
    parser.add_argument("a", metavar="A")
    parser.add_argument("b", metavar="B")
    told = _("What to draw: strength of a or of b, distance (of both updates; the default) or cosine.")
    parser.add_argument("--map", metavar="MAP", choices=_MAPS, help=told)
    parser.add_argument("--ckpt-dir", "--ckpt_dir", metavar="DIR", help=_("Folder of the base model, or `embedded`."))
    add_json(parser).with_help()


def diff(given: Namespace) -> int:
    """Compare; 1 when one of them would not load."""
    from liveavatar_tui.deployment import Deployment

    settings = settings_of(given, {"ckpt_dir": getattr(given, "ckpt_dir", None)})
    meter = Meter(quiet=as_json(given))
    try:
        found = Deployment(settings).difference(given.a, given.b, meter.show)
    finally:
        meter.end()
    if as_json(given):
        say_json(difference_json(found))
    else:
        _say(found, getattr(given, "map", "distance"))
    return 0 if found.a.proof.ok and found.b.proof.ok else 1


def difference_json(found: Difference) -> dict[str, Any]:
    """The whole of it."""
    return {
        "a": _side_json(found.a),
        "b": _side_json(found.b),
        "base": found.base,
        "relative": found.relative,
        "config": [{"key": change.key, "a": change.a, "b": change.b} for change in found.config],
        "parts": [_part_json(part) for part in found.parts],
    }


def _side_json(side: Compared) -> dict[str, Any]:
    findings = [finding.as_dict() for finding in side.proof.findings]
    return {"name": side.name, "path": str(side.path), "ok": side.proof.ok, "findings": findings}


def _part_json(part: PartDifference) -> dict[str, Any]:
    return {
        "target": part.target,
        "rank": list(part.rank),
        "strength": list(part.strength),
        "coverage": [{"target": c.target, "a": c.a, "b": c.b, "total": c.total} for c in part.coverage],
        "total": _module_json(part.total),
        "modules": [_module_json(module) for module in part.modules],
    }


def _module_json(one: ModuleDifference) -> dict[str, Any]:
    names = ("module", "a", "b", "base", "relative_a", "relative_b", "cosine", "distance")
    return {name: getattr(one, name) for name in names}


def _say(found: Difference, what: str) -> None:
    for letter, side in (("a", found.a), ("b", found.b)):
        say(f"{letter}  {side.name}  {side.path}")
        say_findings(finding for finding in side.proof.findings if finding.severity != "info")
    say(_("held against {base}").format(base=found.base))
    if found.config:
        say("config.json")
        say_table([(change.key, f"{change.a or '-'} -> {change.b or '-'}") for change in found.config])
    for part in found.parts:
        _say_part(part, what)


def _say_part(part: PartDifference, what: str) -> None:
    say(_("video model") if part.target == "dit" else _("text encoder"))
    say_table(list(_facts(part)))
    for one in part.heat_maps(what):  # type: ignore[arg-type]  # one of the choices
        say()
        _say_map(one, what)


def _facts(part: PartDifference) -> Iterator[tuple[str, str]]:
    total = part.total
    yield _("rank"), _arrow(*(_number(rank) for rank in part.rank))
    yield "alpha / rank", _arrow(*(_number(strength) for strength in part.strength))
    for change in part.coverage:
        yield (
            change.target,
            _("{change} of {total} linears").format(
                change=_arrow(_number(change.a), _number(change.b)), total=change.total
            ),
        )
    if part.relative:
        sizes = _arrow(_percent(total.relative_a), _percent(total.relative_b))
        yield _("update"), _("{sizes} of the weights").format(sizes=sizes)
        yield _("distance"), _percent(total.distance / total.base if total.base else None)
    else:
        # The weights are not on this host, or not stored as floats.
        told = _("{sizes} (absolute: the weights are not known here)")
        yield _("update"), told.format(sizes=_arrow(_number(total.a), _number(total.b)))
        yield _("distance"), _number(total.distance)
    yield "cosine", "-" if total.cosine is None else f"{total.cosine:+.3f}"


def _arrow(a: str, b: str) -> str:
    return a if a == b else f"{a} -> {b}"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value * 100:.3g} %"


def _say_map(one: HeatMap, what: str) -> None:
    """A glyph for the size and the number itself in each cell: it reads without colour, and without the glyphs."""
    from lora_repository.heat_map import shade

    unit = {"relative": ", %", "absolute": ", " + _("absolute"), "cosine": ""}[one.unit]
    wide = max(len(row) for row in one.rows)
    title = one.title or _("alone")
    say(f"{title}: {what}{unit}")
    for line in _heads(one.columns):
        say((" " * (wide + 2) + "".join(line)).rstrip())
    for row, values in zip(one.rows, one.values, strict=True):
        cells = [f"{shade(value, one.top)}{_cell(value, one.unit):<{_CELL - 1}}" for value in values]
        say(f"{row:>{wide}}  {''.join(cells)}".rstrip())


def _heads(columns: tuple[str, ...]) -> list[list[str]]:
    """Two lines: `self_attn` once over its `q k v o`, then these; a long name alone gets a line of its own."""
    groups, leaves = (
        [column.rpartition(".")[0] for column in columns],
        [column.rpartition(".")[2] for column in columns],
    )
    over: list[str] = []
    for at, group in enumerate(groups):
        new = at == 0 or group != groups[at - 1]
        span = next((n for n, other in enumerate(groups[at:]) if other != group), len(groups) - at)
        # Written over all columns of its group, cut where the next one begins.
        over.append(group[: span * _CELL - 1].ljust(span * _CELL) if new else "")
    under = [f" {leaf[: _CELL - 2]:<{_CELL - 1}}" for leaf in leaves]
    return [over, under] if any(groups) else [under]


def _cell(value: float | None, unit: str) -> str:
    if value is None:
        return ""
    if unit == "cosine":
        return f"{value:+.2f}"
    return f"{value * 100:.2g}"[: _CELL - 2] if unit == "relative" else f"{value:.2g}"[: _CELL - 2]
