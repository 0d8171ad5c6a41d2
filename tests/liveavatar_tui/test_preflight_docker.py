"""Runs in a container: every path proved on both sides on real folders and links, and the line that starts it."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable
from pathlib import Path, PurePosixPath

import msgspec
import pytest
from command_lines import Call
from hypothesis import given
from hypothesis import strategies as st
from world import write_version, write_world

from engine.inference import parse
from engine.spec import RunSpec
from liveavatar_tui.launch import compose_spec
from liveavatar_tui.preflight.docker import check_docker, docker_command
from liveavatar_tui.preflight.mounts import Mounts, NotAMount, parse_mount
from liveavatar_tui.settings import Settings, load_settings
from lora_repository.finding import Severity

Mounted = Callable[..., Settings]


@pytest.fixture
def mounted(tmp_path: Path) -> Mounted:
    """The small world with these mounts; `@` stands for its folder."""
    write_world(tmp_path)
    (tmp_path / "jobs").mkdir()
    (tmp_path / "in").mkdir()
    for name in ("portrait.png", "speech.wav"):
        (tmp_path / name).rename(tmp_path / "in" / name)
    text = (
        (tmp_path / "config.yaml")
        .read_text()
        .replace("portrait.png", "in/portrait.png")
        .replace("speech.wav", "in/speech.wav")
    )

    def _mounted(*mounts: str) -> Settings:
        lines = "".join(f"    - {mount.replace('@', str(tmp_path))}\n" for mount in mounts)
        (tmp_path / "config.yaml").write_text(
            f"{text}docker:\n  image: liveavatar-image\n  mounts:\n{lines or '    []'}\n"
        )
        return load_settings(tmp_path / "config.yaml", environ={})

    return _mounted


GOOD = ("@/lora:/app/ckpt/lora:ro", "@/base:/app/ckpt/base:ro", "@/in:/app/in:ro", "@/jobs:/app/jobs")


def run_of(settings: Settings, lora: str = "latest") -> RunSpec:
    return compose_spec(settings, (lora,))


def told(settings: Settings, spec: RunSpec | None = None) -> dict[str, Severity]:
    found = check_docker(spec or run_of(settings), settings).findings
    return {finding.code: finding.severity for finding in found}


def test_without_docker_in_the_settings_nothing_is_said(mounted: Mounted, tmp_path: Path) -> None:
    mounted()
    (tmp_path / "config.yaml").write_text((tmp_path / "config.yaml").read_text().partition("docker:")[0])
    settings = load_settings(tmp_path / "config.yaml", environ={})
    assert check_docker(run_of(settings), settings).rows == ()


def test_good_mounts_are_silent_and_show_both_sides(mounted: Mounted, tmp_path: Path) -> None:
    settings = mounted(*GOOD)
    assert told(settings) == {}
    rows = check_docker(run_of(settings), settings).rows
    assert [row.detail for row in rows][:2] == [
        "--lora_path_dmd /app/ckpt/lora/v2.1_customer_service",
        "--ckpt_dir /app/ckpt/base",
    ]
    assert rows[0].value == str(tmp_path / "lora/v2.1_customer_service") or rows[0].value.endswith("latest")


def test_models_must_not_be_writable_from_inside(mounted: Mounted) -> None:
    settings = mounted("@/lora:/app/ckpt/lora", "@/base:/app/ckpt/base:rw", *GOOD[2:])
    found = check_docker(run_of(settings), settings).findings
    assert [one.code for one in found] == ["PRE042", "PRE042"]
    assert found[1].fix.endswith("/app/ckpt/base:ro")


def test_a_path_that_no_mount_reaches(mounted: Mounted, tmp_path: Path) -> None:
    settings = mounted(GOOD[0], GOOD[1], GOOD[3])
    found = check_docker(run_of(settings), settings).findings
    assert {one.code for one in found} == {"PRE043"} and len(found) == 2
    assert f"{tmp_path}/in:/app/in:ro" in found[0].fix


def test_a_mount_that_starts_nowhere(mounted: Mounted) -> None:
    assert told(mounted(*GOOD, "@/nowhere:/app/nowhere:ro")) == {"PRE041": Severity.ERROR}


@pytest.mark.parametrize(
    "text", ["lora:/app/lora:ro", "/a", "/a:b", "/a:/b:rx", "/a:/b:ro,rw", "/a:/../b", "a:b:c:d", ":/b"]
)
def test_what_is_no_mount(mounted: Mounted, text: str) -> None:
    assert told(mounted(*GOOD, f"'{text}'")) == {"PRE040": Severity.ERROR}


def test_an_absolute_latest_dangles_inside(mounted: Mounted, tmp_path: Path) -> None:
    settings = mounted(*GOOD)
    latest = tmp_path / "lora/latest"
    latest.unlink()
    latest.symlink_to(tmp_path / "lora/v2.1_customer_service")
    found = check_docker(run_of(settings, "v1.0_product_demo"), settings).findings
    assert [one.code for one in found] == ["PRE044"]
    assert found[0].fix.endswith(f"ln -sfn v2.1_customer_service {latest}")
    os.system(found[0].fix.partition(": ")[2])
    assert latest.exists() and told(settings) == {}, "the printed command mends it"


def test_an_absolute_link_on_the_way_of_a_run_dangles(mounted: Mounted, tmp_path: Path) -> None:
    settings = mounted(*GOOD)
    write_version(tmp_path / "elsewhere/v3.0_new")
    (tmp_path / "lora/v3.0_new").symlink_to(tmp_path / "elsewhere/v3.0_new")
    spec = msgspec.structs.replace(run_of(settings), adapters=(str(tmp_path / "lora/v3.0_new"),))
    found = check_docker(spec, settings).findings
    assert [one.code for one in found] == ["PRE044"] and "elsewhere" in found[0].message


def test_a_link_that_is_right_inside_only_is_wrong(mounted: Mounted, tmp_path: Path) -> None:
    """Inside it would lead to another version than here: proved both ways, or not at all."""
    settings = mounted(*GOOD)
    (tmp_path / "lora/moved").symlink_to("/app/ckpt/lora/v1.0_product_demo")
    seen = Mounts([parse_mount(f"{tmp_path}/lora:/app/ckpt/lora:ro")]).see(PurePosixPath("/app/ckpt/lora/moved"))
    assert seen.host == tmp_path / "lora/v1.0_product_demo" and not (tmp_path / "lora/moved").exists()
    assert told(settings) == {}


def test_a_mount_that_hides_a_path(mounted: Mounted, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    settings = mounted(*GOOD, "@/empty:/app/ckpt/lora/v2.1_customer_service:ro")
    assert told(settings) == {"PRE045": Severity.ERROR}


def test_a_place_inside_a_read_only_mount_must_exist(mounted: Mounted, tmp_path: Path) -> None:
    """As in the mapping of the article: the LoRAs are mounted inside the mount of the models."""
    settings = mounted("@/lora:/app/ckpt/lora:ro", "@/base:/app/ckpt:ro", *GOOD[2:])
    found = check_docker(run_of(settings), settings).findings
    assert [one.code for one in found] == ["PRE046"]
    os.system(found[0].fix)
    assert (tmp_path / "base/lora").is_dir() and told(settings) == {}


def test_a_read_only_jobs_folder(mounted: Mounted) -> None:
    assert told(mounted(*GOOD[:3], "@/jobs:/app/jobs:ro")) == {"PRE047": Severity.ERROR}
    assert told(mounted(*GOOD[:3])) == {"PRE043": Severity.ERROR}


def test_links_that_lead_in_circles_end(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    assert Mounts([parse_mount(f"{tmp_path}:/x")]).see(PurePosixPath("/x/a/y")).lost == "loop"


# --- the line


def test_the_line_is_dockers_and_the_engines_own(mounted: Mounted, tmp_path: Path, call: Call, monkeypatch) -> None:
    settings = mounted(*GOOD)
    monkeypatch.setenv("LIVEAVATAR_CONFIG", str(tmp_path / "config.yaml"))
    code, out, err = call(
        "docker-command", "--lora", "latest", "--prompt", "a person, smiling; it's me", "--num-clip", "2"
    )
    assert (code, err) == (0, "")
    words = shlex.split(out)
    assert words[:6] == ["docker", "run", "--rm", "-it", "--gpus", "all"]
    image = words.index("liveavatar-image")
    assert words[6:image] == [word for mount in settings.docker.mounts for word in ("-v", mount)]
    assert words[image + 1 : image + 4] == ["python", "-m", "engine.inference"]
    spec = parse(words[image + 4 :]).spec
    assert spec is not None
    assert spec.adapters == ("/app/ckpt/lora/v2.1_customer_service",) or spec.adapters == ("/app/ckpt/lora/latest",)
    assert (spec.ckpt_dir, spec.image, spec.num_clip) == ("/app/ckpt/base", "/app/in/portrait.png", 2)
    assert spec.prompt == "a person, smiling; it's me"


def test_every_setting_of_a_run_is_in_the_line(mounted: Mounted) -> None:
    settings = mounted(*GOOD)
    spec = msgspec.structs.replace(
        run_of(settings),
        seed=7,
        sample_steps=3,
        offload_model=True,
        precision="fp8",
        cache_precision="fp8",
        skip_last_step=True,
        pristine="host",
        parity=True,
        size="512*288",
        threads=3,
    )
    spec = msgspec.convert(msgspec.to_builtins(spec), RunSpec)
    words = docker_command(spec, settings, "job-1")
    inside = parse(words[words.index("engine.inference") + 1 :]).spec
    assert inside is not None
    places = {"adapters", "ckpt_dir", "image", "audio", "label", "language"}
    for name in set(RunSpec.__struct_fields__) - places:
        assert getattr(inside, name) == getattr(spec, name), name
    assert words[-1] == "/app/jobs/job-1"


def test_no_line_is_printed_that_would_not_run(mounted: Mounted, tmp_path: Path, call: Call, monkeypatch) -> None:
    mounted(*GOOD[1:])
    monkeypatch.setenv("LIVEAVATAR_CONFIG", str(tmp_path / "config.yaml"))
    code, out, err = call("docker-command", "--lora", "latest")
    assert (code, out) == (1, "") and "PRE043" in err


# --- the map


NAMES = st.sampled_from(["a", "b", "c"])


@given(st.lists(st.lists(NAMES, min_size=1, max_size=3), min_size=1, max_size=3), st.lists(NAMES, max_size=4))
def test_what_is_proved_leads_back(
    tmp_path_factory: pytest.TempPathFactory, hosts: list[list[str]], rest: list[str]
) -> None:
    root = tmp_path_factory.mktemp("map")
    mounts = []
    for number, parts in enumerate(hosts):
        folder = root.joinpath(*parts)
        folder.mkdir(parents=True, exist_ok=True)
        mounts.append(parse_mount(f"{folder}:/in/{'/'.join(parts[: number + 1])}:ro"))
    path = root.joinpath(*hosts[0], *rest)
    path.mkdir(parents=True, exist_ok=True)
    seen = Mounts(mounts).prove(path)
    if seen.lost is None:
        host = Mounts(mounts).host(seen.inside)
        assert host is not None and host.samefile(path)


@given(st.text(max_size=30))
def test_any_text_is_a_mount_or_none(text: str) -> None:
    try:
        mount = parse_mount(text)
    except NotAMount:
        return
    assert mount.host.is_absolute() and mount.inside.is_absolute()
