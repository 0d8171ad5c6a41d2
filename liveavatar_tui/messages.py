"""What screens ask of the app: typed, frozen, named after the wish. Knows no screen."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from textual.message import Message

from engine.spec import RunSpec


@dataclass
class GenerateWith(Message):
    """Open the form with this version chosen."""

    version: str


@dataclass
class RepeatJob(Message):
    """Open the form with the values of an earlier job."""

    spec: RunSpec


@dataclass
class OpenJob(Message):
    """Watch the job in this folder."""

    folder: Path
