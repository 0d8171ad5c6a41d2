"""From phonemes with times to the movement of a mouth at 25 frames a second.

Frame k shows the sound at (k + 0.5) / 25 s, 20 ms ahead of it as real mouths are. Knows no synthesiser and no pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

FPS: Final = 25
SAMPLE_RATE: Final = 16_000
SAMPLES_PER_FRAME: Final = SAMPLE_RATE // FPS
_FINE: Final = 8  # track samples per frame while smoothing: 5 ms
_AHEAD: Final = 0.020  # lips take shape before the sound
_SIGMA: Final = 0.035  # coarticulation: width of the Gaussian over the sequence of targets, in seconds

# viseme -> (open, wide, round, teeth)
SHAPES: Final[dict[str, tuple[float, float, float, float]]] = {
    "sil": (0.00, 0.00, 0.0, 0.0),
    "MBP": (0.00, -0.05, 0.0, 0.0),
    "FV": (0.12, 0.05, 0.0, 1.0),
    "AA": (1.00, 0.05, 0.0, 0.6),
    "AE": (0.80, 0.45, 0.0, 0.8),
    "EH": (0.60, 0.35, 0.0, 0.8),
    "IY": (0.30, 0.90, 0.0, 1.0),
    "AO": (0.75, -0.35, 0.6, 0.2),
    "OW": (0.50, -0.60, 0.9, 0.1),
    "UW": (0.25, -0.85, 1.0, 0.0),
    "ER": (0.40, -0.30, 0.5, 0.3),
    "TDN": (0.25, 0.20, 0.0, 0.9),
    "SZ": (0.15, 0.40, 0.0, 1.0),
    "SH": (0.22, -0.50, 0.7, 0.7),
    "L": (0.40, 0.15, 0.0, 0.7),
    "KG": (0.30, 0.10, 0.0, 0.5),
    "TH": (0.25, 0.10, 0.0, 0.8),
    "W": (0.15, -0.90, 1.0, 0.0),
    "R": (0.25, -0.40, 0.5, 0.3),
    "H": (0.35, 0.10, 0.0, 0.5),
}
VISEMES: Final = tuple(SHAPES)
SILENCE: Final = VISEMES.index("sil")
CLOSURE: Final = VISEMES.index("MBP")

_IPA: Final[dict[str, str]] = {
    "mbp": "MBP",
    "fvʋ": "FV",
    "ɑaɐʌ": "AA",
    "æ": "AE",
    "eɛə": "EH",
    "iɪyj": "IY",
    "ɔɒ": "AO",
    "oøœ": "OW",
    "uʊɯ": "UW",
    "ɜɚɝ": "ER",
    "tdnɾᵻ": "TDN",
    "sz": "SZ",
    "ʃʒ": "SH",
    "lɫ": "L",
    "kgɡŋxɣ": "KG",
    "θð": "TH",
    "w": "W",
    "rɹʁ": "R",
    "hʔ": "H",
}
_IPA_OF: Final = {letter: name for letters, name in _IPA.items() for letter in letters}
_ARPABET: Final[dict[str, str]] = {
    **dict.fromkeys(("aa",), "AA"),
    **dict.fromkeys(("ae",), "AE"),
    **dict.fromkeys(("ah", "ax", "eh"), "EH"),
    **dict.fromkeys(("ih", "iy", "y", "ix"), "IY"),
    **dict.fromkeys(("ao",), "AO"),
    **dict.fromkeys(("uh", "uw"), "UW"),
    **dict.fromkeys(("er", "axr"), "ER"),
    **dict.fromkeys(("b", "m", "p", "em"), "MBP"),
    **dict.fromkeys(("f", "v"), "FV"),
    **dict.fromkeys(("d", "n", "t", "dx", "en", "nx"), "TDN"),
    **dict.fromkeys(("s", "z"), "SZ"),
    **dict.fromkeys(("ch", "jh", "sh", "zh"), "SH"),
    **dict.fromkeys(("l", "el"), "L"),
    **dict.fromkeys(("g", "k", "ng"), "KG"),
    **dict.fromkeys(("dh", "th"), "TH"),
    "w": "W",
    "r": "R",
    "hh": "H",
    "hv": "H",
}
_ARPABET_GLIDES: Final = {
    "aw": ("AA", "UW"),
    "ay": ("AA", "IY"),
    "ey": ("EH", "IY"),
    "ow": ("OW", "UW"),
    "oy": ("AO", "IY"),
}
_FIRST_PART: Final = 0.55  # of a diphthong


class Segment(NamedTuple):
    """One mouth target: `start` and `end` in seconds, `viseme` an index into VISEMES."""

    start: float
    end: float
    viseme: int


@dataclass(frozen=True)
class Track:
    """What a mouth does, by video frame: `mouth` [F, 4] f32 (open, wide, round, teeth), `loudness` [F] f32 in 0..1
    relative to the loud parts of the same speech, `viseme` [F] uint8."""

    mouth: NDArray[np.float32]
    loudness: NDArray[np.float32]
    viseme: NDArray[np.uint8]


def from_ipa(start: float, end: float, phoneme: str) -> list[Segment]:
    """Targets of one IPA phoneme as espeak-ng writes it; a diphthong gives two, a pause or an unknown sign silence."""
    plain = "".join(letter for letter in phoneme if letter not in "ˈˌː_:̩ʲ̃")
    if plain in ("tʃ", "dʒ"):
        return [Segment(start, end, VISEMES.index("SH"))]
    if len(plain) == 2 and plain[0] in "aeɔoəʊ" and plain[1] in "ɪʊəi":
        middle = start + _FIRST_PART * (end - start)
        return [*from_ipa(start, middle, plain[0]), *from_ipa(middle, end, plain[1])]
    name = _IPA_OF.get(plain[0], "TDN") if plain and not plain.startswith("(") else "sil"
    return [Segment(start, end, VISEMES.index(name))]


def from_arpabet(start: float, end: float, phone: str) -> list[Segment]:
    """Targets of one ARPABET phone (flite, pocketsphinx), stress digits allowed; anything else is silence."""
    plain = phone.lower().rstrip("0123456789")
    if plain in _ARPABET_GLIDES:
        middle = start + _FIRST_PART * (end - start)
        first, second = _ARPABET_GLIDES[plain]
        return [Segment(start, middle, VISEMES.index(first)), Segment(middle, end, VISEMES.index(second))]
    return [Segment(start, end, VISEMES.index(_ARPABET.get(plain, "sil")))]


def track(segments: list[Segment], audio: NDArray[np.float32], frames: int) -> Track:
    """The mouth's track over `frames` frames of 16 kHz mono `audio`.

    Targets are smoothed over 35 ms, the jaw follows the loudness a little, and lips meet at every m, b and p.
    """
    ids = _targets(segments, frames)
    fine = np.asarray([SHAPES[name] for name in VISEMES], np.float32)[ids]
    kernel = _gaussian()
    smooth = np.stack([_filtered(fine[:, i], kernel) for i in range(4)], 1)
    smooth[:, 0] *= 1 - np.clip(1.3 * _filtered((ids == CLOSURE).astype(np.float32), kernel), 0, 1)
    mouth = smooth.reshape(frames, _FINE, 4).mean(1)
    loudness = loudness_of(audio, frames)
    mouth[:, 0] *= 0.45 + 0.55 * loudness
    return Track(mouth.astype(np.float32), loudness, ids[_FINE // 2 :: _FINE].astype(np.uint8))


def loudness_of(audio: NDArray[np.float32], frames: int) -> NDArray[np.float32]:
    """[frames] in 0..1: r.m.s. of 100 ms about each frame, over its 90th percentile, compressed (power 0.35)."""
    before, after = int(0.03 * SAMPLE_RATE), int(0.07 * SAMPLE_RATE)
    padded = np.pad(audio.astype(np.float64), (before, after + SAMPLES_PER_FRAME * frames))
    energy = np.concatenate([[0.0], np.cumsum(padded**2)])
    first = np.arange(frames) * SAMPLES_PER_FRAME
    rms = np.sqrt((energy[first + before + after] - energy[first]).clip(0) / (before + after))
    # Over the frames with sound: how much silence surrounds the speech must not change how far the mouth opens.
    voiced = rms[rms > 0.02 * (rms.max() + 1e-9)]
    reference = np.percentile(voiced, 90) if len(voiced) else 1.0
    return np.asarray(np.clip(rms / (reference + 1e-6), 0, 1) ** 0.35, np.float32)


def _targets(segments: list[Segment], frames: int) -> NDArray[np.int64]:
    ids = np.full(frames * _FINE, SILENCE, np.int64)
    for start, end, viseme in segments:
        first, last = ((t - _AHEAD) * FPS * _FINE - 0.5 for t in (start, end))
        ids[max(0, int(np.ceil(first))) : max(0, int(np.ceil(last)))] = viseme
    return ids


def _gaussian() -> NDArray[np.float64]:
    offsets = np.arange(-3 * _FINE, 3 * _FINE + 1)
    kernel = np.exp(-0.5 * (offsets / (_SIGMA * FPS * _FINE)) ** 2)
    return np.asarray(kernel / kernel.sum())


def _filtered(values: NDArray[np.float32], kernel: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.convolve(np.pad(values, len(kernel) // 2, mode="edge"), kernel, "valid")
