"""A base model in memory and the adapters on it, for one job or for many, one after the other.

The only one that applies adapters: at a job's start, or between two blocks of one that runs. A swap is prepared beside
the weights in use, by whatever thread asked for it, and put in place by the thread that generates. Knows no socket.
"""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from engine.checkpoint_layout import CheckpointLayout
from engine.conditioning import make_condition
from engine.execution import Execution
from engine.generate import Scene
from engine.load import Models, Told, load_models
from engine.log import LOG
from engine.lora import ActiveWeights, Prepared
from engine.rollout import Turn
from engine.weights import Pinned
from lora_repository.proof import PartProof

_DIT: Final = "dit"
_TEXT: Final = "t5"


@dataclass(frozen=True, slots=True)
class Change:
    """A swap that is ready: the stack, and the avatar model's weights under it."""

    parts: tuple[PartProof, ...]
    prepared: Prepared
    restart: bool


class Resident:
    """Mutable: what stays in memory between jobs, and the swap that waits for the next block."""

    def __init__(self) -> None:
        self._key: tuple[CheckpointLayout, Execution] | None = None
        self._models: Models | None = None
        self._active: dict[str, ActiveWeights] = {}
        self._text_parts: tuple[PartProof, ...] = ()
        self._change: Change | None = None
        self._context: Tensor | None = None
        """The prompt's rows, where a swap has changed them since the job began."""
        self._lock = threading.Lock()
        self._pinned = False
        self.swaps = 0
        """Swaps that were put in place."""

    @property
    def layout(self) -> CheckpointLayout | None:
        """The base model in memory."""
        return None if self._key is None else self._key[0]

    @property
    def base(self) -> str:
        """Its folder."""
        return "" if self.layout is None else str(self.layout.root)

    def models(self, layout: CheckpointLayout, execution: Execution, told: Told, *, pinned: bool = False) -> Models:
        """The base model: the one in memory, or another in its place.

        `pinned` keeps the base of the avatar model in pinned memory of the host for later swaps onto a card.
        """
        self._pinned = pinned and execution.device.type == "cuda"
        if self._models is None or self._key != (layout, execution):
            self._key, self._models, self._active, self._text_parts = None, None, {}, ()
            gc.collect()
            if execution.device.type == "cuda":
                torch.cuda.empty_cache()
            self._models = load_models(layout, execution.device, execution.dtype, told, execution=execution)
            self._key = layout, execution
        return self._models

    def apply(self, parts: Sequence[PartProof]) -> None:
        """Make the weights base + `parts`, whatever was on them before."""
        self._change, self._context = None, None
        self._apply_text(parts)
        mine = [part for part in parts if part.target == _DIT]
        if mine or _DIT in self._active:
            self._of(_DIT).apply(mine)

    def prepare(self, parts: Sequence[PartProof], *, restart: bool) -> None:
        """Make a stack ready for `turn`; beside the card's other work where there is a card. Any thread may ask."""
        models = self._loaded()
        mine = [part for part in parts if part.target == _DIT]
        began = time.monotonic()
        with self._lock:
            on_card = models.device.type == "cuda"
            stream = torch.cuda.Stream(models.device) if on_card else None
            with torch.cuda.stream(stream) if stream is not None else nullcontext():
                prepared = self._of(_DIT).prepare(mine)
            if stream is not None:
                stream.synchronize()
            self._change = Change(tuple(parts), prepared, restart)
        LOG.info("A swap is ready after %.2f s", time.monotonic() - began)

    def turn(self, scene: Scene) -> tuple[Turn, Change] | None:
        """Put the swap that waits in place: the condition under it, and what it was.

        One that is still in the making goes in before a later block.
        """
        if self._change is None or not self._lock.acquire(blocking=False):
            return None
        try:
            return self._commit(self._change, scene)
        finally:
            self._change = None
            self._lock.release()

    def _commit(self, change: Change, scene: Scene) -> tuple[Turn, Change]:
        began = time.monotonic()
        models = self._loaded()
        self._of(_DIT).commit(change.prepared)
        if self._apply_text(change.parts):
            self._context = models.text.encode(scene.inputs.prompt)
        context = scene.context if self._context is None else self._context
        condition = make_condition(models.dit, scene.still, context)
        self.swaps += 1
        LOG.info("Swapped within %.2f s; a prefill follows", time.monotonic() - began)
        return Turn(condition, change.restart), change

    def _apply_text(self, parts: Sequence[PartProof]) -> bool:
        """The text encoder's part of a stack; returns whether it changed."""
        mine = tuple(part for part in parts if part.target == _TEXT)
        changed = mine != self._text_parts
        if mine or changed:
            self._of(_TEXT).apply(mine)
        self._text_parts = mine
        return changed

    def _of(self, target: str) -> ActiveWeights:
        """The writer of a model's weights; a text encoder that was let go and loaded again has another."""
        models = self._loaded()
        model, stored = (models.dit, models.dit_weights) if target == _DIT else (models.text.model, models.text_weights)
        held = self._active.get(target)
        if held is None or held.model is not model:
            table = Pinned(stored) if self._pinned and target == _DIT else stored
            held = self._active[target] = ActiveWeights(model, table)
        return held

    def _loaded(self) -> Models:
        assert self._models is not None, "a base model is loaded before it is adapted"
        return self._models
