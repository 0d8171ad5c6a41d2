"""Recordings of people, with the mouth's targets found by forced alignment: the test that no synthesiser can stand for.

`data/real_speech.safetensors` holds ten utterances of Debian's `pocketsphinx-testdata` (five LibriVox sentences, public
domain; five of card names, BSD-2, Carnegie Mellon University). `python -m engine.embedded.metrics.real_speech FOLDER`
makes it again from that package's folder; only this needs `pip install pocketsphinx`.
"""

from __future__ import annotations

import argparse
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.numpy import save_file

from engine.embedded.corpus.synthesis import read_wav
from engine.embedded.corpus.visemes import SAMPLES_PER_FRAME, Segment, Track, from_arpabet, track

DATA: Final = Path(__file__).parent / "data" / "real_speech.safetensors"
_SETS: Final = (("librivox", "transcription"), ("cards", "cards.transcription"))
_LINE: Final = re.compile(r"(?:<s>)?\s*(?P<text>.*?)\s*(?:</s>)?\s*\((?P<name>[^)]+)\)")


@dataclass(frozen=True)
class Recording:
    """One utterance of a person: `audio` [N] f32 at 16 kHz, what is said, and when each mouth target is held."""

    name: str
    text: str
    audio: NDArray[np.float32]
    segments: list[Segment]

    @property
    def frames(self) -> int:
        """Whole video frames in it."""
        return len(self.audio) // SAMPLES_PER_FRAME

    def track(self) -> Track:
        """What the mouth of the speaker did, as far as the phonemes tell."""
        return track(self.segments, self.audio, self.frames)


def load(path: Path = DATA) -> list[Recording]:
    """All recordings, LibriVox first."""
    with safe_open(path, "np") as file:
        texts: dict[str, str] = json.loads(file.metadata()["texts"])
        return [
            Recording(
                name,
                text,
                file.get_tensor(f"{name}.audio").astype(np.float32) / np.float32(32768),
                [Segment(float(a), float(b), int(v)) for a, b, v in file.get_tensor(f"{name}.segments")],
            )
            for name, text in texts.items()
        ]


def make(folder: Path, path: Path = DATA) -> None:
    """Align the recordings of `folder` (`/usr/share/pocketsphinx/test/data`) and write them with their targets."""
    tensors: dict[str, NDArray[Any]] = {}
    texts: dict[str, str] = {}
    for group, listing in _SETS:
        for line in (folder / group / listing).read_text(encoding="utf-8").splitlines():
            if not (match := _LINE.match(line)):
                continue
            audio, _rate = read_wav(folder / group / f"{match['name']}.wav")
            name = f"{group}-{match['name'][-4:].lstrip('-')}"
            texts[name] = match["text"]
            tensors[f"{name}.audio"] = (audio * 32768).astype(np.int16)
            tensors[f"{name}.segments"] = np.array(_aligned(audio, match["text"]), np.float32)
    path.parent.mkdir(exist_ok=True)
    save_file(tensors, path, {"texts": json.dumps(texts)})


def _aligned(audio: NDArray[np.float32], text: str) -> list[Segment]:
    """Two passes, words and then phones within them; pocketsphinx counts in hundredths of a second."""
    from pocketsphinx import Decoder  # only for making the data

    decoder = Decoder(lm=None, loglevel="FATAL")
    decoder.set_align_text(text)
    for again in (False, True):
        if again:
            decoder.set_alignment()
        decoder.start_utt()
        decoder.process_raw((audio * 32768).astype("<i2").tobytes(), full_utt=True)
        decoder.end_utt()
    return [
        segment
        for word in decoder.get_alignment()
        for phone in word
        for segment in from_arpabet(phone.start / 100, (phone.start + phone.duration) / 100, phone.name)
    ]


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Align real recordings with what is said in them.")
    parser.add_argument("folder", type=Path)
    make(parser.parse_args().folder)
    for recording in load():
        opening = recording.track().mouth[:, 0]
        print(f"{recording.name}: {recording.frames} frames, mean opening {opening.mean():.2f}: {recording.text}")


if __name__ == "__main__":
    main()
