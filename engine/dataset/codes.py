"""Every fault that a data set can have: stable code, cause, what mends it. Knows no file."""

from __future__ import annotations

from typing import Final

from engine.codes import Code
from engine.training.codes import warning
from lora_repository.i18n import N_

__all__ = ["warning"]

_FIX: Final = N_("A mended copy: liveavatar-tui doctor DATA --fix OUT")

# --- pictures
PICTURE_UNREADABLE: Final = Code(
    "DATA001", N_("It cannot be read as a picture: {reason}."), N_("Take it out, or save it again as PNG.")
)
PICTURE_SMALL: Final = Code(
    "DATA002", N_("It has {found} pixels; {least} on each side are needed."), N_("Use the original in full size.")
)
PICTURE_SOFT: Final = Code(
    "DATA003", N_("It is out of focus: sharpness {found}, and {least} is the least."), N_("Use a sharper picture.")
)
PICTURE_TWICE: Final = Code("DATA004", N_("It is the same picture as {other}."), N_("Take one of the two out."))
FACE_MISSING: Final = Code("DATA005", N_("No face is found in it."), N_("Use a picture that shows the face."))
FACES_SEVERAL: Final = Code("DATA006", N_("{n} faces are in it."), N_("Cut it to one person."))
FACE_STRANGE: Final = Code(
    "DATA007",
    N_("It shows somebody else than the other pictures: {found} from them, and {most} is the most."),
    N_("Take it out."),
)
FACE_SMALL: Final = Code("DATA008", N_("The face takes only {percent} per cent of its width."), _FIX)
PICTURE_EXPOSURE: Final = Code(
    "DATA009", N_("It is too dark or too bright: mean {found} of 255."), N_("Use a picture in better light.")
)

# --- speeches
SOUND_UNREADABLE: Final = Code(
    "DATA020", N_("It cannot be read as sound: {reason}."), N_("Take it out, or convert it to WAV.")
)
SOUND_RATE: Final = Code("DATA021", N_("It has {found} samples a second; 16000 are heard."), _FIX)
SOUND_CHANNELS: Final = Code("DATA022", N_("It has {found} channels; one is heard."), _FIX)
SOUND_LONG: Final = Code("DATA023", N_("It lasts {found} s; 30 s are the most."), _FIX)
SOUND_SHORT: Final = Code("DATA024", N_("It lasts {found} s; a clip needs {least} s."), N_("Use a longer recording."))
SOUND_CLIPPED: Final = Code(
    "DATA025",
    N_("{percent} per cent of its samples are as loud as can be: it is overdriven."),
    N_("Record it again, softer."),
)
SOUND_NOISY: Final = Code(
    "DATA026",
    N_("Its noise is only {found} dB below its speech; {least} dB are needed."),
    N_("Record it in a quiet room."),
)
SOUND_SILENT: Final = Code("DATA027", N_("{percent} per cent of it is silence."), N_("Cut the silence out."))
SOUND_MUSIC: Final = Code("DATA028", N_("Music or a steady tone fills its pauses."), N_("Use speech without music."))

# --- prompts
PROMPTS_ENCODING: Final = Code(
    "DATA040", N_("The list is not UTF-8: byte {n} cannot be read."), N_("Save it as UTF-8.")
)
PROMPT_LONG: Final = Code("DATA041", N_("It has {found} words; what is over {most} may be cut off."), N_("Shorten it."))
PROMPT_TWICE: Final = Code("DATA042", N_("It says the same as line {other}."), N_("Take one of the two out."))
PROMPT_IMPERSONAL: Final = Code(
    "DATA043", N_("It does not mention a person."), N_('Name the person: "a woman talking ..."')
)
PROMPT_BROKEN: Final = Code(
    "DATA044", N_("It holds characters that were broken by a wrong encoding."), N_("Type it again.")
)

# --- videos
VIDEO_UNREADABLE: Final = Code(
    "DATA060", N_("It cannot be read as a video: {reason}."), N_("Take it out, or convert it to MP4.")
)
VIDEO_MUTE: Final = Code("DATA061", N_("It has no sound track."), N_("Use a clip with its sound."))
VIDEO_OFFSET: Final = Code(
    "DATA062", N_("Its sound is {found} frames off its lips."), N_("Shift the sound by as much.")
)
VIDEO_SHORT: Final = Code("DATA063", N_("It lasts {found} s; a clip needs {least} s."), N_("Use a longer clip."))

# --- the set
COUNT_LOW: Final = Code("DATA080", N_("There are {found} {what}; {least} to {most} are good."), N_("Add some."))
COUNT_HIGH: Final = Code(
    "DATA081", N_("There are {found} {what}; {least} to {most} are good."), N_("Keep the best of them.")
)
FILE_STRANGE: Final = Code(
    "DATA082", N_("It is none of the kinds that are read here, so it is not used."), N_("Take it out, or convert it.")
)
POSES_ALIKE: Final = Code(
    "DATA083", N_("The pictures show the person from one side only."), N_("Add pictures from other angles.")
)
FACES_UNSEEN: Final = Code(
    "DATA084",
    N_("Faces were not looked at, because MediaPipe is not installed."),
    N_('pip install "liveavatar-tui[evaluate]"'),
)
