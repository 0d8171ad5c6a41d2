"""What can go wrong with a training and with a data set: stable code, cause, what mends it. Knows no file."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from engine.codes import Code
from lora_repository.finding import Finding, Severity
from lora_repository.i18n import N_


def warning(code: Code, *, path: str | None = None, **facts: object) -> Finding:
    """The row as a finding that does not stop a training."""
    return replace(code.finding(path=path, **facts), severity=Severity.WARNING)


VALUE_WRONG: Final = Code(
    "TRAIN001",
    N_("{field} {value} cannot be used, expected {expected}."),
    N_("All flags: python -m engine.train_lora --help"),
)
NOTHING_TO_LEARN: Final = Code(
    "TRAIN002",
    N_("There is nothing to learn from: {reason}."),
    N_("Give pictures and speeches, or videos: --train_images DIR --train_audios DIR --prompt_list FILE"),
)
FOLDER_UNREADABLE: Final = Code(
    "TRAIN003",
    N_("{path} cannot be read: {reason}."),
    N_("Look at it: ls -ld {path}"),
)
OUTPUT_TAKEN: Final = Code(
    "TRAIN004",
    N_("{path} already holds a training."),
    N_("Go on with it by --resume, or give another folder: --output_dir DIR"),
)
RESUME_DIFFERS: Final = Code(
    "TRAIN005",
    N_("The training in {path} was begun with another {field}: {found} instead of {expected}."),
    N_("Give the same flags as before, or begin anew: --output_dir DIR"),
)
RESUME_DAMAGED: Final = Code(
    "TRAIN006",
    N_("The training in {path} cannot go on: {reason}."),
    N_("Begin anew in another folder: --output_dir DIR"),
)
NOT_A_NUMBER: Final = Code(
    "TRAIN010",
    N_("The loss stopped being a number at step {step}; the last good weights are those of step {saved}."),
    N_("Go on from them with a lower rate, in a new folder: --learning_rate {rate}"),
)
GRADIENT_LEAPS: Final = Code(
    "TRAIN011",
    N_("At step {step} the gradient leapt to {times} times its usual size; the loss may stop being a number soon."),
    N_("If it comes again, lower the rate: --learning_rate {rate}"),
)
OVERFITTING: Final = Code(
    "TRAIN012",
    N_(
        "Since step {best} the clips that are not trained on get worse, by {percent} per cent so far: "
        "it learns by heart."
    ),
    N_("Take the checkpoint of step {best}, or give more pictures and speeches."),
)
LIBRARY_MISSING: Final = Code(
    "TRAIN020",
    N_("Training needs PEFT, which is not installed."),
    N_('pip install "liveavatar-tui[train]"'),
)
NO_CHECKPOINTS: Final = Code(
    "TRAIN030",
    N_("{path} holds no checkpoints of a training."),
    N_("Give the --output_dir of a training."),
)
COMPARISON_FAILED: Final = Code(
    "TRAIN031",
    N_("The comparison did not come to an end; its folder is {path}."),
    N_("Its log says why: ls {path}"),
)
