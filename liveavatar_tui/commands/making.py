"""Commands that make adapters: publish a version, fetch what lies elsewhere, convert what other tools wrote."""

from __future__ import annotations

from argparse import Namespace
from contextlib import contextmanager
from typing import TYPE_CHECKING

from liveavatar_tui.commands.output import Meter, complain_finding, say, say_findings, say_json
from liveavatar_tui.commands.parser import add_command, add_json, as_json, examples
from liveavatar_tui.commands.shared import settings_of
from lora_repository.i18n import _

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from liveavatar_tui.commands.parser import SubParsers
    from liveavatar_tui.deployment import Deployment


def register(commands: SubParsers) -> None:
    """Add the commands, with their help in the language in force."""
    _register_publish(commands)
    _register_fetch(commands)
    _register_convert(commands)


def _register_publish(commands: SubParsers) -> None:
    short = _("Make a version of a folder, a file, a hub id or an https URL.")
    more = _(
        "Proved first, copied beside, renamed into the repository: all of it or nothing. From then on a changed byte\n"
        "is an error. Without --as it gets the next number. Nothing points at it before `activate`."
    )
    shown = examples(
        ("liveavatar-tui publish training/checkpoint-800/ --as v2.2_calm", ""),
        ("liveavatar-tui publish Quark-Vision/Live-Avatar", _("fetched from the hub first")),
        ("liveavatar-tui publish https://oss.example.com/lora/v2.1.safetensors", ""),
    )
    parser = add_command(commands, "publish", publish, short, more, shown)
    parser.add_argument("source", metavar="SOURCE")
    parser.add_argument("--as", dest="name", metavar="NAME", help=_("v<major>.<minor>[.<patch>]_<slug>"))
    add_json(parser).with_help()


def _register_fetch(commands: SubParsers) -> None:
    short = _("Bring a LoRA from the hub or a server to this host.")
    more = _(
        "REF is a hub id, an https URL of one .safetensors, or a channel that says one. A broken download goes on\n"
        "where it broke off; the bytes are held against the hub's SHA-256, or the one behind the URL. Prints the path\n"
        "and nothing else. HF_ENDPOINT, HF_TOKEN and HF_HUB_OFFLINE are honoured."
    )
    shown = examples(
        ("liveavatar-tui fetch production", _("before the first run needs it")),
        ("liveavatar-tui fetch Quark-Vision/Live-Avatar@main", ""),
        ("liveavatar-tui fetch 'https://oss.example.com/a.safetensors#sha256=9f86...'", _("this very file")),
    )
    parser = add_command(commands, "fetch", fetch, short, more, shown)
    parser.add_argument("ref", metavar="REF")
    add_json(parser).with_help()


def _register_convert(commands: SubParsers) -> None:
    short = _("Convert adapters of other tools, alone or several into one.")
    more = _(
        "PEFT, diffusers, DiffSynth-Studio, ComfyUI and kohya files, and versions, become the new folder OUT that\n"
        "holds to the contract. Of several SOURCEs each B @ A is added, weighed by its --strength."
    )
    shown = examples(
        ("liveavatar-tui convert pytorch_lora_weights.safetensors my_lora/", ""),
        ("liveavatar-tui convert v2.1 smile.safetensors mixed/ --strength 1 --strength 0.5", _("two into one")),
    )
    parser = add_command(commands, "convert", convert, short, more, shown)
    parser.add_argument("sources", metavar="SOURCE", nargs="+")
    parser.add_argument("out", metavar="OUT")
    parser.add_argument(
        "--strength",
        metavar="X",
        type=float,
        action="append",
        dest="strengths",
        help=_("Of each SOURCE in their order, as often as there are SOURCEs; without it 1."),
    )
    parser.add_argument("--alpha", metavar="N", type=float, help=_("Alpha of the SOURCEs that do not say it."))
    parser.add_argument("--ckpt-dir", "--ckpt_dir", metavar="DIR", help=_("Folder of the base model, or `embedded`."))
    add_json(parser).with_help()


def publish(given: Namespace) -> int:
    """Fetch where needed, then publish."""
    import msgspec

    from liveavatar_tui.deployment import Deployment
    from lora_repository.wording import switch_command

    deployment = Deployment(settings_of(given))
    source = _fetched(deployment, given.source, quiet=as_json(given))
    with _metered(quiet=as_json(given)) as meter:
        made = deployment.publish(source, getattr(given, "name", None), deployment.title_of(given.source), meter.add)
    place = deployment.repository.root / made.version
    copy = deployment.same_as(made.version, made.files)
    findings = [copy] if copy is not None else []
    if as_json(given):
        told = {"path": str(place), "findings": [finding.as_dict() for finding in findings]}
        say_json(msgspec.to_builtins(made) | told)
        return 0
    say(_("{version} is published: {path}").format(version=made.version, path=place))
    say("  " + _("Point a channel at it: {command}").format(command=switch_command("latest", made.version)))
    say_findings(findings)
    return 0


def fetch(given: Namespace) -> int:
    """One absolute path."""
    import sys

    from liveavatar_tui.deployment import Deployment
    from lora_repository.remote_copies import is_url, without_secrets

    path = _fetched(Deployment(settings_of(given)), given.ref, quiet=as_json(given))
    if as_json(given):
        say_json({"reference": without_secrets(given.ref) if is_url(given.ref) else given.ref, "path": str(path)})
    else:
        # Byte for byte, as `resolve` does.
        sys.stdout.buffer.write(bytes(path) + b"\n")
    return 0


def convert(given: Namespace) -> int:
    """Convert, then prove what came out."""
    from pathlib import Path

    from engine.checkpoint_layout import find_layout
    from engine.resolving import base_tables
    from liveavatar_tui.deployment import Deployment
    from lora_repository.convert import convert as join
    from lora_repository.ingredients import find_ingredient
    from lora_repository.proof import prove

    settings = settings_of(given, {"ckpt_dir": getattr(given, "ckpt_dir", None)})
    deployment = Deployment(settings)
    dit, t5 = base_tables(find_layout(settings.ckpt_dir))
    out = Path(given.out).absolute()
    found = [
        find_ingredient(
            _fetched(deployment, source, quiet=as_json(given)), dit, strength, getattr(given, "alpha", None)
        )
        for source, strength in zip(given.sources, _strengths(given), strict=True)
    ]
    config = join([ingredient for ingredient, _left_out in found], dit, out)
    proof = prove(out, dit, t5)
    findings = [*(finding for _one, left_out in found for finding in left_out), *proof.findings]
    if as_json(given):
        said = {"path": str(out), "base": dit.name, "ok": proof.ok, "config": config.as_dict()}
        say_json(said | {"findings": [finding.as_dict() for finding in findings]})
        return 0 if proof.ok else 1
    for finding in findings:
        complain_finding(finding)
    told = _("{path}: rank {rank}, alpha {alpha:g}, for {base}")
    say(told.format(path=out, rank=config.dmd_rank, alpha=config.lora_alpha, base=dit.name))
    return 0 if proof.ok else 1


def _strengths(given: Namespace) -> list[float]:
    """One for each source; raises Problem LORA069 when they do not go together."""
    from lora_repository.ingredients import match_strengths

    return match_strengths(len(given.sources), getattr(given, "strengths", None))


def _fetched(deployment: Deployment, reference: str, *, quiet: bool) -> Path:
    import os
    import sys

    if quiet or not sys.stderr.isatty():
        # The hub's own client draws a bar otherwise, into logs as well.
        os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    with _metered(quiet=quiet) as meter:
        return deployment.fetch(reference, meter.show)


@contextmanager
def _metered(*, quiet: bool) -> Iterator[Meter]:
    meter = Meter(quiet=quiet)
    try:
        yield meter
    finally:
        meter.end()
