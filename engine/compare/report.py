"""A comparison for eyes: one HTML page, complete in itself, with the clips of both versions side by side.

Whatever comes from outside is escaped. Knows no measure and no model.
"""

from __future__ import annotations

from html import escape

from engine.compare.measures import BY_NAME
from engine.compare.outcome import Outcome
from engine.compare.verdict import Line
from lora_repository.i18n import _, language

_STYLE = """
body{font:16px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem;color:#1c1c22;background:#fff}
table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.35rem .6rem;border-bottom:1px solid #ddd}
td.n{font-variant-numeric:tabular-nums;white-space:nowrap}.better{color:#0a6b2d}.worse{color:#a3142a}
.abstained{color:#777}figure{display:inline-block;margin:.4rem}video{width:16rem;display:block}
@media(prefers-color-scheme:dark){body{color:#e8e8ee;background:#16161a}td,th{border-color:#333}.better{color:#6fd58c}
.worse{color:#ff8a9a}}
"""


def page(outcome: Outcome) -> str:
    """The whole page."""
    words = {"better": _("better"), "equal": _("equal"), "worse": _("worse"), "abstained": _("abstained")}
    title = _("{first} against {second}").format(first=outcome.first, second=outcome.second)
    head = "".join(f"<th>{escape(name)}</th>" for name in _columns(outcome))
    rows = "\n".join(_row(line, words) for line in outcome.lines)
    reasons = "\n".join(f"<li>{escape(reason)}</li>" for reason in outcome.reasons)
    fit = _("It may take the other's place.") if outcome.passed else _("It may not take the other's place.")
    return f"""<!doctype html>
<html lang="{escape(language())}"><head><meta charset="utf-8">
<title>{escape(title)}</title><style>{_STYLE}</style></head>
<body><h1>{escape(title)}</h1>
<p><strong class="{escape(outcome.word)}">{escape(words[outcome.word])}</strong>. {escape(fit)}</p>
<ul>{reasons}</ul>
<table><thead><tr>{head}</tr></thead><tbody>
{rows}
</tbody></table>
<p>{escape(_about())}</p>
{_clips(outcome)}
<p>{escape(outcome.protocol)} · {escape(outcome.base)}</p>
</body></html>
"""


def _columns(outcome: Outcome) -> tuple[str, ...]:
    return (_("Measure"), outcome.first, outcome.second, _("Gain"), _("Spoilt on purpose"), _("Verdict"))


def _row(line: Line, words: dict[str, str]) -> str:
    says = _(BY_NAME[line.name].says)
    cells = "".join(
        f'<td class="n">{_figures(part)}</td>' for part in (line.first, line.second, line.gain, line.control)
    )
    word = f'<td class="{escape(line.word)}">{escape(words[line.word])}</td>'
    return f'<tr><td title="{escape(says)}">{escape(line.name)}<br><small>{escape(says)}</small></td>{cells}{word}</tr>'


def _figures(part: tuple[float, float, float] | None) -> str:
    return "–" if part is None else f"{part[0]:.3f} <small>[{part[1]:.3f}, {part[2]:.3f}]</small>"


def _about() -> str:
    return _(
        "In brackets: 95 per cent intervals of 2,000 paired draws. Gain is positive where the first is better. A "
        "measure whose value of the second's videos touches that of the same videos spoilt on purpose abstains."
    )


def _clips(outcome: Outcome) -> str:
    parts = []
    for clip in outcome.clips:
        both = ((clip.first, outcome.first), (clip.second, outcome.second))
        shown = "".join(_figure(file, name) for file, name in both)
        parts.append(f"<h3>{escape(clip.title)}</h3><div>{shown}</div>")
    return "\n".join(parts)


def _figure(file: str, name: str) -> str:
    caption = f"<figcaption>{escape(name)}</figcaption>"
    return f'<figure><video controls loop src="{escape(file)}"></video>{caption}</figure>'
