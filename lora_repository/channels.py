"""What a reference stands for on this host: version, channel, path, hub id or https URL -> one absolute path.

Knows where copies of remote adapters lie; fetches nothing.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from pathlib import Path

from lora_repository.codes import CHANNEL_LOOP, LATEST_STRAYS, NO_SUCH_CHANNEL, NOT_FETCHED
from lora_repository.finding import Problem, problem
from lora_repository.i18n import _
from lora_repository.place import explain
from lora_repository.pointers import LATEST
from lora_repository.remote_copies import (
    HUB_ID,
    find_hub_copy,
    is_url,
    url_file_name,
    url_place,
    without_secrets,
)
from lora_repository.repository import LoraRepository
from lora_repository.version_name import match_version_name
from lora_repository.wording import command, shown


def resolve_channel(
    reference: str, channels: Mapping[str, str], repository: LoraRepository, folder: Path | None = None
) -> Path:
    """The absolute local path of the folder or single file that `reference` stands for.

    In this order: `latest`, a channel (which may name another), a version or its number, a URL, a path that exists
    (a channel's relative to `folder`, otherwise to the working directory), a hub id. Links are followed once, here:
    what is returned stays the same while a channel moves on.

    Raises Problem LORA060 not fetched yet, LORA061 nothing of that name, LORA062 channels in a circle, or as
    `LoraRepository` does.
    """
    followed = [reference]
    while reference in channels and reference != LATEST:
        reference = channels[reference]
        if reference in followed:
            raise _circle(followed)
        followed.append(reference)
    if reference == LATEST:
        return _latest(repository)
    if is_url(reference):
        return _copy_of_url(reference, followed[0])
    # What config.yaml says is relative to where config.yaml lies; what a person types, to where the person is.
    base = folder if folder is not None and len(followed) > 1 else Path.cwd()
    return _local(reference, channels, repository, base, followed[0])


def _local(reference: str, channels: Mapping[str, str], repository: LoraRepository, folder: Path, asked: str) -> Path:
    if match_version_name(reference) or _is_number(reference):
        return repository.version(reference).path.resolve()
    path = folder / _at_home(reference)
    if os.path.lexists(path):
        return _existing(path)
    if HUB_ID.fullmatch(reference):
        return _copy_of_hub(reference, path, asked)
    if "/" in reference or reference in (".", ".."):
        raise explain(path, FileNotFoundError(2, "")) from None
    raise _unknown(reference, channels, repository)


def _at_home(reference: str) -> Path:
    """`~` and `~user` at the beginning replaced; kept where there is no such user."""
    try:
        return Path(reference).expanduser()
    except RuntimeError:
        return Path(reference)


def _is_number(reference: str) -> bool:
    return match_version_name(f"v{reference.removeprefix('v')}_x") is not None


def _existing(path: Path) -> Path:
    try:
        return path.resolve(strict=True)
    except (OSError, RuntimeError) as error:
        # A circle of links is a RuntimeError in Python 3.11 and 3.12.
        raise explain(path, error if isinstance(error, OSError) else OSError(40, "")) from None


def _latest(repository: LoraRepository) -> Path:
    version = repository.latest()
    if version is None:
        raise problem(
            LATEST_STRAYS,
            _("There is no latest in {folder}.").format(folder=shown(repository.root)),
            _("Point it at a version: {command}").format(command="liveavatar-tui activate VERSION"),
            path=shown(repository.root),
        )
    return version.path.resolve()


def _copy_of_url(url: str, asked: str) -> Path:
    visible = shown(without_secrets(url))
    if url_file_name(url) is None:
        raise problem(
            NO_SUCH_CHANNEL,
            _("{url} cannot be used; expected an https URL of one .safetensors file.").format(url=visible),
            _("Write the URL as https://HOST/PATH/NAME.safetensors"),
            exit_code=2,
        )
    place = url_place(url)
    if place.is_file():
        return place.resolve()
    raise problem(
        NOT_FETCHED,
        _("{url} is not on this host yet.").format(url=visible),
        # By the channel's name where there is one: a pinned checksum and a token stay in config.yaml.
        command("liveavatar-tui", "fetch", without_secrets(url) if asked == url else asked),
        path=shown(place),
    )


def _copy_of_hub(reference: str, path: Path, asked: str) -> Path:
    found = find_hub_copy(reference)
    if found is not None:
        # The snapshot's own name stays: its files are links to blobs that are named by hash alone.
        return found.absolute()
    raise problem(
        NOT_FETCHED,
        _("{name} is neither the path {path} nor in the hub's cache on this host.").format(
            name=shown(reference), path=shown(path)
        ),
        command("liveavatar-tui", "fetch", asked),
        path=shown(path),
    )


def _circle(followed: list[str]) -> Problem:
    way = " -> ".join(shown(name) for name in [*followed, followed[0]])
    return problem(
        CHANNEL_LOOP,
        _("The channels lead in a circle: {way}.").format(way=way),
        _("Give one of them a version or a path in config.yaml."),
        exit_code=2,
    )


def _unknown(reference: str, channels: Mapping[str, str], repository: LoraRepository) -> Problem:
    names = [LATEST, *channels]
    try:
        names += [str(version.name) for version in repository.versions()]
    except Problem:
        # An unreadable repository offers no names; the reference is unknown all the same.
        names = [LATEST, *channels]
    near = difflib.get_close_matches(reference, names, n=3, cutoff=0.5) or [LATEST, *channels]
    return problem(
        NO_SUCH_CHANNEL,
        _("{name} is no channel, version, path, hub id or URL.").format(name=shown(reference)),
        _("There are: {names}").format(names=", ".join(shown(name) for name in near)),
        exit_code=2,
    )
