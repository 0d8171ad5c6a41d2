"""Where the app writes down what nobody foresaw: one file of tracebacks in the user's state folder. Knows no screen."""

from __future__ import annotations

import time
import traceback
from pathlib import Path
from typing import Final

from platformdirs import user_state_path

from engine.job_folder import APP

_KEPT_BYTES: Final = 1_000_000


def fault_log() -> Path:
    """`$XDG_STATE_HOME/liveavatar-tui/faults.log`."""
    return user_state_path(APP) / "faults.log"


def write_fault(fault: BaseException) -> Path:
    """Add the traceback; the path of the file. A file that has grown large is begun anew. Never raises for the disk."""
    path = fault_log()
    text = f"{time.strftime('%Y-%m-%d %H:%M:%S')}\n{''.join(traceback.format_exception(fault))}\n"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        large = path.exists() and path.stat().st_size > _KEPT_BYTES
        with path.open("w" if large else "a", encoding="utf-8", errors="backslashreplace") as file:
            file.write(text)
    except OSError:
        return path
    return path
