"""What was put into the form before: values of its fields, newest first, and whole forms under a name.

Two small files, written whole: the history in the user's state folder, presets beside the user's settings. Knows no
widget.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import msgspec
from platformdirs import user_config_path, user_state_path

from engine.job_folder import APP, reason
from liveavatar_tui import codes
from liveavatar_tui.draft import Draft
from lora_repository.files import write_whole

REMEMBERED: Final = ("prompt", "image", "audio", "size")
"""The fields whose values are kept."""
_MOST: Final = 50  # values of one field
History = dict[str, list[str]]
Presets = dict[str, Draft]


def history_file() -> Path:
    """`$XDG_STATE_HOME/liveavatar-tui/inputs.json`."""
    return user_state_path(APP) / "inputs.json"


def presets_file() -> Path:
    """`$XDG_CONFIG_HOME/liveavatar-tui/presets.json`."""
    return user_config_path(APP) / "presets.json"


def read_history() -> History:
    """Field -> values, newest first. Raises `Problem` CFG009 for a file that is not ours."""
    found: History = _read(history_file(), History)
    return {name: found.get(name, []) for name in REMEMBERED}


def remember(draft: Draft) -> None:
    """Put the fields of a form at the top of the history. Raises `Problem` CFG007, CFG009."""
    kept = read_history()
    for name in REMEMBERED:
        value = str(getattr(draft, name)).strip()
        if value:
            kept[name] = [value, *(one for one in kept[name] if one != value)][:_MOST]
    _write(history_file(), kept)


def read_presets() -> Presets:
    """Name -> form, in the order of the names. Raises `Problem` CFG009."""
    found: Presets = _read(presets_file(), Presets)
    return dict(sorted(found.items()))


def save_preset(name: str, draft: Draft) -> None:
    """Keep a form under a name; one of that name is replaced. Raises `Problem` CFG007, CFG009."""
    _write(presets_file(), {**read_presets(), name: draft})


def remove_preset(name: str) -> Draft | None:
    """Take a form away; it is returned, so that it can be brought back. Raises `Problem` CFG007, CFG009."""
    kept = read_presets()
    gone = kept.pop(name, None)
    _write(presets_file(), kept)
    return gone


def _read(path: Path, kind: Any) -> Any:
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except FileNotFoundError:
        return {}
    except OSError as fault:
        raise codes.KEPT_UNREADABLE.problem(path=str(path), reason=reason(fault)) from fault
    except (msgspec.DecodeError, UnicodeDecodeError) as fault:
        raise codes.KEPT_UNREADABLE.problem(path=str(path), reason=str(fault)) from fault


def _write(path: Path, kept: Mapping[str, object]) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, msgspec.json.format(msgspec.json.encode(kept), indent=2) + b"\n")
    except OSError as fault:
        raise codes.SETTINGS_UNWRITABLE.problem(path=str(path), reason=reason(fault)) from fault
