"""Where the settings file may lie (XDG's folders through platformdirs) and where the samples are. Creates nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from platformdirs import user_config_path

from engine.checkpoint_layout import EMBEDDED_WEIGHTS
from engine.job_folder import APP

CONFIG_NAME: Final = "config.yaml"
_SAMPLES: Final = EMBEDDED_WEIGHTS.parent / "samples"


def user_config_file() -> Path:
    """`$XDG_CONFIG_HOME/liveavatar-tui/config.yaml`."""
    return user_config_path(APP) / CONFIG_NAME


def config_candidates() -> tuple[Path, ...]:
    """Places looked into when no file is named, best first: this folder, the user's, the checkout that runs."""
    checkout = Path(__file__).resolve().parent.parent
    return (Path.cwd() / CONFIG_NAME, user_config_file(), checkout / CONFIG_NAME)


def sample_image() -> Path:
    """The portrait that ships with the product."""
    return _SAMPLES / "presenter.png"


def sample_audio() -> Path:
    """The speech that ships with the product."""
    return _SAMPLES / "explaining.wav"
