"""A memory plan as values: named rows of bytes on each device in each stage of a run. Knows no model and no machine."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

HOST: Final = "cpu"
MARGIN: Final = 0.07
"""Share that is added to a peak before it is held against what is free: the constants here are not of this machine."""
CALIBRATED_MARGIN: Final = 0.03
"""The same where the constants were measured on this machine (`engine.calibrate`)."""

GIB: Final = 1 << 30
MIB: Final = 1 << 20


class Stage(StrEnum):
    """Parts of a run that differ in what is held, in their order."""

    LOADING = "loading"
    CONDITIONING = "conditioning"
    GENERATING = "generating"
    DECODING = "decoding"


ALL: Final = frozenset(Stage)
LATER: Final = ALL - {Stage.LOADING}
RUNNING: Final = frozenset({Stage.GENERATING, Stage.DECODING})


class Kind(StrEnum):
    """How a size is known, and to whom it belongs."""

    COUNTED = "counted"
    """From the shapes in the files' headers."""
    MEASURED = "measured"
    """From a constant that was measured."""
    RESERVED = "reserved"
    """What torch's allocator keeps and nothing uses: freed pieces that are too small for what came later."""
    DRIVER = "driver"
    """Outside torch's allocator: the CUDA context, libraries' own workspaces, NCCL."""


@dataclass(frozen=True, slots=True)
class Term:
    """`size` bytes on `device` during the stages `when`. `name` is English and stable; whoever shows it translates."""

    name: str
    device: str
    size: int
    when: frozenset[Stage]
    kind: Kind

    @property
    def exact(self) -> bool:
        """Counted from shapes."""
        return self.kind is Kind.COUNTED


@dataclass(frozen=True, slots=True)
class Peak:
    """The stage in which a device holds most, and how much, in bytes."""

    stage: Stage
    size: int


@dataclass(frozen=True, slots=True)
class MemoryPlan:
    """All rows of a run; a device is `cpu` (the host) or `cuda:N`. Sizes are of reserved memory, as NVML counts it."""

    terms: tuple[Term, ...]
    margin: float = MARGIN

    @property
    def devices(self) -> tuple[str, ...]:
        """Cards first, the host last."""
        named = dict.fromkeys(term.device for term in self.terms)
        return tuple(sorted(named, key=lambda device: (device == HOST, device)))

    def at(self, device: str, stage: Stage) -> tuple[Term, ...]:
        """What the device holds in that stage, largest first."""
        held = (term for term in self.terms if term.device == device and stage in term.when)
        return tuple(sorted(held, key=lambda term: -term.size))

    def size(self, device: str, stage: Stage) -> int:
        """Bytes that the device holds in that stage."""
        return self._of(device, stage, frozenset())

    def peak(self, device: str) -> Peak:
        """Where the device holds most; of equals the later stage."""
        order = list(Stage)
        stage = max(order, key=lambda one: (self.size(device, one), order.index(one)))
        return Peak(stage, self.size(device, stage))

    def torch_peak(self, device: str) -> int:
        """The peak of what torch has reserved: without context and libraries."""
        return max(self.torch_size(device, stage) for stage in Stage)

    def torch_size(self, device: str, stage: Stage) -> int:
        """What torch has reserved in that stage; of the host, everything."""
        return self._of(device, stage, frozenset({Kind.DRIVER}))

    def live_peak(self, device: str) -> int:
        """The peak of what torch has allocated: without what its allocator only keeps."""
        return max(self._of(device, stage, frozenset({Kind.DRIVER, Kind.RESERVED})) for stage in Stage)

    def need(self, device: str) -> int:
        """The peak with the margin: what must be free."""
        return round(self.peak(device).size * (1 + self.margin))

    def _of(self, device: str, stage: Stage, without: frozenset[Kind]) -> int:
        held = (term for term in self.terms if term.device == device and stage in term.when)
        return sum(term.size for term in held if term.kind not in without)
