"""What a file that should be safetensors really is: LFS pointer, web page, pickle, archive, failed download.

Looks at the first 512 bytes only and opens nothing: a pickle can run code.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from lora_repository.codes import FILE_DAMAGED, FILE_EMPTY, NOT_SAFETENSORS
from lora_repository.finding import Problem, problem
from lora_repository.i18n import _
from lora_repository.wording import command, shown

LOOK: Final = 512
_LFS: Final = re.compile(rb"version https://git-lfs\.github\.com/spec/v\d+\n(?:.*\n)*?size (\d+)\n")
_PAGE: Final = re.compile(rb"\s*(?:<!doctype\s+html|<html|<\?xml|<head|<!--)", re.IGNORECASE)
_PICKLE: Final = re.compile(rb"\x80[\x02-\x05](?:\x8a\x0a|[}\]c(]|.\x95|ctorch|\x95)", re.DOTALL)
_ARCHIVES: Final = {
    b"\x1f\x8b": "gzip",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"7z\xbc\xaf": "7z",
    b"\xfd7zXZ": "xz",
    b"BZh": "bzip2",
}
_OTHERS: Final = {b"GGUF": "GGUF", b"\x93NUMPY": "NumPy", b"\x89HDF": "HDF5", b"%PDF": "PDF", b"\x7fELF": "ELF"}


def unmask(path: Path, head: bytes, size: int) -> Problem | None:
    """The Problem that `head`, the file's first bytes, shows; None when it may be safetensors (`N`, then `{`)."""
    if size == 0:
        return problem(
            FILE_EMPTY,
            _("{file} is empty: 0 bytes.").format(file=shown(path.name)),
            _("Copy or download it again; check the free space first: {command}").format(
                command=command("df", "-h", path.parent)
            ),
            path=shown(path),
        )
    if head[8:9] == b"{" and int.from_bytes(head[:8], "little") < size:
        return None
    for look in (_lfs, _page, _code, _archive, _text):
        if found := look(path, head):
            return found
    if not head.strip(b"\0"):
        return _zeros(path)
    if len(head) < 9 or head[8:9] != b"{":
        return _damaged(path)
    return None


def _not_safetensors(path: Path, what: str, fix: str) -> Problem:
    message = _("{file} is not a safetensors file: {what}.").format(file=shown(path.name), what=what)
    return problem(NOT_SAFETENSORS, message, fix, path=shown(path))


def _again() -> str:
    return _("Download the file itself again, and look at it with: head -c 300 FILE")


def _lfs(path: Path, head: bytes) -> Problem | None:
    if not head.startswith(b"version https://git-lfs"):
        return None
    match = _LFS.match(head)
    what = _("it is a Git LFS pointer; the tensors were not downloaded")
    if match:
        what = _("it is a Git LFS pointer to {n} bytes that were not downloaded").format(n=int(match[1][:20]))
    return _not_safetensors(path, what, command("git", "-C", path.parent, "lfs", "pull", f"--include={path.name}"))


def _page(path: Path, head: bytes) -> Problem | None:
    if not _PAGE.match(head):
        return None
    return _not_safetensors(path, _("it is a web page, perhaps a login or an error page"), _again())


def _code(path: Path, head: bytes) -> Problem | None:
    if not (_PICKLE.match(head) or head.startswith(b"PK\x03\x04")):
        return None
    what = _("it is a pickled or zipped checkpoint, which can run code when opened")
    return _not_safetensors(path, what, _("Ask for the adapter as safetensors; this one is never opened."))


def _archive(path: Path, head: bytes) -> Problem | None:
    for magic, kind in (_ARCHIVES | _OTHERS).items():
        if head.startswith(magic):
            return _not_safetensors(path, _("it is a {kind} file").format(kind=kind), _again())
    if head[257:262] == b"ustar":
        return _not_safetensors(path, _("it is a {kind} file").format(kind="tar"), command("tar", "-xf", path))
    return None


def _text(path: Path, head: bytes) -> Problem | None:
    if not head.lstrip().startswith((b"{", b"[")) or not head.isascii() or b"\0" in head:
        return None
    return _not_safetensors(path, _("it is JSON text, perhaps the error answer of a server"), _again())


def _zeros(path: Path) -> Problem:
    return _not_safetensors(
        path, _("it begins with zeros only, as a download that was reserved but not made"), _again()
    )


def _damaged(path: Path) -> Problem:
    return problem(
        FILE_DAMAGED,
        _("{file} is damaged: no safetensors header at its beginning.").format(file=shown(path.name)),
        _again(),
        path=shown(path),
    )
