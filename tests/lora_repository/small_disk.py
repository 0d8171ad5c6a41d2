"""A file system of one megabyte that can be filled to the last page and the last inode; needs the right to mount."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

PAGE = 4096
_INODES = 160


class SmallDisk:
    """A mounted tmpfs at `place`. Mutable: ballast lies in `fill/`."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self._ballast = place / "fill"
        self._ballast.mkdir()

    def fill(self, *, pages: int | None = None, inodes: int | None = None) -> None:
        """Leave so many pages free, or so many inodes, and enough of the other."""
        if pages is not None:
            with (self._ballast / "pages").open("wb", buffering=0) as file:
                try:
                    while file.write(bytes(PAGE)) == PAGE:
                        pass
                except OSError:
                    file.truncate(max(0, file.tell() // PAGE - pages) * PAGE)
        if inodes is not None:
            made = []
            try:
                while True:
                    made.append(self._ballast / str(len(made)))
                    made[-1].touch()
            except OSError:
                for path in made[len(made) - 1 - inodes :]:
                    path.unlink(missing_ok=True)

    def empty(self) -> None:
        """All the room there is."""
        for path in self._ballast.iterdir():
            path.unlink()


@contextmanager
def small_disk(place: Path) -> Iterator[SmallDisk]:
    """A small disk at the new folder `place`; skips the test where mounting is not permitted."""
    place.mkdir()
    options = f"size=1m,nr_inodes={_INODES},mode=755"
    words = ["mount", "-t", "tmpfs", "-o", options, "none", str(place)]
    try:
        ran = subprocess.run(words, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("there is no mount command here")
    if ran.returncode != 0:
        pytest.skip(f"mounting is not permitted here: {ran.stderr.strip()}")
    try:
        yield SmallDisk(place)
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)
