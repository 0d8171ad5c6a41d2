"""The history of switches: one generation a line in `generations.jsonl`, only ever added to. Knows no link."""

from __future__ import annotations

import os
import pwd
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec

from lora_repository.codes import HISTORY_DAMAGED
from lora_repository.files import append_line
from lora_repository.finding import Finding, Severity
from lora_repository.i18n import _
from lora_repository.journal import read_journal
from lora_repository.wording import command, shown

HISTORY_NAME: Final = "generations.jsonl"
_TAIL: Final = 1 << 16


class Generation(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename={"before": "from", "after": "to"}
):
    """One switch of `channel` from the version `before` (None: there was none) to `after`.

    `hashes` are the SHA-256 of every file of `after` at that moment; `back_to` is the generation that was gone back to
    (0: the state before the first), None for a switch forward.
    """

    number: int
    time: datetime
    user: str
    host: str
    channel: str
    before: str | None
    after: str
    hashes: dict[str, str]
    reason: str = ""
    back_to: int | None = None


@dataclass(frozen=True, slots=True)
class Past:
    """All generations, oldest first, and what is wrong with the file that holds them."""

    generations: tuple[Generation, ...]
    findings: tuple[Finding, ...] = ()

    def next_number(self) -> int:
        """One above the highest that was ever given."""
        return max((generation.number for generation in self.generations), default=0) + 1

    def of(self, channel: str) -> list[Generation]:
        """The generations of one channel, oldest first."""
        return [generation for generation in self.generations if generation.channel == channel]


_encoder: Final = msgspec.json.Encoder()
_decoder: Final = msgspec.json.Decoder(Generation)


def read_history(folder: Path) -> Past:
    """Every readable generation under `folder`; a line that cannot be read is skipped and told as LORA048."""
    path = folder / HISTORY_NAME
    generations, damaged = read_journal(path, _decoder)
    return Past(tuple(generations), tuple(_damaged(path, damaged)))


def ends_with(folder: Path, number: int) -> bool:
    """Whether generation `number` is among the newest, the last 64 KB of the file: so far back a crash can not lie."""
    try:
        with (folder / HISTORY_NAME).open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL))
            lines = file.read().splitlines()
    except FileNotFoundError:
        return False
    for line in lines:
        try:
            if _decoder.decode(line).number == number:
                return True
        except (msgspec.DecodeError, UnicodeDecodeError):
            continue
    return False


def _damaged(path: Path, lines: list[int]) -> list[Finding]:
    if not lines:
        return []
    message = _("The history of switches has {n} lines that cannot be read, the first is line {line}.").format(
        n=len(lines), line=lines[0]
    )
    fix = _("Nothing else is lost; look at it: {command}").format(command=command("sed", "-n", f"{lines[0]}p", path))
    return [Finding(HISTORY_DAMAGED, Severity.WARNING, message, fix, shown(path))]


def record(folder: Path, generation: Generation) -> None:
    """Add `generation` durably; raises OSError."""
    append_line(folder / HISTORY_NAME, encode(generation))


def encode(generation: Generation) -> bytes:
    """One line of JSON, without its newline."""
    return _encoder.encode(generation)


def new_generation(
    number: int,
    channel: str,
    before: str | None,
    after: str,
    hashes: Mapping[str, str],
    reason: str,
    back_to: int | None = None,
) -> Generation:
    """A generation made by this user on this host, at this moment."""
    return Generation(
        number=number,
        time=datetime.now(UTC),
        user=this_user(),
        host=socket.gethostname(),
        channel=channel,
        before=before,
        after=after,
        hashes=dict(hashes),
        reason=reason,
        back_to=back_to,
    )


def this_user() -> str:
    """Who acts: the login name, and behind `sudo` the one who called it."""
    uid = os.geteuid()
    try:
        name = pwd.getpwuid(uid).pw_name
    except KeyError:
        name = str(uid)
    caller = os.environ.get("SUDO_USER")
    return f"{caller} ({name})" if caller and caller != name else name
