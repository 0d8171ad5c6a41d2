"""Tells when something under a folder changed: by the kernel where it says so, by looking where other hosts write.

Knows no repository; import it late: watchdog is slow.
"""

from __future__ import annotations

import os
import threading
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Final

from watchdog.events import (
    DirCreatedEvent,
    DirDeletedEvent,
    DirMovedEvent,
    FileCreatedEvent,
    FileDeletedEvent,
    FileModifiedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers import Observer

from lora_repository.file_system import is_remote, kind_of

# Not asked for: proving 10,000 versions opens and closes 30,000 files, and each would be an event to throw away.
_CHANGES: Final[list[type[FileSystemEvent]]] = [
    *(DirCreatedEvent, DirDeletedEvent, DirMovedEvent),
    *(FileCreatedEvent, FileDeletedEvent, FileModifiedEvent, FileMovedEvent),
]
# A version that is moved to the trash is still watched, now under its other name; watchdog warns of that on stderr,
# where the app draws.
warnings.filterwarnings("ignore", category=RuntimeWarning, module=r"watchdog\.observers\.inotify")
_SETTLE_S: Final = 0.3
_LOOK_S: Final = 2.0
_REST: Final = 50  # looking takes at most a fiftieth of the time, however slow the server is


class FolderWatch(FileSystemEventHandler):
    """Mutable: calls `changed` from a thread of its own, once for a burst of changes, from construction to `stop`.

    `file`, if given, is watched too, wherever it lies. Where the kernel cannot tell (another host may write, or no
    inotify watches are left) the names and times in the folder are looked at every two seconds or less often.
    """

    def __init__(self, folder: Path, changed: Callable[[], object], file: Path | None = None) -> None:
        self._folder = folder
        self._file = file
        self._changed = changed
        self._lock = threading.Lock()
        self._timer: threading.Timer | None = None
        self._stopped = threading.Event()
        self._observer = Observer()
        if is_remote(kind_of(folder)) or not self._listen():
            threading.Thread(target=self._look, name="look at a folder", daemon=True).start()

    def _listen(self) -> bool:
        """Ask the kernel; False where it has no watches left or the folder is not there."""
        try:
            self._observer.schedule(self, str(self._folder), recursive=True, event_filter=_CHANGES)
            if self._file is not None and not self._file.is_relative_to(self._folder):
                self._observer.schedule(self, str(self._file.parent), event_filter=_CHANGES)
            self._observer.start()
        except OSError:
            self._observer.unschedule_all()
            return False
        return True

    def stop(self) -> None:
        """No call comes after this."""
        with self._lock:
            self._stopped.set()
            if self._timer is not None:
                self._timer.cancel()
        if self._observer.is_alive():
            self._observer.stop()

    def dispatch(self, event: FileSystemEvent) -> None:
        """Called by watchdog for each event."""
        if not self._concerns(event):
            return
        with self._lock:
            if self._stopped.is_set() or self._timer is not None:
                return
            self._timer = threading.Timer(_SETTLE_S, self._tell)
            self._timer.daemon = True
            self._timer.start()

    def _concerns(self, event: FileSystemEvent) -> bool:
        """Of the settings file's folder only that file counts: jobs and logs may lie beside it."""
        paths = [Path(os.fsdecode(path)) for path in (event.src_path, event.dest_path) if path]
        return any(path == self._file or path == self._folder or self._folder in path.parents for path in paths)

    def _tell(self) -> None:
        with self._lock:
            self._timer = None
            if self._stopped.is_set():
                return
        self._changed()

    def _look(self) -> None:
        seen, took = self._signs(), 0.0
        while not self._stopped.wait(max(_LOOK_S, _REST * took)):
            began = time.monotonic()
            found = self._signs()
            took = time.monotonic() - began
            if found != seen:
                seen = found
                self._tell()

    def _signs(self) -> list[tuple[str, int]]:
        """Name and time of change of each entry of the folder and of its records, and of the file."""
        found: list[tuple[str, int]] = []
        for folder in (self._folder, *self._folder.glob(".*/")):
            try:
                with os.scandir(folder) as entries:
                    found += [(entry.path, entry.stat(follow_symlinks=False).st_mtime_ns) for entry in entries]
            except OSError:
                found.append((str(folder), 0))
        if self._file is not None and self._file.exists():
            found.append((str(self._file), self._file.stat().st_mtime_ns))
        return sorted(found)
