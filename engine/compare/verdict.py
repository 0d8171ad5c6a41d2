"""From the values of two versions to a verdict with its reasons. Pure; knows no video and no file.

A measure decides only where its control failed: on the other version's own videos, spoilt, it must have been worse with
intervals that do not touch. So nothing that could not have gone wrong makes a version better.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import msgspec

from engine.compare.bootstrap import Interval, difference, interval
from engine.compare.measures import BY_NAME, MEASURES, Measure
from lora_repository.i18n import _
from lora_repository.scores import Score

Values = Mapping[str, Sequence[float | None]]
"""Of each measure, a value for each question."""
Word = Literal["better", "equal", "worse", "abstained"]
_ENOUGH: Final = 3
"""Fewer values than this tell nothing."""
_MIRROR: Final[Mapping[Word, Word]] = {"better": "worse", "worse": "better"}


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One measure of a comparison; intervals are [mean, low, high], None where nobody could tell."""

    name: str
    first: tuple[float, float, float] | None
    second: tuple[float, float, float] | None
    gain: tuple[float, float, float] | None
    """How much the first is better, question by question."""
    control: tuple[float, float, float] | None
    """The same measure of the second's videos, spoilt."""
    word: Word
    reason: str


@dataclass(frozen=True)
class Verdict:
    """`passed`: the first may take the second's place."""

    word: Word
    passed: bool
    reasons: tuple[str, ...]
    lines: tuple[Line, ...]


def judge(first: Values, second: Values, controls: Values) -> Verdict:
    """The first version against the second; `controls` are values of the second's spoilt videos."""
    lines = tuple(_line(measure, first, second, controls) for measure in MEASURES if measure.name in first)
    reasons = [line.reason for word in ("worse", "abstained", "better") for line in lines if line.word == word]
    measures = [measure for measure in MEASURES if measure.name in first]
    failed = [
        reason for measure, line in zip(measures, lines, strict=True) if (reason := _failing(measure, line.first))
    ]
    excused = any(_failing(measure, line.second) for measure, line in zip(measures, lines, strict=True))
    decided = [line for measure, line in zip(measures, lines, strict=True) if measure.decides]
    word: Word = "better" if any(line.word == "better" for line in decided) else "equal"
    if any(line.word == "worse" for line in decided) or (failed and not excused):
        word = "worse"
    elif all(line.word == "abstained" for line in decided):
        word = "abstained"
    told = tuple([*failed, *reasons] or [_("No measure tells them apart.")])
    return Verdict(word, word in ("better", "equal") and not failed, told, lines)


def mirrored(verdict: Verdict) -> Verdict:
    """The same comparison from the second's side."""
    lines = tuple(
        msgspec.structs.replace(
            line, first=line.second, second=line.first, gain=_turned(line.gain), word=_MIRROR.get(line.word, line.word)
        )
        for line in verdict.lines
    )
    word = _MIRROR.get(verdict.word, verdict.word)
    failed = any(_failing(BY_NAME[line.name], line.first) for line in lines)
    return Verdict(word, word in ("better", "equal") and not failed, verdict.reasons, lines)


def scores(verdict: Verdict) -> tuple[Score, ...]:
    """As the repository keeps them."""
    made = []
    for line in verdict.lines:
        measure = BY_NAME[line.name]
        value, low, high = line.first or (None, None, None)
        made.append(
            Score(
                name=line.name,
                value=value,
                low=low,
                high=high,
                reference=None if line.second is None else line.second[0],
                unit=measure.unit,
                better=measure.better,
                passed=None if value is None else measure.good(value) and line.word != "worse",
            )
        )
    return tuple(made)


def _line(measure: Measure, first: Values, second: Values, controls: Values) -> Line:
    pairs = [
        (a, b)
        for a, b in zip(first[measure.name], second[measure.name], strict=True)
        if a is not None and b is not None
    ]
    own, other = _mean([a for a, _b in pairs]), _mean([b for _a, b in pairs])
    spoilt = _mean([value for value in controls.get(measure.name, ()) if value is not None])
    if own is None or other is None:
        reason = _("{measure}: nobody can tell, because a face, a speech or a word to obey is missing.")
        return _row(measure, own, other, None, spoilt, "abstained", reason.format(measure=measure.name))
    sign = 1.0 if measure.better == "higher" else -1.0
    gain = difference([sign * a for a, _b in pairs], [sign * b for _a, b in pairs])
    if spoilt is not None and not _tells(measure, other, spoilt):
        reason = _("{measure}: abstains, because it does not tell the other version's videos from spoilt ones.")
        return _row(measure, own, other, gain, spoilt, "abstained", reason.format(measure=measure.name))
    word: Word = "equal"
    if gain.low > 0 and gain.mean >= measure.margin:
        word = "better"
    elif gain.high < 0 and -gain.mean >= measure.margin:
        word = "worse"
    return _row(measure, own, other, gain, spoilt, word, _sentence(measure, own, other, gain, word))


def _row(
    measure: Measure,
    own: Interval | None,
    other: Interval | None,
    gain: Interval | None,
    spoilt: Interval | None,
    word: Word,
    reason: str,
) -> Line:
    return Line(
        name=measure.name,
        first=_plain(own),
        second=_plain(other),
        gain=_plain(gain),
        control=_plain(spoilt),
        word=word,
        reason=reason,
    )


def _sentence(measure: Measure, own: Interval, other: Interval, gain: Interval, word: Word) -> str:
    known = {"better": _("better"), "worse": _("worse"), "equal": _("no different")}
    told = _("{measure} ({says}) is {word}: {own:.3g} instead of {other:.3g}, gain {low:.3g} to {high:.3g}.")
    return told.format(
        measure=measure.name,
        says=_(measure.says),
        word=known[word],
        own=own.mean,
        other=other.mean,
        low=gain.low,
        high=gain.high,
    )


def _failing(measure: Measure, found: tuple[float, float, float] | None) -> str:
    """Why a version fails by itself, whatever the other does; empty where it does not."""
    if found is None or measure.good(found[0]):
        return ""
    bound = measure.least if measure.least is not None and found[0] < measure.least else measure.most
    told = _("{measure} ({says}) is {value:.3g}; {bound:g} is the limit.")
    return told.format(measure=measure.name, says=_(measure.says), value=found[0], bound=bound)


def _tells(measure: Measure, right: Interval, spoilt: Interval) -> bool:
    return right.above(spoilt) if measure.better == "higher" else spoilt.above(right)


def _mean(values: Sequence[float]) -> Interval | None:
    return interval(values) if len(values) >= _ENOUGH else None


def _plain(found: Interval | None) -> tuple[float, float, float] | None:
    return None if found is None else (found.mean, found.low, found.high)


def _turned(gain: tuple[float, float, float] | None) -> tuple[float, float, float] | None:
    return None if gain is None else (-gain[0], -gain[2], -gain[1])
