"""Fetching an adapter from the hub into the hub's own cache, by the hub's own client: tokens, mirrors, resuming.

Adds what the client leaves out: room is checked first, and the bytes are held against the hub's SHA-256.
"""

from __future__ import annotations

import io
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from lora_repository.codes import FETCH_FAILED, FETCH_REFUSED, HASH_WRONG, NOT_FETCHED, OFFLINE
from lora_repository.fetch_url import Progress
from lora_repository.finding import Problem, problem
from lora_repository.folder import CONTRACT_NAMES, UPSTREAM_NAME
from lora_repository.hashes import sha256_of
from lora_repository.i18n import _
from lora_repository.publish import no_space
from lora_repository.remote_copies import HUB_ID, find_hub_copy, hub_cache
from lora_repository.wording import command, shown

if TYPE_CHECKING:
    from huggingface_hub.hf_api import RepoSibling

WANTED: Final = (*CONTRACT_NAMES, UPSTREAM_NAME)
_SPARE: Final = 64 << 20


def fetch_hub(reference: str, progress: Progress | None = None) -> Path:
    """The local copy of `org/name[@revision]`, fetched where needed: a folder of our contract, or upstream's file.

    `progress` is told the bytes that have arrived and those of all files; what it raises ends the download.

    Raises Problem LORA065 broke off, LORA066 refused, LORA067 wrong checksum, LORA068 offline, LORA053 no room.
    """
    # The client takes a tenth of a second to import, and reads HF_* at that moment.
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

    match = HUB_ID.fullmatch(reference)
    if match is None:
        raise _refused(reference, _("it is not the name of a hub repository"))
    name, revision = f"{match[1]}/{match[2]}", match[3]
    try:
        info = HfApi().model_info(name, revision=revision, files_metadata=True)
        wanted = [entry for entry in info.siblings or [] if entry.rfilename in WANTED]
        _require_room(wanted)
        bar = None if progress is None else _bar(progress, sum(entry.size or 0 for entry in wanted))
        folder = Path(snapshot_download(name, revision=revision, allow_patterns=list(WANTED), tqdm_class=bar))
    except OfflineModeIsEnabled:
        raise _offline(reference) from None
    except HfHubHTTPError as error:
        raise _refused(reference, _status(error)) from None
    except (TypeError, KeyError, ValueError):
        # A mirror named by HF_ENDPOINT may answer with other JSON, or with a login page.
        raise _refused(reference, _("the answer is not the hub's; look at HF_ENDPOINT")) from None
    except _transport_errors(HfHubHTTPError) as error:
        raise _broke_off(reference, error) from None
    _require_hashes(folder, wanted)
    found = find_hub_copy(f"{name}@{folder.name}")
    if found is None:
        message = _("{name} holds neither dmd_lora.safetensors nor liveavatar.safetensors.").format(name=shown(name))
        raise problem(NOT_FETCHED, message, _("Name another repository or revision."), path=shown(folder))
    return found.absolute()


def _bar(progress: Progress, total: int) -> type[Any]:
    """A bar as the client wants one, which draws nothing and tells `progress`. Of its several the fullest counts."""
    from tqdm import tqdm  # type: ignore[import-untyped]

    class Told(tqdm):  # type: ignore[misc]
        def __init__(self, *args: Any, name: str = "", **more: Any) -> None:
            # Not disabled, whatever the environment says: a disabled bar counts nothing.
            super().__init__(*args, **more | {"file": io.StringIO(), "disable": False})

        def update(self, n: float | None = 1) -> bool | None:
            drawn: bool | None = super().update(n)
            if self.unit == "B":
                progress(min(int(self.n), total) if total else int(self.n), total or None)
            return drawn

    return Told


def _transport_errors(kind: type[Exception]) -> tuple[type[Exception], ...]:
    """What the client lets through of its HTTP library; `kind` derives from it, whichever library this version uses."""
    return tuple(base for base in kind.__bases__ if issubclass(base, Exception))


def _status(error: Exception) -> str:
    response = getattr(error, "response", None)
    code = getattr(response, "status_code", None)
    return f"{code} {getattr(response, 'reason_phrase', '')}".strip() if code else type(error).__name__


def _require_room(wanted: list[RepoSibling]) -> None:
    place = hub_cache()
    while not place.exists():
        place = place.parent
    needed = sum(entry.size or 0 for entry in wanted) + _SPARE
    free = shutil.disk_usage(place).free
    if free < needed:
        raise no_space(place, needed, free)


def _require_hashes(folder: Path, wanted: list[RepoSibling]) -> None:
    for entry in wanted:
        path = folder / entry.rfilename
        if entry.lfs is None or sha256_of(path) == entry.lfs.sha256:
            continue
        # The client takes what lies in its cache on trust: a wrong blob must go, not only its name.
        path.resolve().unlink()
        path.unlink(missing_ok=True)
        raise problem(
            HASH_WRONG,
            _("{file} is not what the hub says it is: the SHA-256 differs.").format(file=shown(entry.rfilename)),
            _("It was deleted; fetch it again."),
            path=shown(path),
        )


def _refused(reference: str, reason: str) -> Problem:
    return problem(
        FETCH_REFUSED,
        _("{url} cannot be fetched: {reason}.").format(url=shown(reference), reason=shown(reason)),
        _("Where a token is needed: {command}").format(command=command("hf", "auth", "login")),
    )


def _offline(reference: str) -> Problem:
    return problem(
        OFFLINE,
        _("{name} is not in the hub's cache, and HF_HUB_OFFLINE forbids fetching it.").format(name=shown(reference)),
        _("Fetch it on a host with a connection, or: {command}").format(
            command="HF_HUB_OFFLINE=0 " + command("liveavatar-tui", "fetch", reference)
        ),
    )


def _broke_off(reference: str, error: Exception) -> Problem:
    return problem(
        FETCH_FAILED,
        _("{url} broke off: {reason}.").format(url=shown(reference), reason=type(error).__name__),
        _("Try again; what has arrived is kept."),
    )
