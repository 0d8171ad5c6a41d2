"""All that is recorded of one version beyond its files: who published it, what people say, tests, switches, users.

Between `Deployment` and the screen. Knows no widget; reads several files, so a worker asks.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from lora_repository.published import read_published

if TYPE_CHECKING:
    from liveavatar_tui.deployment import Deployment
    from lora_repository.history import Generation
    from lora_repository.notes import Remarks
    from lora_repository.published import Published
    from lora_repository.scores import Comparison


class Facts(msgspec.Struct, frozen=True):
    """`published` is None for a version that was put there by hand; `switches` are those to and from it, newest first;
    `users` is everything that keeps it from being removed."""

    published: Published | None
    remarks: Remarks | None
    comparisons: tuple[Comparison, ...]
    samples: tuple[Path, ...]
    switches: tuple[Generation, ...]
    users: tuple[str, ...]


def facts_of(deployment: Deployment, name: str) -> Facts:
    """Raises Problem LORA040 for a version that is not there."""
    repository = deployment.repository
    past = reversed(repository.past().generations)
    return Facts(
        published=read_published(repository.state, name),
        remarks=repository.remarks().get(name),
        comparisons=tuple(repository.comparisons(name)),
        samples=tuple(repository.samples(name)),
        switches=tuple(made for made in past if name in (made.before, made.after)),
        users=tuple(deployment.users_of(name)),
    )
