"""What the face itself can find wrong: settings (CFG), jobs (JOB) and what only preflight knows (PRE).

One table, as `engine.codes` is for a run (RUN) and `lora_repository.codes` for adapters (LORA). Knows no file.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from engine.codes import Code
from lora_repository.finding import Finding, Severity
from lora_repository.i18n import N_


def warning(code: Code, *, path: str | None = None, **facts: object) -> Finding:
    """The row as a finding that does not stop a launch."""
    return replace(code.finding(path=path, **facts), severity=Severity.WARNING)


# --- settings
SETTINGS_UNREADABLE: Final = Code(
    "CFG001",
    N_("The settings file {path} cannot be read: {reason}."),
    N_("Name a file that can be read: liveavatar-tui --config FILE"),
)
SETTINGS_NOT_YAML: Final = Code(
    "CFG002",
    N_("{path}, line {line}: this is not a settings file: {reason}."),
    N_("Mend that line; indent with spaces. All settings: liveavatar-tui config"),
)
SETTING_UNKNOWN: Final = Code(
    "CFG003",
    N_("{path}, line {line}: there is no setting `{key}`."),
    N_("Did you mean `{near}`? All settings: liveavatar-tui config"),
)
SETTING_TWICE: Final = Code(
    "CFG004",
    N_("{path}: `{key}` is set twice, in lines {first} and {line}."),
    N_("Remove one of the two lines"),
)
SETTING_WRONG: Final = Code(
    "CFG005",
    N_("{origin}: `{key}` cannot be {value}: {reason}."),
    N_("See what it may be: liveavatar-tui config"),
)
CHANNEL_HAS_NO_FILE: Final = Code(
    "CFG006",
    N_("No settings file was found that could say what {channel} is."),
    N_("Copy the product's config.yaml to where you are, or name one: liveavatar-tui --config FILE"),
)
SETTINGS_UNWRITABLE: Final = Code(
    "CFG007",
    N_("The settings file {path} cannot be written: {reason}."),
    N_("Look at its rights: ls -l {path}"),
)
SETTINGS_CHANGED: Final = Code(
    "CFG008",
    N_("{path} has changed since, so the change cannot be taken back."),
    N_("Change it in an editor, or set the value again"),
)
KEPT_UNREADABLE: Final = Code(
    "CFG009",
    N_("What the form keeps in {path} cannot be read: {reason}."),
    N_("Mend it or put it aside: mv {path} {path}.old"),
)

# --- web
WEB_MISSING: Final = Code(
    "TERM010",
    N_("The browser needs the Python package {name}, which is not installed."),
    N_("pip install 'liveavatar-tui[web]'"),
)
WEB_PORT_TAKEN: Final = Code(
    "TERM011",
    N_("Nothing can be served at {place}: {reason}."),
    N_("Choose another port: --port 0 takes any that is free"),
)
WEB_NO_PORT: Final = Code(
    "TERM012",
    N_("{text} is no port; expected a number from 0 to 65535."),
    N_("liveavatar-tui serve --port 8000"),
)

# --- jobs
NO_SUCH_JOB: Final = Code(
    "JOB001",
    N_("There is no job `{name}` in {folder}."),
    N_("See what there is: liveavatar-tui jobs"),
)
JOB_AMBIGUOUS: Final = Code(
    "JOB002",
    N_("`{name}` fits more than one job: {names}."),
    N_("Give more of its name, or `last`"),
)
NOT_STARTED: Final = Code(
    "JOB003",
    N_("The engine could not be started in {path}: {reason}."),
    N_("Check the place and the installation: liveavatar-tui preflight"),
)
JOB_ELSEWHERE: Final = Code(
    "JOB004",
    N_("The job {name} runs on {host}, not here."),
    N_("Cancel it there: ssh {host} liveavatar-tui jobs cancel {name}"),
)
QUEUE_BUSY: Final = Code(
    "JOB005",
    N_("The queue is being changed by a process that does not finish; it holds {path}."),
    N_("See which one, and end it: fuser -v {path}"),
)
LOGOUT_ENDS_JOBS: Final = Code(
    "JOB006",
    N_(
        "When {user} logs out this host ends the job: logind kills what users leave behind, and {user} does not linger."
    ),
    N_("Once, by {user} or root: loginctl enable-linger {user}"),
)
NOT_WAITING: Final = Code(
    "JOB007",
    N_("The job {name} does not wait in the queue."),
    N_("See which jobs do: liveavatar-tui queue"),
)
NOT_RESPONDING: Final = Code(
    "JOB008",
    N_("The engine lives and has told nothing for {span}."),
    N_("See what it does: tail {log}; or end it: liveavatar-tui jobs cancel {name}"),
)
STOPPED: Final = Code(
    "JOB009",
    N_("The engine was stopped by a signal or a debugger, and holds its memory."),
    N_("Wake it: kill -CONT {pid}; or end it: liveavatar-tui jobs cancel {name}"),
)
NOT_REPEATABLE: Final = Code(
    "JOB010",
    N_("The description of the job {name} cannot be read, so it cannot be repeated."),
    N_("Start a run with flags: liveavatar-tui run"),
)
NO_CHEAPER: Final = Code(
    "JOB011",
    N_("No setting is known that would need less memory."),
    N_("Give other values yourself: liveavatar-tui retry JOB --size W*H"),
)

# --- preflight
CROPPED: Final = Code(
    "PRE001",
    N_("{share} of the portrait {path} is cut off: sides are multiples of {step}."),
    N_("Crop it around the face first, or choose another --size"),
)
SPEECH_CUT: Final = Code(
    "PRE002",
    N_("With {clips} clips only {heard} s of the {seconds} s of {path} are spoken."),
    N_("--num-clip {needed}, or leave --num-clip away: the video is then as long as the speech"),
)
STEPS_UNTRAINED: Final = Code(
    "PRE003",
    N_("{steps} denoising steps are asked for; the model was distilled for {trained}."),
    N_("--sample-steps {trained}"),
)
PLACE_UNWRITABLE: Final = Code(
    "PRE010",
    N_("No job can be written to {path}: {reason}."),
    N_("Name another folder under jobs.folder in config.yaml, or: mkdir -p {path}"),
)
PLACE_FULL: Final = Code(
    "PRE011",
    N_("{path} has {free} free; this run may write {need}."),
    N_("Make room there, or name another folder under jobs.folder in config.yaml"),
)
NO_ROOM: Final = Code(
    "PRE020",
    N_("It does not fit: {need} are needed on {name}, {free} are free. The largest part: {part}, {size}."),
    N_("Choose a smaller --size, --offload-model True, or end other programs"),
)
LITTLE_ROOM: Final = Code(
    "PRE021",
    N_("It barely fits: {need} are needed on {name}, {free} are free."),
    N_("End other programs before the start, or choose a smaller --size"),
)
