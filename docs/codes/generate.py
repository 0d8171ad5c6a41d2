"""Writes the pages of the code tables, `run.md` to `dataset.md`: `python docs/codes/generate.py`.

What a table cannot say stands in `NOTES`. Knows nothing of codes that have no table (LORA, AVATAR, TERM).
"""

from __future__ import annotations

import re
from pathlib import Path
from types import ModuleType
from typing import Final

import engine.dataset.codes
import engine.training.codes
import liveavatar_tui.codes
import liveavatar_tui.preflight.codes
import lora_repository.i18n
from engine import codes as engine_codes
from engine.codes import Code

HERE: Final = Path(__file__).parent
PAGES: Final = {
    "run.md": ("RUN", "Run codes", "A run ends with one of these when it does not end with a video. All are errors."),
    "config.md": (
        "CFG",
        "Settings codes",
        "Every command ends with one of these (exit code 2) before it does anything.",
    ),
    "jobs.md": ("JOB", "Job codes", "Errors of the commands and screens that start, show and end jobs."),
    "preflight.md": (
        "PRE",
        "Preflight codes",
        "What only preflight knows. PRE010, PRE011, PRE020, PRE023, PRE025, PRE030, PRE031, the first kind of PRE032,\n"
        "and PRE040 to PRE047 forbid a launch; the others are warnings.\n"
        "Preflight also reports [run codes](run.md) and [LoRA codes](lora.md): it uses the engine's own checks.",
    ),
    "training.md": (
        "TRAIN",
        "Training codes",
        "Errors and warnings of trainings, sweeps and comparisons. TRAIN011 and TRAIN012 are warnings.",
    ),
    "dataset.md": (
        "DATA",
        "Data set codes",
        "What the doctor finds in a data set. A file with an error is unfit, one with a warning usable.",
    ),
}
NOTES: Final = {
    "RUN003": "One folder holds one run: nothing is ever written over.",
    "RUN005": "The lock is the kernel's and goes with its process, so a stale one does not exist.",
    "RUN012": "The description is `config.json` of the video model, or the index of its shards.",
    "RUN015": "The folder was cloned without Git LFS.",
    "RUN017": "Names or shapes of tensors differ from what `config.json` describes; the first differences are named.",
    "RUN022": "The embedded avatar drives drawn faces of its own kind; a photograph would come out smeared.",
    "RUN030": "`base_adapter` in config.json names a path, or a version beside the adapter.",
    "RUN040": "Preflight plans the memory of a run; `liveavatar-tui preflight --json` lists every term.",
    "RUN041": "Told when the process was killed while it held most of the host's memory. The kernel log is the proof.",
    "RUN043": "The stack at the crash stands at the end of `engine.log`.",
    "RUN045": "Told when nobody saw how the process ended, because whoever started it had gone before.",
    "JOB003": "Nothing is left behind: the job folder is taken away again.",
    "JOB004": "The jobs folder is shared between hosts; processes can only be ended where they run.",
    "JOB006": "A warning before a start. Who lingers keeps a systemd of their own, in which jobs outlive a logout.",
    "JOB008": "A warning: the engine may still come back. How long it may say nothing depends on the phase.",
    "JOB009": "A warning: SIGSTOP, ctrl+Z or a debugger stopped it.",
    "PRE001": "Told from 20 % on. Less is not told: the picture is scaled to fill the frame and cut evenly.",
    "PRE005": "Told where more than half of it is below -50 dB of full scale.",
    "PRE006": "Told from 0.2 % on.",
    "PRE008": "Told below -45 dB; loudness itself is evened out before the speech is heard.",
    "PRE012": "The place of compiled code, where a card is used.",
    "PRE013": "Told where more than one card is used.",
    "PRE015": "Told beside a base model that is missing or not whole.",
    "PRE016": "Told beside a base model that is missing or not whole; the hub is asked for a second at most.",
    "PRE020": "The need is the planned peak with a margin of 7 %, held against what is free at this moment.",
    "PRE022": "Told below a fifth of real time. A measured run of this machine outranks the card's figures.",
    "PRE024": "Told from 2 % of the card on. Owners are named where this user may see them.",
    "PRE025": "From the driver's own counters, and from the kernel's log where it may be read.",
    "PRE032": "An error for a package that is too old, a warning for two that bring the same module.",
    "PRE044": "Told of the links on a path of the run, and of the repository's `latest`.",
    "PRE046": "The mount of a folder needs a folder to be mounted on, and docker cannot make one in a read-only mount.",
    "PRE021": "Told when the need is above 90 % of what is free.",
}
_FACT: Final = re.compile(r"\{(\w+)\}")


def page(name: str) -> str:
    """The text of one page."""
    prefix, title, about = PAGES[name]
    head = (
        "# " + title,
        "<!-- Written by docs/codes/generate.py. -->",
        about,
        "Words in capitals stand for the facts.",
    )
    return "\n\n".join(head) + "\n" + "".join(_entry(row, named) for row, named in rows(prefix))


def rows(prefix: str) -> list[tuple[Code, str]]:
    """The codes of one kind with the names of their rows, by number."""
    modules: tuple[ModuleType, ...] = (
        *(engine_codes, liveavatar_tui.codes, liveavatar_tui.preflight.codes),
        *(engine.training.codes, engine.dataset.codes),
    )
    found = {row.code: (row, name) for module in modules for name, row in vars(module).items() if isinstance(row, Code)}
    return [found[code] for code in sorted(found) if code.startswith(prefix)]


def _entry(row: Code, name: str) -> str:
    note = f"\n{NOTES[row.code]}\n" if row.code in NOTES else ""
    title = name.replace("_", " ").lower()
    return f"\n## {row.code} {title}\n\n{_facts(row.cause)}\n{note}\n```text\n{_facts(row.fix)}\n```\n"


def _facts(template: str) -> str:
    return _FACT.sub(lambda match: match[1].upper(), template)


def main() -> None:
    """Write every page."""
    lora_repository.i18n.set_language("en")
    for name in PAGES:
        (HERE / name).write_text(page(name), encoding="utf-8")


if __name__ == "__main__":
    main()
