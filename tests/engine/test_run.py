"""Whole runs in this process: the order of events, the words in the log, and what adapters do to the pixels."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from pathlib import Path

import av
import pytest
import torch
from msgspec.structs import replace as changed

from engine.embedded.portrait_reader import WEIGHTS
from engine.job_folder import JobFolder, Journal, read_journal
from engine.protocol import AdapterLoaded, AnyEvent, Finished, Phase, PhaseChanged, Plan, Preview, Progress, Warned
from engine.resolving import resolve, video_size
from engine.run import Job, drivable, run
from engine.spec import RunSpec
from engine.stage import Pace, Stage, Stopped
from lora_repository.finding import Problem
from tests.engine.tiny_run import PORTRAIT, TEMPLATE, make_version, spec, tone


@pytest.fixture
def short(tmp_path: Path) -> RunSpec:
    """Under a second of 64x64 video in one step: two blocks."""
    return spec(size="64*64", sample_steps=1, num_clip=None, audio=str(tone(tmp_path / "short.wav", 0.9)))


def make(folder: Path, wanted: RunSpec) -> tuple[Finished, list[AnyEvent], dict[str, object]]:
    job = JobFolder(folder)
    job.create()
    finished = run(wanted, job, Stage(Journal(job.events)))
    return finished, list(read_journal(job.events).events), json.loads(job.provenance.read_text())


def test_a_run_with_a_stack_from_first_event_to_video(
    tmp_path: Path, short: RunSpec, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "engine")
    person = make_version(
        tmp_path / "v1.1_person", dmd_rank=2, config={**TEMPLATE, "dmd_rank": 2, "base_adapter": "v1.0_base"}, t5=False
    )
    base = make_version(tmp_path / "v1.0_base")
    finished, events, told = make(tmp_path / "job", changed(short, adapters=(str(person),)))

    assert [
        record.getMessage() for record in caplog.records if "LoRA" in record.message or "lora" in record.message
    ] == [
        f"Loading DMD LoRA from {base}/",
        f"Loading DMD LoRA from {person}/",
        "Loaded dmd_lora.safetensors (rank=4, alpha=16)",
        "Loaded t5_lora.safetensors (rank=8, alpha=16)",
        "Loaded dmd_lora.safetensors (rank=2, alpha=16)",
        "LoRA injection completed for DiT and T5 modules",
    ]
    assert [(e.target, e.rank, e.strength, e.matched == e.total) for e in events if isinstance(e, AdapterLoaded)] == [
        ("dit", 4, 4.0, True),
        ("t5", 8, 2.0, True),
        ("dit", 2, 8.0, True),
    ]
    phases = [event.phase for event in events if isinstance(event, PhaseChanged) and not event.note]
    assert phases == [Phase.LOADING, Phase.CONDITIONING, Phase.GENERATING, Phase.MUXING]
    plan = next(event for event in events if isinstance(event, Plan))
    assert (plan.width, plan.height, plan.blocks, plan.frames) == (64, 64, 2, 24)
    progress = [event for event in events if isinstance(event, Progress)]
    assert [(e.block, e.frame, e.frames) for e in progress] == [(1, 12, 24), (2, 24, 24)]
    assert progress[-1].eta_s == 0 and progress[-1].fps > 0
    assert any(isinstance(event, Preview) for event in events)
    assert (finished.frames, finished.output) == (24, str(tmp_path / "job" / "output.mp4"))
    assert [adapter["rank"] for adapter in told["adapters"]] == [4, 8, 2]  # type: ignore[union-attr]
    assert told["seconds"].keys() >= {"loading", "conditioning", "generating", "muxing"}  # type: ignore[union-attr]
    names = {path.name for path in (tmp_path / "job").iterdir()}
    assert names == {"events.jsonl", "first.jpg", "last.jpg", "preview.jpg", "output.mp4", "output.json"}
    with av.open(finished.output) as video:
        assert video.streams.video[0].frames == 24 and video.streams.audio[0].codec_context.name == "aac"


def test_the_same_spec_gives_the_same_bits_and_each_adapter_others(tmp_path: Path, short: RunSpec) -> None:
    both = make_version(tmp_path / "v1.0_both")
    dit_only = make_version(tmp_path / "v1.1_dit", t5=False)
    torch.manual_seed(1)
    hashes = []
    stacks: list[tuple[str, ...]] = [(), (), (str(dit_only),), (str(both),), (str(both), str(dit_only))]
    for number, adapters in enumerate(stacks):
        torch.rand(number + 1)  # the state of torch's own generator must not matter
        _, _, told = make(tmp_path / str(number), changed(short, adapters=adapters))
        hashes.append(told["frames_sha256"])
    assert hashes[0] == hashes[1]
    assert len(set(hashes)) == 4


def test_a_run_without_adapters_says_so(tmp_path: Path, short: RunSpec, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "engine")
    make(tmp_path / "job", short)
    assert "No LoRA: the base model as it is" in caplog.messages
    assert not any("injection" in message for message in caplog.messages)


def test_warnings_of_an_adapter_are_events(tmp_path: Path, short: RunSpec) -> None:
    version = make_version(tmp_path / "v1.0_demo", t5=False)
    (version / "notes.pt").write_bytes(b"x")
    _, events, _ = make(tmp_path / "job", changed(short, adapters=(str(version),)))
    assert ["notes.pt" in event.message for event in events if isinstance(event, Warned)] == [True]


def test_a_word_to_stop_ends_the_run_at_the_next_block(tmp_path: Path, short: RunSpec) -> None:
    job = JobFolder(tmp_path / "job")
    job.create()

    class Stopping(Stage):
        def tell(self, event: AnyEvent) -> None:
            super().tell(event)
            if isinstance(event, Progress):
                self._hear(15, None)

    with pytest.raises(Stopped, match="SIGTERM"):
        run(short, job, Stopping(Journal(job.events)))
    events = read_journal(job.events).events
    assert len([event for event in events if isinstance(event, Progress)]) == 1
    assert {path.name for path in job.root.iterdir()} == {"events.jsonl", "first.jpg", "preview.jpg"}


needs_reader = pytest.mark.skipif(not WEIGHTS.is_file(), reason="the portrait reader's weights are not installed")


@needs_reader
def test_the_embedded_model_refuses_what_it_cannot_drive(tmp_path: Path) -> None:
    job = job_of(spec(), tmp_path)
    assert video_size(changed(job.spec, ckpt_dir="embedded"), job.resolved.portrait) == (128, 128)
    with pytest.raises(Problem) as caught:
        drivable(job, PORTRAIT, 128, 128)
    assert caught.value.finding.code == "RUN022" and "--avatarise" in caught.value.finding.fix


@needs_reader
def test_a_photograph_becomes_the_nearest_avatar_when_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_COARSE_STEPS", "_FINE_STEPS"):  # the fit is tested where it is written
        monkeypatch.setattr(f"engine.embedded.portrait.{name}", 2)
    job = job_of(spec(), tmp_path)
    job = replace(job, resolved=replace(job.resolved, spec=changed(job.spec, avatarise=True)))
    drawn = drivable(job, PORTRAIT, 128, 128)
    assert drawn == tmp_path / "portrait.png" and drawn.stat().st_size > 1000


def job_of(wanted: RunSpec, folder: Path) -> Job:
    resolved = resolve(wanted)
    embedded = replace(resolved, layout=replace(resolved.layout, embedded=True))
    return Job(embedded, JobFolder(folder), Stage(Journal(folder / "events.jsonl")))


def test_pace_looks_back_on_the_last_blocks_only(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr("engine.stage.time.monotonic", lambda: clock[0])
    pace = Pace(100, 1200)
    for block in range(1, 21):
        clock[0] += 10 if block <= 10 else 0.5
        last = pace.after(block, 12 * block)
    assert last.fps == 24.0
    assert last.eta_s == pytest.approx((1200 - 240) / 24)
