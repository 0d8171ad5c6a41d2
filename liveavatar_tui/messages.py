"""What screens ask of the app, and what their workers tell them: typed, named after it. Knows no screen."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from textual.message import Message

from engine.spec import RunSpec
from liveavatar_tui.jobs.job import Job
from liveavatar_tui.settings import Settings


class Newest(Message):
    """A message of which only the newest counts: one that still waits is replaced by the next of its kind."""

    def can_replace(self, message: Message) -> bool:
        return isinstance(message, type(self))


@dataclass
class JobsSeen(Newest):
    """All jobs at one moment, newest first."""

    jobs: tuple[Job, ...]


@dataclass
class GenerateWith(Message):
    """Open the form with this version chosen."""

    version: str


@dataclass
class ShowVersion(Message):
    """Show the versions, with the one of this name selected; an empty name selects none."""

    name: str


@dataclass
class RepeatJob(Message):
    """Open the form with the values of an earlier job."""

    spec: RunSpec


@dataclass
class OpenJob(Message):
    """Watch the job in this folder."""

    folder: Path


@dataclass
class SettingsChanged(Message):
    """Other settings are in force from here on."""

    before: Settings
    after: Settings
