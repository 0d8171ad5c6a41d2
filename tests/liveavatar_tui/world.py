"""A small true world for the app's tests: a base model, versions, settings and job folders as they lie on a disk.

Files are real (safetensors headers with zeros, journals written by the engine's own journal); nothing is mocked.
"""

from __future__ import annotations

import json
import math
import os
import struct
import time
import wave
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw
from textual.app import App
from textual.pilot import Pilot

from engine.identity import own
from engine.job_folder import JobFolder, Journal
from engine.protocol import (
    AdapterLoaded,
    AnyEvent,
    Failed,
    Finished,
    Memory,
    Phase,
    PhaseChanged,
    Plan,
    Preview,
    Progress,
    Started,
)
from engine.spec import RunSpec, encode
from liveavatar_tui.settings import Settings, load_settings
from lora_repository.files import write_whole

ATTENTION = {f"blocks.{block}.self_attn.{side}": (16, 16) for block in (0, 1) for side in "qkvo"}
FEED_FORWARD = {
    f"blocks.{block}.{name}": shape for block in (0, 1) for name, shape in (("ffn.0", (32, 16)), ("ffn.2", (16, 32)))
}
DIT = ATTENTION | FEED_FORWARD | {"head.head": (8, 16)}
T5 = {f"blocks.0.attn.{side}": (12, 12) for side in "qkvo"} | {"blocks.0.ffn.fc1": (24, 12)}
DAY = datetime(2026, 3, 14, 9, 26, tzinfo=UTC).timestamp()


def write_tensors(path: Path, shapes: Mapping[str, tuple[int, ...]]) -> None:
    """A safetensors file of BF16 zeros."""
    at, header = 0, {}
    for name, shape in shapes.items():
        size = 2 * math.prod(shape)
        header[name] = {"dtype": "BF16", "shape": list(shape), "data_offsets": [at, at + size]}
        at += size
    raw = json.dumps(header).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(struct.pack("<Q", len(raw)) + raw + bytes(at))


def write_base(root: Path) -> Path:
    """A base model whose linears are `DIT` and `T5`."""
    write_tensors(root / "diffusion_pytorch_model.safetensors", {f"{name}.weight": s for name, s in DIT.items()})
    write_tensors(root / "models_t5_umt5-xxl-enc-bf16.safetensors", {f"{name}.weight": s for name, s in T5.items()})
    write_tensors(root / "Wan2.1_VAE.safetensors", {"decoder.head.2.weight": (3, 8, 3, 3, 3)})
    write_tensors(root / "wav2vec2-large-xlsr-53-english/model.safetensors", {"x": (1,)})
    for name in ("google/umt5-xxl/tokenizer.json", "wav2vec2-large-xlsr-53-english/config.json"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("{}")
    sizes = {"dim": 16, "ffn_dim": 32, "num_heads": 2, "num_layers": 2, "audio_inject_layers": [0]}
    (root / "config.json").write_text(json.dumps(sizes))
    return root


def adapter(linears: Mapping[str, tuple[int, int]], rank: int) -> dict[str, tuple[int, ...]]:
    """The tensors of an adapter on these linears."""
    shapes: dict[str, tuple[int, ...]] = {}
    for name, (rows, columns) in linears.items():
        shapes[f"{name}.lora_A.weight"] = (rank, columns)
        shapes[f"{name}.lora_B.weight"] = (rows, rank)
    return shapes


def write_version(folder: Path, *, t5: bool = True, dmd_rank: int = 4, said: int | None = None) -> Path:
    """A version of the contract, dated `DAY`; `said` is the rank that config.json claims, else the true one."""
    write_tensors(folder / "dmd_lora.safetensors", adapter(ATTENTION | FEED_FORWARD, dmd_rank))
    if t5:
        write_tensors(folder / "t5_lora.safetensors", adapter(T5, 3))
    config = {"r": 3, "lora_alpha": 16, "target_modules": ["attn", "ffn"], "dmd_rank": said or dmd_rank}
    (folder / "config.json").write_text(json.dumps(config))
    for file in folder.iterdir():
        os.utime(file, (DAY, DAY))
    return folder


def write_speech(path: Path, seconds: float) -> None:
    """A hum of 16 kHz mono."""
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 16000, 0, "NONE", ""))
        file.writeframes(b"\x00\x01\x00\xff" * round(8000 * seconds))


def write_world(root: Path) -> Settings:
    """Base model, four versions (one of them with an error), `latest`, channels; the settings that name them."""
    write_base(root / "base")
    repository = root / "lora"
    write_version(repository / "v1.0_product_demo", t5=False)
    write_version(repository / "v2.0_winter_campaign", said=8)
    write_version(repository / "v2.1_customer_service")
    write_version(repository / "v2.2_customer_service_calm", dmd_rank=8)
    (repository / "latest").symlink_to("v2.1_customer_service")
    Image.new("RGB", (256, 256), (200, 170, 150)).save(root / "portrait.png")
    write_speech(root / "speech.wav", 6.0)
    (root / "config.yaml").write_text(
        "lora:\n  default: latest\n  production: v1.0_product_demo\n  staging: v2.2_customer_service_calm\n"
        "  repository: lora\nckpt_dir: base\njobs:\n  folder: jobs\n"
        "generate:\n  image: portrait.png\n  audio: speech.wav\n  size: 256*256\n"
    )
    return load_settings(root / "config.yaml", environ={})


def write_job(root: Path, name: str, spec: RunSpec, events: Iterable[AnyEvent], log: str = "") -> JobFolder:
    """A job folder as an engine leaves it."""
    folder = JobFolder(root / name)
    folder.create()
    write_whole(folder.spec, encode(spec))
    os.utime(folder.spec, (DAY, DAY))
    journal = Journal(folder.events)
    for event in events:
        journal.append(event)
    journal.close()
    folder.log.write_text(log)
    return folder


def own_start() -> Started:
    """The first event of an engine that runs: this very process."""
    me = own()
    return Started(v=1, pid=me.pid, start_time=me.start_time, boot_id=me.boot_id, host=me.host, engine="0")


SPEC = RunSpec(
    prompt="a woman speaking to the camera, smiling, blue background",
    image="/srv/portrait.png",
    audio="/srv/speech.wav",
    label="v2.1_customer_service (latest)",
)
LOG = "".join(
    [
        "[INFO] Loading DMD LoRA from /srv/lora/v2.1_customer_service\n",
        "[INFO] Loaded dmd_lora.safetensors (rank=4, alpha=16)\n",
        "[INFO] Loaded t5_lora.safetensors (rank=3, alpha=16)\n",
        "[INFO] LoRA injection completed for DiT and T5 modules\n",
        "[WARNING] the portrait is smaller than the video\n",
        *(f"[INFO] block {block} of 28: 12 frames in 0.48 s\n" for block in range(1, 13)),
    ]
)


def half_way() -> list[AnyEvent]:
    """What an engine has told in the middle of its run."""
    return [
        own_start(),
        PhaseChanged(phase=Phase.LOADING),
        AdapterLoaded(path="dmd_lora.safetensors", target="dit", rank=4, alpha=16, strength=4, matched=24, total=24),
        AdapterLoaded(path="t5_lora.safetensors", target="t5", rank=3, alpha=16, strength=16 / 3, matched=10, total=10),
        PhaseChanged(phase=Phase.CONDITIONING),
        Plan(width=128, height=128, blocks=28, frames=336),
        PhaseChanged(phase=Phase.GENERATING),
        Memory(device="cpu", used=412_000_000, peak=530_000_000, predicted=600_000_000),
        Progress(block=12, blocks=28, frame=144, frames=336, fps=24.8, eta_s=7.7),
        Preview(frame=144),
    ]


OUT_OF_MEMORY = Failed(
    code="RUN040",
    message="Out of memory on cuda:0: the decoder asked for 2.1 GB, and 0.4 GB was free.",
    fix="Choose a smaller --size, or keep parts of the model in host memory with --offload_model True",
)
FINISHED = Finished(output="output.mp4", frames=336, seconds=13.5, fps=24.9, first_frame_s=0.6)


def draw_frame(path: Path, *, mouth: int = 12) -> None:
    """A face as a frame of video; `mouth` is how far it is open."""
    picture = Image.new("RGB", (256, 256), (60, 90, 130))
    draw = ImageDraw.Draw(picture)
    draw.ellipse((58, 30, 198, 230), fill=(224, 172, 140))
    for eye in (100, 156):
        draw.ellipse((eye - 9, 91, eye + 9, 109), fill=(30, 40, 60))
    draw.ellipse((98, 165 - mouth, 158, 165 + mouth), fill=(150, 40, 50))
    picture.save(path, "JPEG", quality=90)


async def until(pilot: Pilot[Any], condition: Callable[[], object], within_s: float = 20.0) -> None:
    """Let the app work until the condition holds; nothing is judged by time but a hang."""
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "it did not come to that"
        await pilot.pause(0.05)
    await pilot.pause()


def screen_text(app: App[Any]) -> str:
    """What stands on the screen, line by line."""
    return "\n".join(strip.text for strip in app.screen._compositor.render_strips())
