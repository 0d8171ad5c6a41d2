"""Two free synthesisers that tell when each phoneme sounds: espeak-ng through its library, flite through its command.

Neither is linked or shipped (espeak-ng is GPL): both are only needed to make training speech. Knows no sentences.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import importlib.util
import shutil
import subprocess
import tempfile
import wave
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engine.embedded.corpus.visemes import SAMPLE_RATE, Segment, from_arpabet, from_ipa
from lora_repository.finding import problem
from lora_repository.i18n import _

_RETRIEVAL, _UTF8, _PHONEME_EVENTS_IPA = 1, 1, 3
_RATE, _PITCH, _RANGE = 1, 3, 4
_EVENT_END, _EVENT_PHONEME = 0, 7


@dataclass(frozen=True)
class Spoken:
    """Speech at 16 kHz, f32 mono in -1..1, and the mouth's targets in it."""

    audio: NDArray[np.float32]
    segments: list[Segment]


class _Id(ctypes.Union):
    _fields_ = (("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8))


class _Event(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int),
        ("unique", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _Id),
    )


_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event))


class Espeak:
    """espeak-ng in this process. It keeps global state: use one, from one thread; `espeak()` returns it."""

    def __init__(self, library: str, data: str | None) -> None:
        self._library = ctypes.CDLL(library)
        path = data.encode() if data else None
        self._rate: int = self._library.espeak_Initialize(_RETRIEVAL, 200, path, _PHONEME_EVENTS_IPA)
        if self._rate <= 0:
            raise problem(
                "AVATAR002", _("espeak-ng was found but its voice data were not."), "apt-get install espeak-ng"
            )
        self._sound: list[NDArray[np.int16]] = []
        self._phonemes: list[tuple[float, str]] = []
        self._callback = _Callback(self._collect)  # kept alive: the library holds only its address
        self._library.espeak_SetSynthCallback(self._callback)

    def speak(self, text: str, voice: str, rate: int = 165, pitch: int = 50, pitch_range: int = 50) -> Spoken:
        """Say `text`; `rate` in words a minute, `pitch` and `pitch_range` 0..100."""
        self._sound.clear()
        self._phonemes.clear()
        if self._library.espeak_SetVoiceByName(voice.encode()) != 0:
            raise problem("AVATAR003", _("espeak-ng has no voice {voice}.").format(voice=voice), "espeak-ng --voices")
        for parameter, value in ((_RATE, rate), (_PITCH, pitch), (_RANGE, pitch_range)):
            self._library.espeak_SetParameter(parameter, value, 0)
        data = text.encode()
        self._library.espeak_Synth(data, len(data) + 1, 0, 0, 0, _UTF8, None, None)
        self._library.espeak_Synchronize()
        sound = np.concatenate(self._sound).astype(np.float32) / np.float32(32768)
        ends = [start for start, _name in self._phonemes[1:]] + [len(sound) / self._rate]
        segments = [
            segment
            for (start, name), end in zip(self._phonemes, ends, strict=True)
            if end > start + 1e-3
            for segment in from_ipa(start, end, name)
        ]
        return Spoken(resampled(sound, self._rate), segments)

    def _collect(self, samples: ctypes._Pointer[ctypes.c_short], count: int, events: ctypes._Pointer[_Event]) -> int:
        if samples and count > 0:
            self._sound.append(np.ctypeslib.as_array(samples, (count,)).copy())
        index = 0
        while events[index].type != _EVENT_END:
            if events[index].type == _EVENT_PHONEME:
                name = bytes(events[index].id.string).split(b"\0")[0].decode("utf-8", "ignore")
                self._phonemes.append((events[index].sample / self._rate, name))
            index += 1
        return 0


@cache
def espeak() -> Espeak:
    """The one espeak-ng of this process: of the package `espeakng-loader` if it is there, else the system's."""
    if importlib.util.find_spec("espeakng_loader"):
        import espeakng_loader  # an optional wheel

        return Espeak(str(espeakng_loader.get_library_path()), str(espeakng_loader.get_data_path()))
    library = ctypes.util.find_library("espeak-ng")
    if library is None:
        raise problem("AVATAR001", _("Training speech needs espeak-ng."), "pip install espeakng-loader")
    return Espeak(library, None)


def flite(text: str, voice: str, stretch: float = 1.0, command: str | None = None) -> Spoken:
    """Say `text` with flite; `voice` one of slt, awb, kal16, rms; `stretch` above 1 is slower."""
    program = command or shutil.which("flite")
    if program is None:
        raise problem("AVATAR004", _("Training speech needs flite."), "apt-get install flite")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "speech.wav")
        arguments = [
            "-voice",
            voice,
            "-t",
            text,
            "-o",
            str(path),
            "-psdur",
            "--setf",
            f"duration_stretch={stretch:.3f}",
        ]
        timed = subprocess.run([program, *arguments], capture_output=True, text=True, check=True).stdout
        audio, rate = read_wav(path)
    segments: list[Segment] = []
    start = 0.0
    for item in timed.split():
        phone, end = item.rsplit(":", 1)
        segments += from_arpabet(start, float(end), phone)
        start = float(end)
    return Spoken(resampled(audio, rate), segments)


def read_wav(path: Path) -> tuple[NDArray[np.float32], int]:
    """A 16-bit mono wav file as f32 in -1..1, and its rate."""
    with wave.open(str(path)) as file:
        data = np.frombuffer(file.readframes(file.getnframes()), "<i2")
        return data.astype(np.float32) / np.float32(32768), file.getframerate()


def resampled(audio: NDArray[np.float32], rate: int) -> NDArray[np.float32]:
    """At 16 kHz, band-limited, by the spectrum of the whole utterance."""
    if rate == SAMPLE_RATE or not len(audio):
        return audio
    unit = rate // int(np.gcd(rate, SAMPLE_RATE))
    padded = np.pad(audio, (0, -len(audio) % unit + unit))  # a whole number of units on both sides: exact in time
    length = len(padded) // unit * (SAMPLE_RATE * unit // rate)
    spectrum = np.fft.rfft(padded)
    bins: Final = length // 2 + 1
    kept = np.zeros(bins, complex)
    kept[: min(bins, len(spectrum))] = spectrum[:bins]
    out = np.fft.irfft(kept, length) * (length / len(padded))
    return np.asarray(out[: int(len(audio) * SAMPLE_RATE / rate)], np.float32)
