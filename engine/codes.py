"""Every way a run can end badly: stable code, cause, and what mends it. One table, read by engine, app and tests.

Knows no file and no exception: whoever finds a fault fills in the facts. LoRA faults have codes of their own
(`LORA0xx`, package `lora_repository`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from lora_repository.finding import Finding, Problem, Severity
from lora_repository.i18n import N_, _
from lora_repository.wording import command, shown

_PATHS: Final = frozenset({"path", "folder", "log", "suggestion"})


@dataclass(frozen=True, slots=True)
class Code:
    """One row: `cause` and `fix` are English templates, translated first and filled with facts afterwards.

    Facts are shown without invisible characters; paths (`path`, `folder`, `log`, `suggestion`) are quoted in the fix.
    """

    code: str
    cause: str
    fix: str

    def finding(self, *, path: str | None = None, **facts: object) -> Finding:
        """The row with its facts, in the user's language."""
        told = facts if path is None else {**facts, "path": path}
        visible = {name: shown(str(fact)) for name, fact in told.items()}
        quoted = visible | {name: command(str(told[name])) for name in _PATHS & told.keys()}
        place = None if path is None else shown(path)
        return Finding(self.code, Severity.ERROR, _(self.cause).format(**visible), _(self.fix).format(**quoted), place)

    def problem(self, *, path: str | None = None, exit_code: int = 1, **facts: object) -> Problem:
        """The same as an exception."""
        return Problem(self.finding(path=path, **facts), exit_code=exit_code)


# --- what was asked for
SPEC_UNREADABLE: Final = Code(
    "RUN001",
    N_("The run description {path} cannot be read: {reason}."),
    N_("Start the run again from the app, or give the flags by hand: python -m engine.inference --help"),
)
SPEC_WRONG: Final = Code(
    "RUN002",
    N_("{field} {value} cannot be used, expected {expected}."),
    N_("{field} {example}"),
)
FOLDER_TAKEN: Final = Code(
    "RUN003",
    N_("The job folder {path} already holds a run."),
    N_("Give a folder that does not exist yet: --output {suggestion}"),
)
FOLDER_UNWRITABLE: Final = Code(
    "RUN004",
    N_("The job folder {path} cannot be written: {reason}."),
    N_("Give a folder that you may write to: --output DIR"),
)
FOLDER_LOCKED: Final = Code(
    "RUN005",
    N_("Process {pid} is already running the job in {path}."),
    N_("Wait for it or stop it: kill {pid}"),
)

# --- the base model
CHECKPOINT_MISSING: Final = Code(
    "RUN010",
    N_("The base model folder {path} does not exist."),
    N_("Download it: hf download Wan-AI/Wan2.2-S2V-14B --local-dir {path}"),
)
CHECKPOINT_INCOMPLETE: Final = Code(
    "RUN011",
    N_("The base model folder {path} lacks {missing}."),
    N_("Fetch what is missing: hf download Wan-AI/Wan2.2-S2V-14B --local-dir {path}"),
)
CHECKPOINT_CONFIG: Final = Code(
    "RUN012",
    N_("{path} is not the description of a base model: {reason}."),
    N_("Fetch it again: hf download Wan-AI/Wan2.2-S2V-14B config.json --local-dir {folder}"),
)
CHECKPOINT_UNREADABLE: Final = Code(
    "RUN013",
    N_("There is no right to read {path}, a part of the base model."),
    N_("chmod -R a+rX {folder}"),
)
CHECKPOINT_DAMAGED: Final = Code(
    "RUN014",
    N_("{path}, a part of the base model, is damaged: {reason}."),
    N_("Delete it and fetch it again: hf download Wan-AI/Wan2.2-S2V-14B --local-dir {folder}"),
)
CHECKPOINT_POINTER: Final = Code(
    "RUN015",
    N_("{path} is a Git LFS pointer, not the file itself."),
    N_("Fetch the contents: git -C {folder} lfs pull"),
)

EMBEDDED_INCOMPLETE: Final = Code(
    "RUN016",
    N_("The embedded model lacks {missing}: the installation is not whole."),
    N_("pip install --force-reinstall 'liveavatar-tui[engine]'"),
)
WEIGHTS_UNFIT: Final = Code(
    "RUN017",
    N_("The weights in {path} do not fit the model: {differences}."),
    N_("Fetch them again: hf download Wan-AI/Wan2.2-S2V-14B --local-dir {folder}"),
)

# --- portrait and speech
IMAGE_MISSING: Final = Code(
    "RUN020",
    N_("The portrait {path} does not exist."),
    N_("Give the path of a PNG, JPEG or WebP picture: --image FILE"),
)
IMAGE_UNREADABLE: Final = Code(
    "RUN021",
    N_("The portrait {path} cannot be read as a picture: {reason}."),
    N_("Convert it: ffmpeg -i {path} -frames:v 1 portrait.png"),
)
IMAGE_UNSUITED: Final = Code(
    "RUN022",
    N_("{reason}"),
    N_("Turn it into the nearest avatar: --avatarise"),
)
IMAGE_TOO_SMALL: Final = Code(
    "RUN023",
    N_("The portrait {path} is too small: {found} pixels, and each side needs {least}."),
    N_("Give a larger picture of the person: --image FILE"),
)
AUDIO_MISSING: Final = Code(
    "RUN025",
    N_("The speech {path} does not exist."),
    N_("Give the path of a sound file: --audio FILE"),
)
AUDIO_UNREADABLE: Final = Code(
    "RUN026",
    N_("The speech {path} cannot be read as sound: {reason}."),
    N_("Convert it: ffmpeg -i {path} -ar 16000 -ac 1 -c:a pcm_s16le speech.wav"),
)
AUDIO_EMPTY: Final = Code(
    "RUN027",
    N_("The speech {path} holds no sound."),
    N_("Give a recording of at least one spoken word: --audio FILE"),
)
FILE_FORBIDDEN: Final = Code(
    "RUN028",
    N_("There is no right to read {path}."),
    N_("chmod a+r {path}"),
)

# --- the stack of adapters
BASE_ADAPTER_MISSING: Final = Code(
    "RUN030",
    N_("The adapter {path} builds on the adapter {name}, which is not there."),
    N_("Give both, the base first: --lora_path_dmd BASE_PATH,{path}"),
)

# --- the machine
OUT_OF_MEMORY: Final = Code(
    "RUN040",
    N_("Out of memory on {device}: {asker} asked for {asked}, and {free} was free."),
    N_("Choose a smaller --size, keep parts of the model in host memory (--offload_model True), or end other programs"),
)
KILLED_FOR_MEMORY: Final = Code(
    "RUN041",
    N_(
        "The system ended the engine while {asker}, most likely because the host ran out of memory: {used} were in use."
    ),
    N_("Look for 'Out of memory' in the kernel log (sudo dmesg -T), free host memory, or choose a smaller --size"),
)
DISK_FULL: Final = Code(
    "RUN042",
    N_("The disk that holds {path} is full: {free} are left."),
    N_("Make room, or write elsewhere: --output DIR"),
)
CRASHED: Final = Code(
    "RUN043",
    N_("The engine crashed with signal {signal} while {asker}."),
    N_("Read the end of {log}, then check the installation: liveavatar-tui preflight"),
)
KILLED: Final = Code(
    "RUN044",
    N_("The engine was ended from outside with signal {signal} while {asker}."),
    N_("Start the run again"),
)
LOST: Final = Code(
    "RUN045",
    N_("The engine ended without a word while {asker}."),
    N_("Read the end of {log}, then start the run again"),
)
HOST_RESTARTED: Final = Code(
    "RUN046",
    N_("The host {host} was restarted while the engine was running."),
    N_("Start the run again"),
)
SERVER_ABSENT: Final = Code(
    "RUN060",
    N_("No resident engine answers at {path}: {reason}."),
    N_("Start one: python -m engine.serve"),
)
SERVER_TAKEN: Final = Code(
    "RUN061",
    N_("A resident engine already listens at {path}."),
    N_("Use that one, or give another place: python -m engine.serve --socket FILE"),
)
NOTHING_RUNS: Final = Code(
    "RUN062",
    N_("No job is running in the resident engine at {path}, so there is nothing to swap in."),
    N_("Submit a job first, or name the adapters in the job itself"),
)
LIBRARY_MISSING: Final = Code(
    "RUN050",
    N_("The Python package {name}, which the engine needs, is not installed."),
    N_("pip install 'liveavatar-tui[engine]'"),
)
VIDEO_UNWRITABLE: Final = Code(
    "RUN051",
    N_("The video {path} cannot be written: {reason}."),
    N_("Give a folder that you may write to: --output DIR"),
)
UNEXPECTED: Final = Code(
    "RUN099",
    N_("The engine met a fault that it does not know: {reason}."),
    N_("The details are in {log}; please send that file with a report"),
)

CODES: Final[dict[str, Code]] = {row.code: row for row in list(globals().values()) if isinstance(row, Code)}
"""Every row by its code."""
