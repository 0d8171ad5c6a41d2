"""What only preflight knows: cards, environment, system and containers. Rows as in `liveavatar_tui.codes`."""

from __future__ import annotations

from typing import Final

from engine.codes import Code
from lora_repository.i18n import N_

# --- speech and size
SPEECH_SILENT: Final = Code(
    "PRE005",
    N_("{share} of the speech {path} is silence, and the mouth will rest that long."),
    N_("Cut it: ffmpeg -i {path} -af silenceremove=stop_periods=-1:stop_duration=1:stop_threshold=-50dB cut.wav"),
)
SPEECH_CLIPPED: Final = Code(
    "PRE006",
    N_("The speech {path} is clipped: {share} of its samples are as loud as the file can be."),
    N_("Record it again at a lower level; what was cut off cannot be brought back"),
)
SPEECH_DULL: Final = Code(
    "PRE007",
    N_("The speech {path} has {rate} samples a second; the speech encoder hears {wanted}."),
    N_("Record it at 16 kHz or more: what lies above {half} Hz is missing, s and f above all"),
)
SPEECH_QUIET: Final = Code(
    "PRE008",
    N_("The speech {path} is very quiet: its loudest moment is at {level} dB of full scale."),
    N_("Make it louder: ffmpeg -i {path} -af loudnorm louder.wav"),
)
SIZE_UNTRAINED: Final = Code(
    "PRE009",
    N_("The size {size} is {times} times the area that the model was trained at."),
    N_("--size {trained}"),
)

# --- places and limits
CACHE_UNWRITABLE: Final = Code(
    "PRE012",
    N_("Nothing can be kept in the cache {path}: {reason}. Every start compiles anew."),
    N_("Name a folder that you may write to: export {variable}=DIR"),
)
SHM_SMALL: Final = Code(
    "PRE013",
    N_("Shared memory (/dev/shm) has {free} free; cards that exchange tensors need {need}."),
    N_("In a container: docker run --shm-size {need} ..."),
)
FILES_FEW: Final = Code(
    "PRE014",
    N_("This process may open {limit} files; this run may need {need}."),
    N_("ulimit -n {need}"),
)
HUB_OFFLINE: Final = Code(
    "PRE015",
    N_("Something must be downloaded, and {variable} forbids it."),
    N_("unset {variable}"),
)
HUB_UNREACHABLE: Final = Code(
    "PRE016",
    N_("Something must be downloaded, and {host} cannot be reached: {reason}."),
    N_("Download it on a host that can, and copy it here; or set a mirror: export HF_ENDPOINT=URL"),
)

# --- cards
SLOW: Final = Code(
    "PRE022",
    N_("It fits and will be slow: about {fps} frames a second, {span} for this speech."),
    N_("{advice}"),
)
FP8_UNSUPPORTED: Final = Code(
    "PRE023",
    N_("{name} has compute capability {found}; fp8 needs {wanted}."),
    N_("--precision bf16 --cache-precision bf16"),
)
CARD_SHARED: Final = Code(
    "PRE024",
    N_("Other processes hold {held} of {name}: {owners}."),
    N_("Wait for them, or take another card: export CUDA_VISIBLE_DEVICES={other}"),
)
CARD_FAULTY: Final = Code(
    "PRE025",
    N_("{name} is faulty: {faults}."),
    N_("Take another card and have this one reset or replaced: nvidia-smi -q -d ECC,ROW_REMAPPER"),
)
CARD_WORN: Final = Code(
    "PRE026",
    N_("{name} has had memory errors: {faults}."),
    N_("Reset it when nothing runs on it: nvidia-smi --gpu-reset -i {index}"),
)
CARDS_HIDDEN: Final = Code(
    "PRE027",
    N_("{count} cards are here and none may be used: {reason}."),
    N_("Name one: export CUDA_VISIBLE_DEVICES=0"),
)
LIBRARY_SILENT: Final = Code(
    "PRE028",
    N_("The driver's library cannot be asked ({reason}); nvidia-smi was asked in its place."),
    N_("pip install --upgrade nvidia-ml-py"),
)

# --- environment
DRIVER_OLD: Final = Code(
    "PRE030",
    N_("The driver {driver} runs CUDA {found} at most; this torch was built for CUDA {wanted}."),
    N_("Update the driver, or install a torch for CUDA {found}: pip install torch --index-url {index}"),
)
TORCH_WITHOUT_CUDA: Final = Code(
    "PRE031",
    N_("{name} is here, and the installed torch {version} cannot use it: it was built for the processor alone."),
    N_("pip install torch --index-url https://download.pytorch.org/whl/cu130"),
)
PACKAGES_CLASH: Final = Code(
    "PRE032",
    N_("Installed packages do not go together: {clash}."),
    N_("{command}"),
)
LIBRARY_SHADOWED: Final = Code(
    "PRE033",
    N_("LD_LIBRARY_PATH puts {found} before the cuDNN that came with torch."),
    N_("unset LD_LIBRARY_PATH, or take {folder} out of it"),
)

# --- containers
MOUNT_WRONG: Final = Code(
    "PRE040",
    N_("The mount {mount} is not one: {reason}."),
    N_("Under docker.mounts in config.yaml: /host/folder:/folder/inside:ro"),
)
MOUNT_MISSING: Final = Code(
    "PRE041",
    N_("The mount {mount} starts from {path}, which does not exist: docker would make an empty folder there."),
    N_("mkdir -p {path}, or mend docker.mounts in config.yaml"),
)
MOUNT_WRITABLE: Final = Code(
    "PRE042",
    N_("The mount {mount} holds models and can be written from inside."),
    N_("Add :ro to it: {mount}:ro"),
)
NOT_MOUNTED: Final = Code(
    "PRE043",
    N_("{path} is not inside the container: no mount leads there."),
    N_("Add a mount under docker.mounts in config.yaml: {suggestion}"),
)
LINK_DANGLES: Final = Code(
    "PRE044",
    N_("The link {path} points at {target}, which is {found} inside the container."),
    N_("Make it relative: {command}"),
)
MOUNT_HIDES: Final = Code(
    "PRE045",
    N_("{path} would be {inside} in the container, and there the mount {mount} hides it."),
    N_("Give that mount another place inside, under docker.mounts in config.yaml"),
)
MOUNTPOINT_MISSING: Final = Code(
    "PRE046",
    N_("The mount {mount} lies inside the read-only mount {outer}, where {path} does not exist to take it."),
    N_("mkdir -p {path}"),
)
OUTPUT_READ_ONLY: Final = Code(
    "PRE047",
    N_("The job would be written to {path}, and the mount {mount} is read-only."),
    N_("Mount the jobs folder without :ro, or name another one under jobs.folder in config.yaml"),
)
