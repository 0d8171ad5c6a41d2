"""Fetching one `.safetensors` by https: resumed where it broke off, checked, renamed into place whole.

A pinned checksum is the fragment of the URL, `#sha256=<64 hex digits>`. Tokens in a URL never reach a message.
"""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import httpx
import msgspec

from lora_repository.codes import FETCH_FAILED, FETCH_REFUSED, HASH_WRONG
from lora_repository.files import exclusive, sync_folder, write_whole, writing
from lora_repository.finding import Problem, problem
from lora_repository.hashes import sha256_of
from lora_repository.header import read_header
from lora_repository.history import this_user
from lora_repository.i18n import _
from lora_repository.publish import no_space
from lora_repository.remote_copies import url_place, without_secrets
from lora_repository.wording import command, shown

Progress = Callable[[int, int | None], None]
"""Told the bytes that are there, and how many there will be where the server says."""

_PIN: Final = re.compile(r"sha256=([0-9a-f]{64})")
_RANGE: Final = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")
_ATTEMPTS: Final = 5
_TIMEOUT: Final = httpx.Timeout(30.0, connect=15.0)
_PATIENCE_S: Final = 2.0
_SPARE: Final = 16 << 20


class _Validator(msgspec.Struct, frozen=True):
    """What the server called the bytes that are there: a resumed download must be of the same ones."""

    tag: str


@dataclass(frozen=True, slots=True)
class _Job:
    url: str
    place: Path
    part: Path
    note: Path
    progress: Progress | None

    def arrived(self) -> int:
        return self.part.stat().st_size if self.part.exists() else 0

    def tag(self) -> str | None:
        try:
            return msgspec.json.decode(self.note.read_bytes(), type=_Validator).tag
        except (OSError, msgspec.DecodeError):
            return None


def fetch_url(
    url: str,
    progress: Progress | None = None,
    transport: httpx.BaseTransport | None = None,
    pause: Callable[[float], None] = time.sleep,
) -> Path:
    """The local copy of `url`, downloaded unless it is there; five attempts, each going on where the last one ended.

    `transport` replaces the network, `pause` the waiting between attempts.

    Raises Problem LORA065 broke off, LORA066 refused, LORA067 wrong checksum, LORA053 no room, LORA045 somebody else
    is fetching it, LORA049, or LORA011 to LORA013 for what is no whole safetensors file.
    """
    place = url_place(url)
    job = _Job(url, place, place.with_name(place.name + ".part"), place.with_name(place.name + ".tag"), progress)
    with writing(place.parent):
        place.parent.mkdir(parents=True, exist_ok=True)
        with exclusive(place.with_name("lock"), this_user(), _PATIENCE_S):
            if not place.exists():
                with httpx.Client(transport=transport, timeout=_TIMEOUT, follow_redirects=True) as client:
                    _download(job, client, pause)
                _accept(job)
    return place


def _download(job: _Job, client: httpx.Client, pause: Callable[[float], None]) -> None:
    for attempt in range(_ATTEMPTS):
        try:
            wait = _attempt(job, client)
        except httpx.HTTPError as error:
            wait = 2.0**attempt
            reason = type(error).__name__
        else:
            if wait is None:
                return
            reason = _("the server asks to come back later")
        if attempt + 1 < _ATTEMPTS:
            pause(min(wait, 60.0))
    raise problem(
        FETCH_FAILED,
        _("{url} broke off after {n} bytes: {reason}.").format(url=_visible(job.url), n=job.arrived(), reason=reason),
        _("Try again; what has arrived is kept."),
        path=shown(job.part),
    )


def _attempt(job: _Job, client: httpx.Client) -> float | None:
    """One request; None when all has arrived, else the seconds to wait before the next."""
    arrived, tag = job.arrived(), job.tag()
    headers = {"Range": f"bytes={arrived}-", "If-Range": tag} if arrived and tag else {}
    # Compressed in transit, a range would count other bytes than those on disk.
    headers["Accept-Encoding"] = "identity"
    with client.stream("GET", job.url.partition("#")[0], headers=headers) as answer:
        if any(hop.url.scheme != "https" for hop in [*answer.history, answer]):
            raise _refused(job, _("it leads to an address that is not https"))
        if answer.status_code == 429 or answer.status_code >= 500:
            return _seconds(answer.headers.get("Retry-After"))
        if answer.status_code == 416:
            job.part.unlink(missing_ok=True)
            return 0.0
        if answer.status_code not in (200, 206):
            raise _refused(job, f"{answer.status_code} {answer.reason_phrase}")
        start, total = _extent(answer, arrived)
        _require_room(job, start, total)
        _note(job, answer)
        _receive(job, answer, start, total)
    if total is not None and job.arrived() < total:
        raise httpx.ReadError("cut short")
    return None


def _extent(answer: httpx.Response, arrived: int) -> tuple[int, int | None]:
    """(first byte of this answer, size of the whole file where the server says)."""
    if answer.status_code == 206:
        match = _RANGE.fullmatch(answer.headers.get("Content-Range", ""))
        if match is None or int(match[1]) != arrived:
            raise httpx.ReadError("another range than asked for")
        return arrived, None if match[2] == "*" else int(match[2])
    length = answer.headers.get("Content-Length", "")
    return 0, int(length) if length.isdigit() else None


def _receive(job: _Job, answer: httpx.Response, start: int, total: int | None) -> None:
    with job.part.open("r+b" if start else "wb") as file:
        file.seek(start)
        try:
            # As they come: gathered into larger pieces, the last ones would be lost with the connection.
            for piece in answer.iter_raw():
                file.write(piece)
                if job.progress is not None:
                    job.progress(file.tell(), total)
        finally:
            file.flush()
            os.fsync(file.fileno())


def _note(job: _Job, answer: httpx.Response) -> None:
    """Keep a strong validator; without one the next attempt starts over, for nobody can say it is the same file."""
    tag = answer.headers.get("ETag", "")
    if tag and not tag.startswith("W/"):
        write_whole(job.note, msgspec.json.encode(_Validator(tag)))
    else:
        job.note.unlink(missing_ok=True)


def _seconds(text: str | None) -> float:
    return float(text) if text is not None and text.isdigit() else 1.0


def _require_room(job: _Job, start: int, total: int | None) -> None:
    free = shutil.disk_usage(job.part.parent).free
    needed = (total or 0) - start + _SPARE
    if free < needed:
        raise no_space(job.part.parent, needed, free)


def _accept(job: _Job) -> None:
    """Into place, when it is a whole safetensors file and the pinned one; otherwise away with it."""
    pinned = _PIN.fullmatch(urlsplit(job.url).fragment)
    try:
        read_header(job.part)
        found = sha256_of(job.part) if pinned else ""
        if pinned and found != pinned[1]:
            raise problem(
                HASH_WRONG,
                _("{url} has the SHA-256 {found}, expected {pinned}.").format(
                    url=_visible(job.url), found=found, pinned=pinned[1]
                ),
                _("Ask whoever published it which one is right; what arrived was deleted."),
            )
    except Problem:
        job.part.unlink()
        job.note.unlink(missing_ok=True)
        raise
    job.part.replace(job.place)
    sync_folder(job.place.parent)
    job.note.unlink(missing_ok=True)


def _refused(job: _Job, reason: str) -> Problem:
    return problem(
        FETCH_REFUSED,
        _("{url} cannot be fetched: {reason}.").format(url=_visible(job.url), reason=shown(reason)),
        _("Look at the answer: {command}").format(command=command("curl", "-sSIL", without_secrets(job.url))),
        path=shown(job.place),
    )


def _visible(url: str) -> str:
    return shown(without_secrets(url))
