"""What people say of a version: tags and a note. Kept beside the versions, never inside: published bytes do not change.

One change a line in `notes.jsonl`, with who and when; the last line of a version counts. Knows no proof.
"""

from __future__ import annotations

import re
import socket
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec

from lora_repository.codes import NOTES_DAMAGED, REMARK_WRONG
from lora_repository.files import append_line
from lora_repository.finding import Finding, Problem, Severity, problem
from lora_repository.history import this_user
from lora_repository.i18n import _
from lora_repository.journal import read_journal
from lora_repository.turns import turn
from lora_repository.wording import command, shown

NOTES_NAME: Final = "notes.jsonl"
MOST_TAGS: Final = 20
LONGEST_NOTE: Final = 2_000
_TAG: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,39}")


class Remarks(msgspec.Struct, frozen=True, kw_only=True):
    """All that is said of the version `version`, and who said the last of it, when."""

    version: str
    time: datetime
    user: str
    host: str
    tags: tuple[str, ...] = ()
    note: str = ""


_decoder: Final = msgspec.json.Decoder(Remarks)


def read_remarks(state: Path) -> tuple[dict[str, Remarks], list[Finding]]:
    """By version what is said of it, and what is wrong with the file (LORA072); raises Problem if it is unreadable."""
    path = state / NOTES_NAME
    said, damaged = read_journal(path, _decoder)
    return {one.version: one for one in said}, _damaged(path, damaged)


def annotate(
    root: Path, state: Path, version: str, add: Sequence[str], remove: Sequence[str], note: str | None
) -> Remarks:
    """Add and remove tags, replace the note unless it is None; nothing is written when nothing changes.

    Raises Problem LORA071 for a tag or a note that is none, LORA045, LORA049.
    """
    for tag in add:
        _require_tag(tag)
    if note is not None:
        note = _cleaned(note)
    with turn(root, state):
        before = read_remarks(state)[0].get(version)
        had, said = (before.tags, before.note) if before is not None else ((), "")
        tags = tuple(dict.fromkeys(tag for tag in (*had, *add) if tag not in remove))
        if len(tags) > MOST_TAGS:
            raise _wrong(_("A version takes {most} tags at most; these are {n}.").format(most=MOST_TAGS, n=len(tags)))
        after = said if note is None else note
        if before is not None and (tags, after) == (had, said):
            return before
        return _write(state, version, tags, after)


def forget(state: Path, versions: Sequence[str]) -> None:
    """Say nothing of these versions any more, which are gone for good; the caller has the turn."""
    known: Mapping[str, Remarks] = read_remarks(state)[0]
    for version in versions:
        if version in known and (known[version].tags or known[version].note):
            _write(state, version, (), "")


def _write(state: Path, version: str, tags: tuple[str, ...], note: str) -> Remarks:
    now, host = datetime.now(UTC), socket.gethostname()
    made = Remarks(version=version, time=now, user=this_user(), host=host, tags=tags, note=note)
    append_line(state / NOTES_NAME, msgspec.json.encode(made))
    return made


def _require_tag(tag: str) -> None:
    if not _TAG.fullmatch(tag):
        raise _wrong(_("{tag} is no tag.").format(tag=shown(tag[:80]) or "-"))


def _cleaned(note: str) -> str:
    """Without blanks at its ends; a control character has no place in a note, a line break has."""
    text = note.replace("\r\n", "\n").strip()
    if len(text) > LONGEST_NOTE:
        told = _("The note has {n} characters; {most} are the most.")
        raise _wrong(told.format(n=len(text), most=LONGEST_NOTE))
    if any(unicodedata.category(c) in ("Cc", "Cs") and c != "\n" for c in text):
        raise _wrong(_("The note holds control characters."))
    return text


def _wrong(message: str) -> Problem:
    fix = _("A tag is up to 40 small ASCII letters, digits, dots, - and _, such as {example}.").format(
        example="approved-2026.1"
    )
    return problem(REMARK_WRONG, message, fix, exit_code=2)


def _damaged(path: Path, lines: list[int]) -> list[Finding]:
    if not lines:
        return []
    message = _("The notes have {n} lines that cannot be read, the first is line {line}.").format(
        n=len(lines), line=lines[0]
    )
    fix = _("Nothing else is lost; look at it: {command}").format(command=command("sed", "-n", f"{lines[0]}p", path))
    return [Finding(NOTES_DAMAGED, Severity.WARNING, message, fix, shown(path))]
