"""A base model under test: videos made of it, whole and in part, adapters swapped on it.

Times are those of the card where there is one. Knows no flags, no table and no ceiling.
"""

from __future__ import annotations

import gc
import time
import wave
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file

from engine.bench_parts import GIB, on_card
from engine.conditioning import STILL_FRAMES, Condition, encode_still, make_condition
from engine.decoding import StreamDecoder
from engine.drawn import drawn_adapter, pinned_base
from engine.fp8 import narrow
from engine.generate import Inputs, generate, set_scene
from engine.lora import ActiveWeights
from engine.model.config import DiTConfig
from engine.model.dit import DiT
from engine.randomness import CounterDraws
from engine.rollout import Denoiser, LatentBlock
from engine.sampler import schedule
from engine.spec import FPS, FRAMES_PER_BLOCK, LATENTS_PER_BLOCK
from engine.speech import RATE
from engine.video_sink import VideoSink
from engine.weights import Weights, expected_shapes, fill


class Making:
    """Mutable: a video of the denoiser alone."""

    def __init__(self, denoiser: Denoiser, config: DiTConfig) -> None:
        self.denoiser = denoiser
        self._draws = CounterDraws(1)
        self._features = torch.randn(1, config.audio_layers, config.audio_dim, FRAMES_PER_BLOCK)
        self._number = 0

    def block(self) -> float:
        """Seconds of the next block."""
        return on_card(self.make)

    def restart(self) -> None:
        """Begin the video again."""
        self.denoiser.forget()
        self._number = 0

    def make(self) -> torch.Tensor:
        """The next block's latents."""
        shape = tuple(self.denoiser.latent_shape[1:])
        distances = [self._draws.distance(self._number, step) for step in range(self.denoiser.passes)]
        noise = self._draws.noise(self._number, shape)
        self._number += 1
        return self.denoiser.denoise(self._number - 1, self._features, noise, distances)


class Subject:
    """Mutable: a base model under test at one size of picture."""

    def __init__(self, models: Any, height: int, width: int) -> None:
        self.models = models
        self.height = height
        self.width = width
        self._scene: tuple[torch.Tensor, Condition] | None = None

    @property
    def config(self) -> DiTConfig:
        """Of the avatar model."""
        config: DiTConfig = self.models.dit.config
        return config

    def load(self) -> dict[str, float | str]:
        """Bring every part up."""
        began = time.monotonic()
        for part in ("dit", "vae", "audio"):
            getattr(self.models, part)
        self._wait()
        return {"seconds": time.monotonic() - began, "peak_gib": self.peak()}

    def peak(self) -> float:
        """GiB that torch has reserved at most since this was asked last."""
        if self.models.device.type != "cuda":
            return 0.0
        gc.collect()
        peak = torch.cuda.max_memory_reserved() / GIB
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        return peak

    def scene(self) -> tuple[torch.Tensor, Condition]:
        """Latents of a grey still, and the condition; made once."""
        if self._scene is None:
            picture = torch.zeros(1, 3, 1, self.height, self.width, device=self.models.device)
            still = encode_still(self.models.vae, picture, STILL_FRAMES)
            self._scene = still, make_condition(self.models.dit, still, self.models.text.encode(""))
        return self._scene

    @contextmanager
    def denoiser(self, passes: int) -> Iterator[Making]:
        """A video to be made, whose room is given back."""
        _still, condition = self.scene()
        levels = schedule(max(passes, 4), passes)
        making = Making(Denoiser(self.models.dit, condition, levels, self.models.execution), self.config)
        try:
            yield making
        finally:
            del making
            gc.collect()
            self._wait()

    def decoded(self, count: int) -> Iterator[float]:
        """Seconds of each of `count` blocks of latents."""
        still, _condition = self.scene()
        decoder = StreamDecoder(self.models.vae, still, self.models.execution)
        latents = still[:, :, :LATENTS_PER_BLOCK].float()
        decoder.decode(LatentBlock(0, latents, begins=True)).wait()
        for number in range(1, count + 2):
            block = LatentBlock(number, latents.clone(), begins=False)
            self._wait()
            began = time.perf_counter()
            decoder.decode(block).wait()
            if number > 1:
                yield time.perf_counter() - began

    def video(self, folder: Path, passes: int, blocks: int) -> Iterator[float]:
        """Make a whole video with sound; seconds since the scene stood at which each block was in the file."""
        image, speech = folder / "portrait.png", folder / "speech.wav"
        _write_inputs(image, speech, self.height, self.width, blocks * FRAMES_PER_BLOCK / FPS)
        scene = set_scene(self.models, Inputs("", image, speech, self.height, self.width, blocks))
        self._wait()
        began = time.perf_counter()
        with VideoSink(folder / "video.mp4", self.width, self.height, FPS, speech) as sink:
            for block in generate(self.models, scene, steps=max(passes, 4), passes=passes):
                sink.write(block.frames)
                yield time.perf_counter() - began

    def launches(self) -> dict[str, float | str]:
        """Kernels of a block, and what the host launches for them."""
        if self.models.device.type != "cuda":
            return {}
        from torch.profiler import ProfilerActivity, profile

        with self.denoiser(4) as making:
            for _ in range(3):
                making.make()
            self._wait()
            with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as seen:
                making.make()
                self._wait()
        counts = {event.key: event.count for event in seen.key_averages()}
        kernels = sum(event.count for event in seen.key_averages() if event.device_type.name == "CUDA")
        waits = ("cudaStreamSynchronize", "cudaEventSynchronize", "cudaMemcpy")
        return {
            "kernels": float(kernels),
            "launches": float(
                sum(
                    counts.get(name, 0)
                    for name in ("cudaLaunchKernel", "cuLaunchKernel", "cuLaunchKernelEx", "cudaLaunchKernelExC")
                )
            ),
            "graph_launches": float(counts.get("cudaGraphLaunch", 0)),
            "waits": float(sum(counts.get(name, 0) for name in waits)),
            "table": seen.key_averages().table(sort_by="self_cuda_time_total", row_limit=40, max_name_column_width=90),
        }

    def refuse_waiting(self) -> dict[str, float | str]:
        """Make blocks while the host is forbidden to wait for the card; raises RuntimeError where it would."""
        if self.models.device.type != "cuda":
            return {}
        with self.denoiser(4) as making:
            for _ in range(3):
                making.make()
            allocations = torch.cuda.memory_stats()["num_device_alloc"]
            torch.cuda.set_sync_debug_mode("error")
            try:
                for _ in range(3):
                    making.make()
            finally:
                torch.cuda.set_sync_debug_mode("default")
            return {"blocks": 3.0, "allocations": float(torch.cuda.memory_stats()["num_device_alloc"] - allocations)}

    def swap(self, folder: Path) -> dict[str, float | str]:
        """Put an adapter of rank 128 on every linear that upstream adapts, from a base on the host, and take it off."""
        active = ActiveWeights(self.models.dit, pinned_base(self.models))
        part = drawn_adapter(folder / "adapter.safetensors", self.models.dit)
        still, condition = self.scene()
        with self.denoiser(4) as making:
            first = making.make()
            making.make()
            self._wait()
            cold = time.perf_counter()
            active.apply([part])
            self._wait()
            cold = time.perf_counter() - cold
            adapted = state_sum(self.models.dit)
            began = time.perf_counter()
            prepared = active.prepare([])
            self._wait()
            ready = time.perf_counter()
            active.commit(prepared)
            fresh = make_condition(self.models.dit, still, self.models.text.encode(""))
            making.denoiser.take_text(fresh.text)
            making.denoiser.hold(condition.reference, condition.motion)
            self._wait()
            done = time.perf_counter()
            active.commit(active.prepare([part]))
            again = state_sum(self.models.dit)
            active.apply([])
            making.restart()
            same = torch.equal(making.make(), first)
        return {
            "prepare_s": ready - began,
            "stopped_s": done - ready,
            "cold_merge_s": cold,
            "room_gib": prepared.nbytes() / GIB,
            "a_b_a_same_bits": str(again == adapted),
            "base_again_same_latents": str(same),
        }

    def reload(self, folder: Path) -> dict[str, float | str]:
        """Write the avatar model to a file, which then lies in the page cache, and load it again."""
        file = folder / "model.safetensors"
        shapes = expected_shapes(self.models.dit)
        tensors = {name: torch.empty(shape, dtype=torch.bfloat16) for name, shape in shapes.items()}
        save_file(tensors, file)
        size = file.stat().st_size / GIB
        del tensors
        with torch.device("meta"):
            model = DiT(self.config)
        if self.models.execution.narrow_weights:
            narrow(model.blocks)
            narrow(model.audio_injector)
        began = time.perf_counter()
        fill(model, Weights([file]), file, self.models.device, self.models.execution.dtype)
        self._wait()
        took = time.perf_counter() - began
        return {"seconds": took, "gib": size, "gib_per_s": size / took}

    def close(self) -> None:
        """Give all of it back."""
        self._scene = None
        self.models = None
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def _wait(self) -> None:
        if self.models.device.type == "cuda":
            torch.cuda.synchronize()


def _write_inputs(image: Path, speech: Path, height: int, width: int, seconds: float) -> None:
    rows = np.linspace(0, 255, height, dtype=np.uint8)
    Image.fromarray(np.repeat(rows[:, None, None], width, axis=1).repeat(3, axis=2)).save(image)
    moments = np.arange(int(seconds * RATE)) / RATE
    samples = (8000 * np.sin(2 * np.pi * 150 * moments) * np.abs(np.sin(4 * np.pi * moments))).astype("<i2")
    with wave.open(str(speech), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(samples.tobytes())


def state_sum(model: torch.nn.Module) -> int:
    """A number that changes with any bit of the model's weights."""
    total = 0
    for number, tensor in enumerate(model.state_dict().values(), 1):
        total += number * int(tensor.contiguous().flatten().view(torch.uint8).to(torch.int64).sum())
    return total
