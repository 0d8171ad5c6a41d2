"""The flags that describe a run, written once and given to every command that takes them.

Upstream's spelling with underscores is understood as well. A flag that is not given leaves the setting as it is.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

from lora_repository.i18n import _

if TYPE_CHECKING:
    from engine.spec import RunSpec
    from liveavatar_tui.settings import Settings


@dataclass(frozen=True, slots=True)
class RunFlags:
    """As given; None = not given."""

    lora: Annotated[
        list[str] | None,
        typer.Option(
            "--lora",
            "--lora_path_dmd",
            help=_("Version, channel or path of a LoRA; several are applied in order."),
        ),
    ] = None
    no_lora: Annotated[bool, typer.Option("--no-lora", help=_("Run the base model alone."))] = False
    prompt: Annotated[str | None, typer.Option(help=_("What the video shows."))] = None
    image: Annotated[str | None, typer.Option(help=_("Portrait: a picture file."))] = None
    audio: Annotated[str | None, typer.Option(help=_("Speech: a sound file."))] = None
    size: Annotated[
        str | None, typer.Option(help=_("WIDTH*HEIGHT: bounds the area; the sides follow the portrait."))
    ] = None
    num_clip: Annotated[
        int | None,
        typer.Option("--num-clip", "--num_clip", help=_("Clips of 1.92 s; without it as long as the speech.")),
    ] = None
    seed: Annotated[int | None, typer.Option("--seed", "--base_seed", help=_("Same seed: same video."))] = None
    sample_steps: Annotated[
        int | None, typer.Option("--sample-steps", "--sample_steps", help=_("Denoising steps a block."))
    ] = None
    ckpt_dir: Annotated[
        str | None,
        typer.Option("--ckpt-dir", "--ckpt_dir", help=_("Folder of the base model, or `embedded`.")),
    ] = None
    offload_model: Annotated[
        str | None,
        typer.Option(
            "--offload-model",
            "--offload_model",
            metavar="BOOL",
            help=_("True: keep the model in host memory between uses."),
        ),
    ] = None
    avatarise: Annotated[
        bool | None,
        typer.Option("--avatarise/--no-avatarise", help=_("Turn a photograph into the nearest avatar.")),
    ] = None
    parity: Annotated[bool, typer.Option("--parity", help=_("Reproduce upstream, flaws included."))] = False
    threads: Annotated[int | None, typer.Option(help=_("CPU threads."))] = None

    def settings(self, config: str | None) -> Settings:
        """The settings in force with these flags on top."""
        from liveavatar_tui.commands.shared import settings_of
        from liveavatar_tui.settings import GenerateSettings

        flags = {f"generate.{name}": getattr(self, name) for name in GenerateSettings.__struct_fields__}
        return settings_of(config, {**flags, "ckpt_dir": self.ckpt_dir})

    def spec(self, settings: Settings) -> RunSpec:
        """The run that these flags describe; raises `Problem` for a LoRA that is nowhere."""
        from liveavatar_tui.launch import compose_spec

        loras = () if self.no_lora else tuple(self.lora or (settings.lora.default,))
        return compose_spec(settings, loras, parity=self.parity)


def with_run_flags(command: Callable[..., Any]) -> Callable[..., Any]:
    """`command(flags, *, ...)` as a command that takes every field of `RunFlags` as a flag of its own."""
    names = [field.name for field in fields(RunFlags)]
    hints = get_type_hints(RunFlags, include_extras=True)

    @functools.wraps(command)
    def whole(**given: Any) -> Any:
        mine = {name: given.pop(name) for name in names}
        return command(RunFlags(**mine), **given)

    own = get_type_hints(command, include_extras=True)
    keyword = inspect.Parameter.KEYWORD_ONLY
    rest = list(inspect.signature(command).parameters.values())[1:]
    parameters = [
        *(p.replace(kind=keyword, annotation=own[p.name]) for p in rest),
        *(inspect.Parameter(f.name, keyword, default=f.default, annotation=hints[f.name]) for f in fields(RunFlags)),
    ]
    whole.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    whole.__annotations__ = {p.name: p.annotation for p in parameters}
    return whole
