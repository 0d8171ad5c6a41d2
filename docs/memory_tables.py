"""Writes the tables of `memory.md` from the plans themselves: `python docs/memory_tables.py`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from engine.memory import GIB, KNOWN_14B, MIB, Case, Mode, plan_case
from engine.memory.ours import on
from engine.memory.plan import HOST, Stage
from engine.memory.sizes import LITE, parts_of
from engine.memory.speed import expected_pace
from engine.memory.upstream import CARD, Rank, UpstreamRun, decoding, plan_upstream
from engine.model.config import DiTConfig

PAGE: Final = Path(__file__).parent / "memory.md"
_SECTION: Final = re.compile(r"<!-- begin (\w+) -->\n.*?<!-- end \1 -->", re.DOTALL)
_SIZES: Final = ((384, 704), (640, 448), (512, 512))
_MEASURED: Final = {(False, False, 4): 77.5, (True, False, 4): 62.8, (True, False, 3): 53.1, (True, True, 4): 44.0}
"""GiB that torch reserved on one H200 at 704x384, by fp8 weights, fp8 cache and passes; drawn weights, end to end."""


def _ours() -> Iterator[str]:
    """Runs of this engine on one card: what torch reserves, as planned and measured, and what must be free."""
    yield "| size | weights | cache | passes | torch reserves | measured | error | must be free | H200, estimated |"
    yield "|---|---|---|---|---|---|---|---|---|"
    kinds = [(fp8, cache, passes) for fp8, cache in ((False, False), (True, False), (True, True)) for passes in (4, 3)]
    for height, width in _SIZES:
        for fp8, cache, passes in kinds:
            mode = Mode(CARD, 2, offload=True, fp8=fp8, fp8_cache=cache)
            case = Case(DiTConfig(), KNOWN_14B, height, width, passes, mode)
            plan, pace = plan_case(case), expected_pace(case, "H200")
            planned = plan.torch_peak(CARD) / GIB
            measured = _MEASURED.get((fp8, cache, passes)) if (height, width) == _SIZES[0] else None
            seen = " | " if measured is None else f"{measured:.1f} GiB | {planned / measured - 1:+.1%}"
            fps = "" if pace is None else f"{pace.fps:.1f} frames/s"
            held = f"{_word(fp8)} | {_word(cache)} | {passes} | {planned:.1f} GiB | {seen}"
            yield f"| {width}x{height} | {held} | {plan.need(CARD) / GIB:.1f} GiB | {fps} |"


def _word(narrow: bool) -> str:
    return "fp8" if narrow else "bf16"


def _rows() -> Iterator[str]:
    """Every row of one plan."""
    case = Case(DiTConfig(), KNOWN_14B, 384, 704, 3, Mode(CARD, 2, offload=True, fp8=True, fp8_cache=True))
    plan = plan_case(case)
    peak = plan.peak(CARD)
    yield "| row | GiB | kind |"
    yield "|---|---|---|"
    for term in plan.at(CARD, peak.stage):
        yield f"| {term.name} | {term.size / GIB:.2f} | {term.kind} |"
    yield f"| **peak, {peak.stage}** | **{peak.size / GIB:.2f}** | |"
    yield f"| **must be free** | **{plan.need(CARD) / GIB:.2f}** | margin {plan.margin:.0%} |"


def _upstream() -> Iterator[str]:
    """Upstream's code as measured, and as planned here."""
    bf16, fp8 = plan_upstream(UpstreamRun()), plan_upstream(UpstreamRun(fp8=True))
    square = plan_upstream(UpstreamRun(512, 512, frames=80, offload_kv_cache=True))
    denoiser, decoder = (
        plan_upstream(UpstreamRun(fp8=True, offload_model=False, rank=rank)) for rank in (Rank.DENOISER, Rank.DECODER)
    )
    rows: list[tuple[str, float, float]] = [
        ("H200, bf16, eager (allocated)", 72.6, bf16.live_peak(CARD)),
        ("H200, bf16, compiled (allocated)", 72.5, bf16.live_peak(CARD)),
        ("H200, fp8, eager and compiled (allocated)", 57.7, fp8.live_peak(CARD)),
        ("H200, decoder, one latent at a time (allocated)", 5.0, _decoded(whole_clip=False)),
        ("H200, decoder of the script for one card (allocated)", 5.6, _decoded(whole_clip=True)),
        ("A800, bf16, ring offloaded, 80 frames, square", 52_153 * MIB / GIB, square.peak(CARD).size),
        ("B200, one of five, denoising, fp8", 47.6e9 / GIB, denoiser.peak(CARD).size),
        ("B200, one of five, decoding, fp8", 38.8e9 / GIB, decoder.peak(CARD).size),
    ]
    yield "| upstream's code | measured | planned | error |"
    yield "|---|---|---|---|"
    for name, measured, planned in rows:
        yield f"| {name} | {measured:.1f} GiB | {planned / GIB:.1f} GiB | {planned / GIB / measured - 1:+.1%} |"


def _decoded(*, whole_clip: bool) -> float:
    return sum(term.size for term in decoding(384, 704, whole_clip=whole_clip))


def _claims() -> Iterator[str]:
    """What our plan says of the cards that are asked for most."""
    narrow = Mode(CARD, 2, offload=True, fp8=True, fp8_cache=True)
    whole = Case(DiTConfig(), KNOWN_14B, 384, 704, 3, narrow)
    away = on(whole, blocks_on_host=True, rings_on_host=True)
    lite = Case(LITE, parts_of(LITE), 384, 704, 4, Mode(CARD, 2, offload=True, fp8=True, fp8_cache=True, cards=2))
    cases = {
        "five cards, fp8, fp8 cache": on(Case(DiTConfig(), KNOWN_14B, 384, 704, 4, narrow), cards=5),
        "one card, fp8, fp8 cache, three passes": whole,
        "the same, blocks and rings on the host": away,
        "6 billion on two cards, bf16": on(lite, fp8=False, fp8_cache=False),
        "6 billion on two cards, fp8, fp8 cache": lite,
    }
    yield "| run of ours, 704x384 | largest card, loading | conditioning | generating | host | fits 22.15 GiB |"
    yield "|---|---|---|---|---|---|"
    for name, case in cases.items():
        plan = plan_case(case)
        cards = [device for device in plan.devices if device != HOST]
        stages = (Stage.LOADING, Stage.CONDITIONING, Stage.DECODING)
        sizes = [max(plan.size(card, stage) for card in cards) / GIB for stage in stages]
        told = " | ".join(f"{size:.1f} GiB" for size in sizes)
        host = f"{plan.peak(HOST).size / GIB:.0f} GiB"
        yield f"| {name} | {told} | {host} | {'yes' if max(sizes) <= 22.15 else 'no'} |"


SECTIONS: Final[dict[str, Callable[[], Iterator[str]]]] = {
    "ours": _ours,
    "rows": _rows,
    "upstream": _upstream,
    "claims": _claims,
}


def page(text: str) -> str:
    """The page with every table as the plans are at this moment."""

    def table(match: re.Match[str]) -> str:
        body = "\n".join(SECTIONS[match[1]]())
        return f"<!-- begin {match[1]} -->\n{body}\n<!-- end {match[1]} -->"

    return _SECTION.sub(table, text)


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
