"""What a training is: the frozen document that the flags write, the job folder keeps and a resumed training is held to.

Knows no torch and no file system: paths are strings here.
"""

from __future__ import annotations

from typing import Final

import msgspec

from engine.spec import EMBEDDED

_FREE: Final = frozenset({"output_dir", "threads", "language", "label", "save_every", "device", "checkpointing"})
"""Fields that change no number of the result: a resumed training may have others."""


class TrainSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One training, whole: same spec, same files, same machine, same bits."""

    output_dir: str
    """Becomes a version by the contract; checkpoints, samples and the cache lie below it."""
    base_model: str = EMBEDDED
    train_images: str = ""
    """Folder of pictures of one person; each is made to talk by the base model, and that is what is learned."""
    train_audios: str = ""
    """Folder of speeches."""
    prompt_list: str = ""
    """Text file, a prompt a line."""
    train_videos: str = ""
    """Folder of clips with sound, learned as they are."""
    lora_rank: int = 4
    t5_rank: int = 0
    """Of the text encoder's adapter; 0: none."""
    lora_alpha: float = 16.0
    target_modules: tuple[str, ...] = ("attn", "ffn")
    base_adapter: str = ""
    """Adapter that lies below: merged while training, named in config.json."""
    learning_rate: float = 1e-4
    num_train_epochs: int = 10
    """In an epoch each picture meets each speech once, and each video's clips come once."""
    batch_size: int = 1
    blocks: int = 5
    """Of twelve frames a clip: with five the window of four fills and slides."""
    size: str = "704*384"
    own_path: float = 0.5
    """Share of the steps that start where the model itself stands, not on the line to the truth."""
    held_out: float = 0.1
    """Share of the clips that are never trained on, to see overfitting by."""
    save_every: int = 0
    """Steps between checkpoints; 0: ten in all."""
    seed: int = 420
    device: str = ""
    """Empty: the first card, else the processor."""
    checkpointing: bool | None = None
    """Compute each layer twice to keep less of it; None: on a card only."""
    threads: int | None = None
    language: str = "en"
    label: str = ""

    def differs(self, other: TrainSpec) -> str:
        """The first field that leads to other weights than `other`'s; empty where there is none."""
        fields = (field for field in self.__struct_fields__ if field not in _FREE)
        return next((field for field in fields if getattr(self, field) != getattr(other, field)), "")


def encode(spec: TrainSpec) -> bytes:
    """The spec as JSON, indented for people."""
    return msgspec.json.format(msgspec.json.encode(spec), indent=2) + b"\n"


def decode(data: bytes) -> TrainSpec:
    """The spec from JSON; raises `msgspec.ValidationError` naming the field that is wrong."""
    return msgspec.json.decode(data, type=TrainSpec)
