"""Where copies of remote adapters lie on this host: the hub's cache, our store of downloads. Looks, never fetches."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path, PurePosixPath
from typing import Final
from urllib.parse import unquote, urlsplit

from lora_repository.folder import DMD_NAME, UPSTREAM_NAME
from lora_repository.place import is_file

HUB_ID: Final = re.compile(r"([A-Za-z0-9][\w.-]{0,95})/([A-Za-z0-9][\w.-]{0,95})(?:@([\w./-]{1,120}))?")
"""`org/name`, optionally `@revision`."""

_COMMIT: Final = re.compile(r"[0-9a-f]{40}")


def hub_cache() -> Path:
    """The hub's cache folder: `HF_HUB_CACHE`, else `$HF_HOME/hub`, else `~/.cache/huggingface/hub`."""
    if named := os.environ.get("HF_HUB_CACHE") or os.environ.get("HUGGINGFACE_HUB_CACHE"):
        return Path(named).expanduser()
    if home := os.environ.get("HF_HOME"):
        return Path(home).expanduser() / "hub"
    return cache_home() / "huggingface" / "hub"


def cache_home() -> Path:
    """`$XDG_CACHE_HOME`, else `~/.cache`."""
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()


def find_hub_copy(reference: str) -> Path | None:
    """The cached copy of a hub id: a folder when it holds our contract, a file when it is upstream's, or None."""
    match = HUB_ID.fullmatch(reference)
    if match is None:
        return None
    owner, name, revision = match.groups()
    folder = hub_cache() / f"models--{owner}--{name}"
    snapshot = folder / "snapshots" / _commit(folder, revision or "main")
    if is_file(snapshot / DMD_NAME):
        return snapshot
    return snapshot / UPSTREAM_NAME if is_file(snapshot / UPSTREAM_NAME) else None


def _commit(folder: Path, revision: str) -> str:
    """The commit that the cache knows `revision` as; the revision itself when it is one, or when nothing is known."""
    pointer = folder / "refs" / revision
    if _COMMIT.fullmatch(revision) or ".." in PurePosixPath(revision).parts:
        return revision if _COMMIT.fullmatch(revision) else "-"
    try:
        found = pointer.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return "-"
    return found if _COMMIT.fullmatch(found) else "-"


def is_url(reference: str) -> bool:
    """True for a reference with a scheme, `https://...` above all."""
    return "://" in reference


def url_file_name(url: str) -> str | None:
    """The plain name of the one `.safetensors` that an https URL points at; None for any other URL."""
    parts = urlsplit(url)
    name = PurePosixPath(unquote(parts.path)).name
    good = parts.scheme == "https" and parts.hostname and name.endswith(".safetensors") and "\0" not in name
    return name if good else None


def url_place(url: str) -> Path:
    """Where the download of `url` lies or would lie: named by the URL without its query, which may hold a token."""
    parts = urlsplit(url)
    key = hashlib.sha256(f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}".encode()).hexdigest()[:24]
    return cache_home() / "liveavatar-tui" / "downloads" / key / (url_file_name(url) or "file.safetensors")


def without_secrets(url: str) -> str:
    """The URL as it may be shown and logged: no user, no password, no query, no fragment."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()
