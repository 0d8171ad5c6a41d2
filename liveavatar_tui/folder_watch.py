"""Tells when something under a folder changed, without polling. Knows no repository; import it late: watchdog is slow.

A network file system reports only this host's own changes: screens keep a key that reads the folder again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer

_CHANGES: Final = frozenset({"created", "deleted", "modified", "moved"})  # reading causes `opened`: not a change
_SETTLE_S: Final = 0.3


class FolderWatch(FileSystemEventHandler):
    """Mutable: calls `changed` from a thread of its own, once for a burst of changes, from construction to `stop`.

    A folder that is not there, or a host without inotify watches left, is not watched.
    """

    def __init__(self, folder: Path, changed: Callable[[], object]) -> None:
        self._changed = changed
        self._lock = threading.Lock()
        self._timer: threading.Timer | None = None
        self._stopped = False
        self._observer = Observer()
        try:
            self._observer.schedule(self, str(folder), recursive=True)
            self._observer.start()
        except OSError:
            self._stopped = True

    def stop(self) -> None:
        """No call comes after this."""
        with self._lock:
            self._stopped = True
            if self._timer is not None:
                self._timer.cancel()
        if self._observer.is_alive():
            self._observer.stop()

    def dispatch(self, event: FileSystemEvent) -> None:
        """Called by watchdog for each event."""
        if event.event_type not in _CHANGES:
            return
        with self._lock:
            if self._stopped or self._timer is not None:
                return
            self._timer = threading.Timer(_SETTLE_S, self._tell)
            self._timer.daemon = True
            self._timer.start()

    def _tell(self) -> None:
        with self._lock:
            self._timer = None
            if self._stopped:
                return
        self._changed()
