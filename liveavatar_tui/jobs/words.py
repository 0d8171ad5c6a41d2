"""What the states and phases of a job are called, for command line and screens. Marked here, translated where shown."""

from __future__ import annotations

from typing import Final

from engine.protocol import Phase
from liveavatar_tui.jobs.state import State
from lora_repository.i18n import N_

STATE_WORDS: Final = {
    State.WAITING: N_("waiting"),
    State.HELD: N_("held"),
    State.STARTING: N_("starting"),
    State.RUNNING: N_("running"),
    State.SILENT: N_("not responding"),
    State.DONE: N_("done"),
    State.FAILED: N_("failed"),
    State.CANCELLED: N_("cancelled"),
    State.LOST: N_("lost"),
    State.REBOOTED: N_("host restarted"),
    State.FOREIGN: N_("on another host"),
}
PHASE_WORDS: Final = {
    Phase.QUEUED: N_("queued"),
    Phase.RESOLVING: N_("checking"),
    Phase.LOADING: N_("loading"),
    Phase.COMPILING: N_("compiling"),
    Phase.CONDITIONING: N_("conditioning"),
    Phase.GENERATING: N_("generating"),
    Phase.DECODING: N_("decoding"),
    Phase.MUXING: N_("muxing"),
    Phase.TRAINING: N_("training"),
    Phase.COMPARING: N_("comparing"),
    Phase.DONE: N_("done"),
    Phase.FAILED: N_("failed"),
    Phase.CANCELLED: N_("cancelled"),
}
