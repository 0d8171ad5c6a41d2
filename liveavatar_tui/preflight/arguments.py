"""The numbers of a run: those that no run can have, and those that run and disappoint."""

from __future__ import annotations

from engine.codes import SPEC_WRONG
from engine.resolving import check_values
from engine.spec import EMBEDDED, FRAMES_PER_BLOCK, FRAMES_PER_CLIP, RunSpec
from liveavatar_tui import codes
from liveavatar_tui.preflight import codes as own
from liveavatar_tui.preflight.report import Examined, examined
from lora_repository.finding import Finding, Problem
from lora_repository.i18n import _

TRAINED_STEPS = 4
"""The distilled model knows the noise levels of four steps; other numbers ask it for levels it has not seen."""
SOLVER = "euler"
"""The sampler that the model was distilled for, and the only one."""
TRAINED_AREA = 720 * 400
TRAINED_SIZE = "720*400"
LARGEST = 1.5
"""Times the trained area from which a larger picture is worth a word."""


def check_arguments(spec: RunSpec) -> tuple[Examined, int | None]:
    """The pixel area that `size` allows, None when the numbers cannot be used."""
    title = _("settings")
    value = _("{steps} steps, size {size}, seed {seed}").format(steps=spec.sample_steps, size=spec.size, seed=spec.seed)
    try:
        check_values(spec)
    except Problem as refusal:
        return examined("settings", title, value, findings=[refusal.finding]), None
    findings: list[Finding] = []
    if spec.sample_steps != TRAINED_STEPS:
        findings.append(codes.warning(codes.STEPS_UNTRAINED, steps=spec.sample_steps, trained=TRAINED_STEPS))
    if spec.ckpt_dir != EMBEDDED and spec.area() > LARGEST * TRAINED_AREA:
        times = f"{spec.area() / TRAINED_AREA:.1f}"
        findings.append(codes.warning(own.SIZE_UNTRAINED, size=spec.size, times=times, trained=TRAINED_SIZE))
    return examined("settings", title, value, findings=findings), spec.area()


def refuse_traps(infer_frames: str | None, sample_solver: str | None) -> None:
    """Flags of upstream's scripts that it takes, and trips over minutes later; raises `Problem` RUN002.

    Frames that are no multiple of 12 leave latents that are never denoised; of the solvers only euler is implemented.
    """
    if infer_frames is not None and infer_frames != str(FRAMES_PER_CLIP):
        whole = infer_frames.isdigit() and int(infer_frames) % FRAMES_PER_BLOCK == 0
        expected = _("{clip}; a video is as long as its speech, or as --num-clip says").format(clip=FRAMES_PER_CLIP)
        if not whole:
            expected = _("a multiple of {block}, and here always {clip}").format(
                block=FRAMES_PER_BLOCK, clip=FRAMES_PER_CLIP
            )
        raise _trap("--infer-frames", infer_frames, expected, FRAMES_PER_CLIP)
    if sample_solver not in (None, SOLVER):
        raise _trap("--sample-solver", sample_solver, SOLVER, SOLVER)


def _trap(flag: str, value: object, expected: str, example: object) -> Problem:
    return SPEC_WRONG.problem(exit_code=2, field=flag, value=value, expected=expected, example=example)
