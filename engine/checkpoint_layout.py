"""Where the parts of a base model lie in its folder, and whether they are all there. Upstream's layout, no other.

The embedded model has the same layout with `.safetensors` in place of `.pth`. Knows no torch and opens no weights.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from engine import codes
from engine.job_folder import reason
from engine.spec import EMBEDDED
from lora_repository.i18n import _

EMBEDDED_WEIGHTS: Final = Path(__file__).parent / "embedded" / "weights"
CONFIG: Final = "config.json"
DIT: Final = "diffusion_pytorch_model"
VAE: Final = "Wan2.1_VAE"
T5: Final = "models_t5_umt5-xxl-enc-bf16"
TOKENIZER: Final = "google/umt5-xxl/tokenizer.json"
WAV2VEC: Final = "wav2vec2-large-xlsr-53-english"
_POINTER: Final = b"version https://git-lfs.github.com/spec/"


@dataclass(frozen=True, slots=True)
class CheckpointLayout:
    """Every file of one base model. `vae_json` holds latent mean and deviation where they are not Wan2.1's."""

    root: Path
    embedded: bool
    dit_config: Path
    dit_files: tuple[Path, ...]
    vae: Path
    vae_json: Path | None
    t5: Path
    tokenizer: Path
    wav2vec: Path

    def files(self) -> tuple[Path, ...]:
        """All that is read, each once."""
        vae_json = () if self.vae_json is None else (self.vae_json,)
        sound = (self.wav2vec / CONFIG, self.wav2vec / "model.safetensors")
        return (self.dit_config, *self.dit_files, self.vae, *vae_json, self.t5, self.tokenizer, *sound)


def find_layout(ckpt_dir: str | Path) -> CheckpointLayout:
    """The layout of a folder, or of the embedded model for the word `embedded`.

    Raises Problem: RUN010 no such folder, RUN011 files missing (all of them named; RUN016 for the embedded model),
    RUN012 broken JSON, RUN013 no right to read, RUN015 a Git LFS pointer in place of a file.
    """
    embedded = str(ckpt_dir) == EMBEDDED
    root = EMBEDDED_WEIGHTS if embedded else Path(ckpt_dir).expanduser()
    try:
        if not embedded and not root.is_dir():
            raise codes.CHECKPOINT_MISSING.problem(path=str(root))
        layout = _lay_out(root, embedded)
        _require(layout)
    except PermissionError as fault:
        raise codes.CHECKPOINT_UNREADABLE.problem(path=str(fault.filename), folder=str(root)) from fault
    return layout


def read_index(layout: CheckpointLayout) -> dict[str, str]:
    """Tensor -> name of the shard that holds it, as the index says; empty without an index. Raises Problem RUN012."""
    index = _index_of(layout.root)
    return _weight_map(index) if index.exists() else {}


def read_config(layout: CheckpointLayout) -> dict[str, object]:
    """`config.json` of the diffusion model; raises Problem RUN012."""
    return _read_object(layout.dit_config)


def _lay_out(root: Path, embedded: bool) -> CheckpointLayout:
    vae_json = root / "vae.json"
    return CheckpointLayout(
        root=root,
        embedded=embedded,
        dit_config=root / CONFIG,
        dit_files=_dit_files(root),
        vae=_either(root / VAE),
        vae_json=vae_json if vae_json.exists() else None,
        t5=_either(root / T5),
        tokenizer=root / TOKENIZER,
        wav2vec=root / WAV2VEC,
    )


def _either(stem: Path) -> Path:
    """`.safetensors` where it exists, else upstream's `.pth`."""
    preferred = stem.with_name(stem.name + ".safetensors")
    return preferred if preferred.exists() else stem.with_name(stem.name + ".pth")


def _dit_files(root: Path) -> tuple[Path, ...]:
    """The shards that the index names, or all `DIT-0000i-of-n` of one n, or the single file."""
    index = _index_of(root)
    if index.exists():
        return tuple(root / name for name in sorted(set(_weight_map(index).values())))
    shards = sorted(root.glob(f"{DIT}-*-of-*.safetensors"))
    if not shards:
        return (root / f"{DIT}.safetensors",)
    count = shards[0].stem.rpartition("-of-")[2]
    return tuple(root / f"{DIT}-{i:05d}-of-{count}.safetensors" for i in range(1, int(count) + 1))


def _index_of(root: Path) -> Path:
    return root / f"{DIT}.safetensors.index.json"


def _weight_map(index: Path) -> dict[str, str]:
    table = _read_object(index).get("weight_map")
    if not isinstance(table, dict) or not table:
        lacking = _("it lacks {names}").format(names="weight_map")
        raise codes.CHECKPOINT_CONFIG.problem(path=str(index), folder=str(index.parent), reason=lacking)
    return {str(tensor): str(shard) for tensor, shard in table.items()}


def _read_object(path: Path) -> dict[str, object]:
    try:
        content = json.loads(path.read_bytes())
    except PermissionError:
        raise
    except OSError as fault:
        raise codes.CHECKPOINT_CONFIG.problem(path=str(path), folder=str(path.parent), reason=reason(fault)) from fault
    except ValueError as fault:
        raise codes.CHECKPOINT_CONFIG.problem(path=str(path), folder=str(path.parent), reason=str(fault)) from fault
    if not isinstance(content, dict):
        other = _("it is not a JSON object")
        raise codes.CHECKPOINT_CONFIG.problem(path=str(path), folder=str(path.parent), reason=other)
    return content


def _require(layout: CheckpointLayout) -> None:
    missing = [str(path.relative_to(layout.root)) for path in layout.files() if not path.is_file()]
    if missing:
        code = codes.EMBEDDED_INCOMPLETE if layout.embedded else codes.CHECKPOINT_INCOMPLETE
        raise code.problem(path=str(layout.root), missing=", ".join(missing))
    for path in layout.files():
        with path.open("rb") as file:
            if file.read(len(_POINTER)) == _POINTER:
                raise codes.CHECKPOINT_POINTER.problem(path=str(path), folder=str(layout.root))
    read_config(layout)
