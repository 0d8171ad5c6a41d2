"""Where the settings file may lie (XDG's folders through platformdirs) and where the samples are. Creates nothing.

Imports what it needs where it needs it: help is shown in the language of the settings, and must not wait for more.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

CONFIG_NAME: Final = "config.yaml"


def user_config_file() -> Path:
    """`$XDG_CONFIG_HOME/liveavatar-tui/config.yaml`."""
    from platformdirs import user_config_path

    from engine.job_folder import APP

    return user_config_path(APP) / CONFIG_NAME


def config_candidates() -> Iterator[Path]:
    """Places looked into when no file is named, best first: this folder, the user's, the checkout that runs."""
    yield Path.cwd() / CONFIG_NAME
    yield user_config_file()
    yield Path(__file__).resolve().parent.parent / CONFIG_NAME


def config_file(named: str | Path | None, environ: Mapping[str, str] = os.environ) -> Path | None:
    """The settings file in force: `named`, else `LIVEAVATAR_CONFIG`, else the first candidate that exists."""
    chosen = named or environ.get("LIVEAVATAR_CONFIG")
    if chosen:
        return Path(chosen).expanduser().absolute()
    return next((path for path in config_candidates() if path.is_file()), None)


def sample_image() -> Path:
    """The portrait that ships with the product."""
    return _samples() / "presenter.png"


def sample_audio() -> Path:
    """The speech that ships with the product."""
    return _samples() / "explaining.wav"


def _samples() -> Path:
    from engine.checkpoint_layout import EMBEDDED_WEIGHTS

    return EMBEDDED_WEIGHTS.parent / "samples"
