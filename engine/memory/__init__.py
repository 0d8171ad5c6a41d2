"""What a run will need, before it starts: named rows of bytes on each device in each stage. Arithmetic on headers.

    plan.py        the plan as values                   ours.py      the rows of this engine
    sizes.py       numbers of a model's parts           upstream.py  the rows of upstream's code, to be held against
    mode.py        how a model is held                  solver.py    what to change when it does not fit
    constants.py   all that is measured, in one table   autopsy.py   what an out-of-memory error was about
    fits.py        a run against a machine              speed.py     how fast it will be
    records.py     predicted against measured, kept

Imports no torch and opens no weights; knows no machine: what is free is `engine.probe`'s to say.
"""

from __future__ import annotations

from engine.memory.constants import PRIOR, Constants
from engine.memory.mode import Mode, mode_for, mode_of
from engine.memory.ours import Case, case_of, plan_case, plan_memory, plan_run
from engine.memory.plan import GIB, HOST, MARGIN, MIB, Kind, MemoryPlan, Peak, Stage, Term
from engine.memory.sizes import KNOWN_14B, Parts, count_parts, parts_of

__all__ = [
    "GIB",
    "HOST",
    "KNOWN_14B",
    "MARGIN",
    "MIB",
    "PRIOR",
    "Case",
    "Constants",
    "Kind",
    "MemoryPlan",
    "Mode",
    "Parts",
    "Peak",
    "Stage",
    "Term",
    "case_of",
    "count_parts",
    "mode_for",
    "mode_of",
    "parts_of",
    "plan_case",
    "plan_memory",
    "plan_run",
]
