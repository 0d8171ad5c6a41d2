"""A whole training on the smallest model there is: killed anywhere it ends with the same bits; its version loads."""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import shutil
import signal
from pathlib import Path

import av
import msgspec
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from engine.checkpoint_layout import find_layout
from engine.job_folder import Journal, read_journal
from engine.protocol import AnyEvent, Learned, Saved, Trained
from engine.resolving import prove_stack
from engine.stage import Stage
from engine.train_lora import main
from engine.training.run import train
from engine.training.sample import write_silent
from engine.training.spec import TrainSpec
from lora_repository.finding import Problem
from tests.engine.tiny_run import CHECKPOINT, PORTRAIT, SPEECH, tone

pytest.importorskip("peft", reason="training needs the extra `train`")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three pictures, two sounds, two prompts."""
    folder = tmp_path_factory.mktemp("data")
    (folder / "images").mkdir()
    (folder / "audios").mkdir()
    for index in range(3):
        Image.open(PORTRAIT).convert("RGB").rotate(3 * index).save(folder / "images" / f"{index}.png")
    shutil.copy(SPEECH, folder / "audios" / "a.wav")
    tone(folder / "audios" / "b.wav", 3)
    (folder / "prompts.txt").write_text("a person talks\na person sings\n")
    return folder


def spec(data: Path, out: Path, **changes: object) -> TrainSpec:
    chosen = TrainSpec(
        base_model=str(CHECKPOINT),
        train_images=str(data / "images"),
        train_audios=str(data / "audios"),
        prompt_list=str(data / "prompts.txt"),
        output_dir=str(out),
        size="64*64",
        num_train_epochs=2,
        blocks=2,
        batch_size=2,
        learning_rate=1e-2,
        save_every=1,
        threads=1,
    )
    return msgspec.structs.replace(chosen, **changes)


def run(chosen: TrainSpec, *, resume: bool = False) -> tuple[AnyEvent, ...]:
    """What a training told, its end last."""
    out = Path(chosen.output_dir)
    journal = Journal(out.with_name(f"{out.name}.events"))
    journal.append(train(chosen, Stage(journal), out.with_name("preview.jpg"), resume=resume))
    return events(chosen)


def events(chosen: TrainSpec) -> tuple[AnyEvent, ...]:
    out = Path(chosen.output_dir)
    return read_journal(out.with_name(f"{out.name}.events")).events


@pytest.fixture(scope="module")
def whole(data: Path, tmp_path_factory: pytest.TempPathFactory) -> TrainSpec:
    """A training that nobody disturbed."""
    chosen = spec(data, tmp_path_factory.mktemp("whole") / "out")
    run(chosen)
    return chosen


def test_what_comes_out_is_a_version_that_loads(whole: TrainSpec) -> None:
    out = Path(whole.output_dir)
    (proof,) = prove_stack((out,), find_layout(CHECKPOINT))
    assert proof.ok
    assert proof.parts[0].rank == 4
    assert json.loads((out / "config.json").read_text())["lora_alpha"] == 16
    assert learned_something(out / "dmd_lora.safetensors")


def learned_something(path: Path) -> bool:
    return any(float(tensor.abs().max()) > 0 for name, tensor in load_file(path).items() if "lora_B" in name)


def test_the_journal_tells_loss_speed_and_checkpoints(whole: TrainSpec) -> None:
    told = events(whole)
    learned = [event for event in told if isinstance(event, Learned)]
    saved = [event for event in told if isinstance(event, Saved)]
    assert [event.step for event in learned] == list(range(1, learned[0].steps + 1))
    assert all(event.held_out is not None and event.loss > 0 for event in learned)
    assert [event.step for event in saved] == [event.step for event in learned]
    assert all(Path(event.sample).stat().st_size > 0 for event in saved)
    end = told[-1]
    assert isinstance(end, Trained)
    assert (end.output, end.steps) == (whole.output_dir, learned[-1].steps)
    assert Path(whole.output_dir).with_name("preview.jpg").exists()


def test_killed_at_any_step_it_ends_with_the_same_bits(data: Path, whole: TrainSpec, tmp_path: Path) -> None:
    chosen = spec(data, tmp_path / "out")
    fork = multiprocessing.get_context("fork")  # a fresh interpreter would import for as long as the training takes
    chance = random.Random(7)
    for _kill in range(3):
        seen = len([event for event in events(chosen) if isinstance(event, Learned)])
        process = fork.Process(target=run, args=(chosen,), kwargs={"resume": True})
        process.start()
        wanted = seen + chance.randint(1, 2)
        while process.is_alive():
            if len([event for event in events(chosen) if isinstance(event, Learned)]) >= wanted:
                assert process.pid is not None
                os.kill(process.pid, signal.SIGKILL)
                break
        process.join(120)
    run(chosen, resume=True)
    ended, undisturbed = (Path(one.output_dir) / "dmd_lora.safetensors" for one in (chosen, whole))
    assert ended.read_bytes() == undisturbed.read_bytes()


def test_what_was_kept_of_the_files_changes_nothing(data: Path, whole: TrainSpec, tmp_path: Path) -> None:
    chosen = spec(data, tmp_path / "out")
    shutil.copytree(Path(whole.output_dir) / "cache", tmp_path / "out" / "cache")
    run(chosen)
    again, before = (Path(one.output_dir) / "dmd_lora.safetensors" for one in (chosen, whole))
    assert again.read_bytes() == before.read_bytes()


def test_a_training_is_not_written_over(whole: TrainSpec) -> None:
    with pytest.raises(Problem, match="TRAIN004"):
        run(whole)


def test_other_settings_do_not_go_on_with_it(whole: TrainSpec, tmp_path: Path) -> None:
    out = shutil.copytree(whole.output_dir, tmp_path / "out")
    with pytest.raises(Problem, match=r"TRAIN005.*--seed"):
        run(msgspec.structs.replace(whole, output_dir=str(out), seed=1), resume=True)


def test_a_damaged_state_is_told(whole: TrainSpec, tmp_path: Path) -> None:
    out = Path(shutil.copytree(whole.output_dir, tmp_path / "out"))
    state = out / "checkpoints" / "resume.safetensors"
    state.write_bytes(state.read_bytes()[:100])
    with pytest.raises(Problem, match="TRAIN006"):
        run(msgspec.structs.replace(whole, output_dir=str(out)), resume=True)


def test_a_rate_that_blows_up_is_told(data: Path, tmp_path: Path) -> None:
    with pytest.raises(Problem, match="TRAIN010"):
        run(spec(data, tmp_path / "out", learning_rate=1e20))


def test_the_text_encoder_learns_too(data: Path, tmp_path: Path) -> None:
    chosen = spec(data, tmp_path / "out", t5_rank=2, num_train_epochs=1, checkpointing=True, save_every=9)
    run(chosen)
    out = Path(chosen.output_dir)
    (proof,) = prove_stack((out,), find_layout(CHECKPOINT))
    assert {part.target: part.rank for part in proof.parts} == {"dit": 4, "t5": 2}
    assert learned_something(out / "t5_lora.safetensors")


def test_computing_twice_changes_nothing(data: Path, whole: TrainSpec, tmp_path: Path) -> None:
    chosen = spec(data, tmp_path / "out", checkpointing=True)
    run(chosen)
    mine, plain = (load_file(Path(one.output_dir) / "dmd_lora.safetensors") for one in (chosen, whole))
    for name, tensor in plain.items():
        torch.testing.assert_close(mine[name], tensor)


def test_videos_are_learned_as_they_are(data: Path, tmp_path: Path) -> None:
    videos = tmp_path / "videos"
    videos.mkdir()
    write_silent(tmp_path / "mute.mp4", torch.randint(0, 255, (60, 64, 64, 3), dtype=torch.uint8).numpy())
    mux(tmp_path / "mute.mp4", data / "audios" / "b.wav", videos / "a.mp4")
    chosen = spec(data, tmp_path / "out", train_images="", train_audios="", train_videos=str(videos), save_every=9)
    told = run(chosen)
    learned = [event for event in told if isinstance(event, Learned)]
    assert learned[-1].steps == 2  # two clips of 24 frames in 60, both in one step, twice
    assert learned_something(tmp_path / "out" / "dmd_lora.safetensors")


def mux(video: Path, sound: Path, out: Path) -> None:
    with av.open(str(video)) as seen, av.open(str(sound)) as heard, av.open(str(out), "w") as file:
        picture = file.add_stream_from_template(seen.streams.video[0])
        voice = file.add_stream("aac", rate=16_000, layout="mono")
        for packet in seen.demux(video=0):
            if packet.dts is not None:
                packet.stream = picture
                file.mux(packet)
        for frame in heard.decode(audio=0):
            file.mux(voice.encode(frame))
        file.mux(voice.encode(None))


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (["--lora_rank", "0"], 2),
        (["--held_out", "1"], 2),
        (["--train_images", "/nowhere"], 1),
        (["--base_model", "/nowhere"], 1),
        (["--train_audios", ""], 2),
    ],
)
def test_what_cannot_be_is_told_before_anything_is_loaded(
    data: Path, tmp_path: Path, change: list[str], code: int
) -> None:
    given = ["--train_images", str(data / "images"), "--train_audios", str(data / "audios")]
    assert main([*given, "--output_dir", str(tmp_path / "out"), "--job", str(tmp_path / "job"), *change]) == code
    assert not (tmp_path / "out").exists()
    assert not (tmp_path / "job").exists()
