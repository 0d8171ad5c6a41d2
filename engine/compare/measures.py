"""What is measured of a video, which direction is good, how much is little, and what it must be at least.

Knows no video: names and numbers only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from lora_repository.i18n import N_

Test = Literal["consistency", "generalisation", "stability"]


@dataclass(frozen=True, slots=True)
class Measure:
    """`margin`: a difference below it does not matter; `least` and `most`: beyond them a version fails by itself;
    `decides`: whether a difference makes a version better or worse."""

    name: str
    says: str
    better: Literal["higher", "lower"] = "higher"
    margin: float = 0.0
    least: float | None = None
    most: float | None = None
    decides: bool = True
    unit: str = ""
    test: Test = "consistency"

    def good(self, value: float) -> bool:
        """Whether a value is good enough by itself."""
        return (self.least is None or value >= self.least) and (self.most is None or value <= self.most)


MEASURES: Final = (
    Measure("lip_sync", N_("how surely lips and sound belong together"), margin=0.03, least=0.2),
    Measure("mouth", N_("how well the mouth follows what is said"), margin=0.03, least=0.4),
    Measure("offset", N_("frames between lips and sound"), better="lower", margin=0.5, most=1.5, unit="frames"),
    Measure("motion", N_("how far the mouth opens, of what the speech asks for"), margin=0.15, least=0.4,
            decides=False),
    Measure("identity", N_("likeness to the person"), margin=0.005, test="generalisation"),
    Measure("adherence", N_("prompts never trained on that are obeyed"), margin=0.1, test="generalisation"),
    Measure("flicker", N_("change of what should stand still, from frame to frame"), better="lower", margin=0.5,
            most=3.0, unit="of 255"),
    Measure("drift", N_("how far the person changes until the end"), better="lower", margin=0.01, most=0.08),
    Measure("jitter", N_("spread between runs of the face's way from frame to frame, of the face's width"),
            better="lower", margin=0.5, most=5.0, unit="%", test="stability"),
    Measure("same_seed", N_("difference of runs with the same seed"), better="lower", most=0.0, decides=False,
            unit="of 255", test="stability"),
)  # fmt: skip
BY_NAME: Final = {measure.name: measure for measure in MEASURES}
