"""The two places that say which version is in force: the link `latest`, and a key under `lora:` in config.yaml.

Each is read, and replaced in one step. Knows nothing of versions, proofs or history.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final, Protocol

from lora_repository.codes import LATEST_NOT_A_LINK
from lora_repository.files import replace_link, write_whole
from lora_repository.finding import problem
from lora_repository.i18n import _
from lora_repository.place import explain, is_folder
from lora_repository.wording import command, shown
from lora_repository.yaml_edit import read_scalar, replace_scalar

LATEST: Final = "latest"


class Pointer(Protocol):
    """What a switch moves. `place` is the file it lies in, None inside the repository itself."""

    channel: str
    place: Path | None

    def current(self) -> str | None:
        """What it points at, None where it is not set."""
        ...

    def check(self) -> None:
        """Raises Problem when it cannot be moved, before anything is written."""
        ...

    def point(self, target: str) -> None:
        """Make it point at `target`, in one step that a reader sees whole or not at all."""
        ...


class LinkPointer:
    """The relative link `latest` in the repository at `root`; `state` is on the same file system."""

    channel: str = LATEST
    place: Path | None = None

    def __init__(self, root: Path, state: Path) -> None:
        self._root = root
        self._state = state

    def current(self) -> str | None:
        """The name that the link carries, whatever it leads to."""
        try:
            return Path(os.path.normpath((self._root / LATEST).readlink())).name
        except OSError:
            return None

    def check(self) -> None:
        """Raises Problem LORA042 when `latest` is a real folder: it may be somebody's only copy."""
        link = self._root / LATEST
        if is_folder(link) and not link.is_symlink():
            message = _("{path} is a real folder; expected a symbolic link to a version.").format(path=shown(link))
            fix = _("Make a version of it, then switch to that: {command}")
            raise problem(LATEST_NOT_A_LINK, message, fix.format(command=command("mv", link, self._root / "v1.0_name")))

    def point(self, target: str) -> None:
        """Rename a new link over the old one."""
        replace_link(self._root / LATEST, target, self._state / f"{LATEST}.new")


class KeyPointer:
    """The key `lora.<channel>` of the config.yaml at `place`; every other byte of the file stays as it is."""

    def __init__(self, place: Path, channel: str) -> None:
        # A linked config.yaml is edited where it really lies, and stays linked.
        self.place: Path | None = place.resolve()
        self._file = place.resolve()
        self.channel = channel

    def current(self) -> str | None:
        """The value of the key; raises Problem LORA063 for a file that is not as expected."""
        return read_scalar(self._text(), ("lora", self.channel), self._file)

    def check(self) -> None:
        """Raises Problem LORA063 when the key cannot be replaced without touching anything else."""
        replace_scalar(self._text(), ("lora", self.channel), "v0.0_x", self._file)

    def point(self, target: str) -> None:
        """Rename a new file over the old one."""
        write_whole(self._file, replace_scalar(self._text(), ("lora", self.channel), target, self._file).encode())

    def _text(self) -> str:
        try:
            return self._file.read_bytes().decode("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise explain(self._file, error) from None


def pointer_at(root: Path, state: Path, channel: str, place: Path | None) -> Pointer:
    """The pointer of a channel: the link for `latest`, else the key in the file `place`."""
    return LinkPointer(root, state) if place is None else KeyPointer(place, channel)
