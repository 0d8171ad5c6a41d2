"""The flags that describe a run, the same for every command that takes them, and the run that they amount to.

Upstream's spelling with underscores is understood as well. A flag that is not given leaves the setting as it is.
"""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING

from liveavatar_tui.commands.parser import CommandParser, examples
from liveavatar_tui.commands.shared import settings_of
from lora_repository.i18n import _

if TYPE_CHECKING:
    from engine.spec import RunSpec
    from liveavatar_tui.settings import Settings


def add_run_flags(parser: CommandParser) -> CommandParser:
    """Every field of a run as a flag."""
    add = parser.add_argument
    add(
        "--lora",
        "--lora_path_dmd",
        action="append",
        metavar="LORA",
        help=_("Version, channel or path of a LoRA; given again, the next is applied on top."),
    )
    add("--no-lora", action="store_true", help=_("Run the base model alone."))
    add("--prompt", metavar="TEXT", help=_("What the video shows."))
    add("--image", metavar="FILE", help=_("Portrait: a picture file."))
    add("--audio", metavar="FILE", help=_("Speech: a sound file."))
    add("--size", metavar="W*H", help=_("Bounds the area; the sides follow the portrait."))
    add("--num-clip", "--num_clip", metavar="N", help=_("Clips of 1.92 s; without it as long as the speech."))
    add("--seed", metavar="N", help=_("Same seed, same machine: same video."))
    add("--sample-steps", "--sample_steps", metavar="N", help=_("Denoising steps a block."))
    add("--ckpt-dir", "--ckpt_dir", metavar="DIR", help=_("Folder of the base model, or `embedded`."))
    add("--offload-model", "--offload_model", metavar="BOOL", help=_("True: keep idle parts in host memory."))
    add("--precision", metavar="KIND", help=_("Of the large matrices on a card: bf16, fp8."))
    add("--cache-precision", "--cache_precision", metavar="KIND", help=_("Of keys and values on a card: bf16, fp8."))
    add("--fp8", dest="precision", action="store_const", const="fp8", help=_("As --precision fp8."))
    add("--infer-frames", "--infer_frames", metavar="N", help=_("Frames of a clip; upstream's scripts give it: 48."))
    add("--sample-solver", "--sample_solver", metavar="NAME", help=_("Of upstream's scripts as well: euler."))
    skip = _("Leave the last denoising pass out: a quarter faster.")
    add("--skip-last-step", "--skip_last_step", action="store_const", const="true", help=skip)
    add("--pristine", metavar="WHERE", help=_("Keep the base without adapters, for swaps: none, host, card."))
    add("--avatarise", action="store_const", const="true", help=_("Turn a photograph into the nearest avatar."))
    add("--parity", action="store_true", help=_("Reproduce upstream, flaws included."))
    add("--threads", metavar="N", help=_("CPU threads."))
    return parser


def run_examples(command: str) -> str:
    """Three runs of growing size."""
    start = f"liveavatar-tui {command}"
    return examples(
        (f'{start} --image me.png --audio speech.wav --prompt "a person speaking, smiling"', ""),
        (f'{start} --lora production --size "688*368" --num-clip 100', ""),
        (f"{start} --lora /path/to/my_lora/ --ckpt-dir ckpt/Wan2.2-S2V-14B/ --offload-model True", ""),
    )


def run_settings(given: Namespace) -> Settings:
    """The settings in force with the flags on top; raises `Problem` CFG005 for a flag that does not fit."""
    from liveavatar_tui.settings import GenerateSettings

    flags = {f"generate.{name}": getattr(given, name, None) for name in GenerateSettings.__struct_fields__}
    return settings_of(given, {**flags, "ckpt_dir": getattr(given, "ckpt_dir", None)})


def run_spec(given: Namespace, settings: Settings) -> RunSpec:
    """The run that flags and settings describe; raises `Problem` for a LoRA that is nowhere, and for a trap."""
    from liveavatar_tui.launch import compose_spec
    from liveavatar_tui.preflight.arguments import refuse_traps

    refuse_traps(getattr(given, "infer_frames", None), getattr(given, "sample_solver", None))
    named = tuple(getattr(given, "lora", (settings.lora.default,)))
    return compose_spec(settings, () if hasattr(given, "no_lora") else named, parity=hasattr(given, "parity"))
