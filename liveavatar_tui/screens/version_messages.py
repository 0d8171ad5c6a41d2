"""What the workers of the versions screen post: typed, named after what became known. Knows no screen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual.message import Message

from liveavatar_tui.catalogue import Listing
from liveavatar_tui.version_order import Order

if TYPE_CHECKING:
    from lora_repository.proof import Proof
    from lora_repository.shallow import ShallowProof


class FolderChanged(Message):
    """Something under the repository's folder, or the settings file, changed."""


@dataclass
class Listed(Message):
    """The repository was read."""

    listing: Listing


@dataclass
class Proved(Message):
    """Some versions were proved."""

    proofs: Mapping[str, ShallowProof]


@dataclass
class Arranged(Message):
    """These versions match what was `typed`, in this `order`."""

    names: Sequence[str]
    typed: str
    order: Order


@dataclass
class Detailed(Message):
    """One version was proved with all its words; `mends` is what could be mended at once."""

    name: str
    proof: Proof
    mends: Sequence[str]
