"""Fetching what a reference stands for, when it is not on this host: one door to the hub and to https."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from lora_repository.channels import resolve_channel
from lora_repository.codes import NOT_FETCHED
from lora_repository.fetch_hub import fetch_hub
from lora_repository.fetch_url import Progress, fetch_url
from lora_repository.finding import Problem
from lora_repository.remote_copies import is_url
from lora_repository.repository import LoraRepository


def resolve_or_fetch(
    reference: str,
    channels: Mapping[str, str],
    repository: LoraRepository,
    folder: Path | None = None,
    progress: Progress | None = None,
) -> Path:
    """As `resolve_channel`, fetching what is not on this host yet; raises as that, `fetch_url` and `fetch_hub` do."""
    try:
        return resolve_channel(reference, channels, repository, folder)
    except Problem as error:
        if error.finding.code != NOT_FETCHED:
            raise
    while reference in channels:
        reference = channels[reference]
    return fetch_url(reference, progress) if is_url(reference) else fetch_hub(reference, progress)
