"""Cards, packages and limits: each check fails for its own true reason, and is silent on a good machine."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from importlib import invalidate_caches
from pathlib import Path

import pytest

from engine.probe import Card, Health, Host, Machine, Source, Tenant
from engine.spec import Precision, RunSpec
from liveavatar_tui.preflight.cards import check_cards
from liveavatar_tui.preflight.environment import check_environment, torch_cuda
from liveavatar_tui.preflight.report import Examined
from liveavatar_tui.preflight.system import check_system
from lora_repository.finding import Severity

GIB = 1 << 30
CARD = Card(0, "NVIDIA H100", "GPU-1", 80 * GIB, 79 * GIB, (9, 0), bus="0000:3b:00.0", pcie=(5, 16))
MACHINE = Machine(Host("here", 64 * GIB, 60 * GIB, None), (CARD,), "580.1", source=Source.NVML, cuda=(13, 0))
SPEC = RunSpec(prompt="p", image="i", audio="a", ckpt_dir="/base")


def told(done: Examined) -> dict[str, Severity]:
    return {finding.code: finding.severity for finding in done.findings}


def with_card(**changes: object) -> Machine:
    return replace(MACHINE, cards=(replace(CARD, **changes),))  # type: ignore[arg-type]


# --- cards


def test_a_good_card_is_described_and_silent() -> None:
    done = check_cards(SPEC, MACHINE)
    assert told(done) == {}
    (row,) = done.rows
    assert row.worst is None
    for fact in ("9.0", "PCIe 5 x16", "580.1"):
        assert fact in row.detail


@pytest.mark.parametrize(
    ("health", "found"),
    [
        (Health(uncorrected=2), {"PRE026": Severity.WARNING}),
        (Health(pending=True), {"PRE026": Severity.WARNING}),
        (Health(worn=True), {"PRE025": Severity.ERROR}),
        (Health(xids=(79,)), {"PRE025": Severity.ERROR}),
        (Health(xids=(63,)), {}),
    ],
)
def test_a_card_that_is_not_well(health: Health, found: dict[str, Severity]) -> None:
    assert told(check_cards(SPEC, with_card(health=health))) == found


def test_others_on_the_card_are_named_with_their_owners() -> None:
    tenants = (Tenant(4711, 30 * GIB, "python", "li"), Tenant(4712, GIB))
    done = check_cards(SPEC, with_card(tenants=tenants))
    assert told(done) == {"PRE024": Severity.WARNING}
    assert (
        "python 4711 (li, 32 GB)" in done.findings[0].message and "process 4712 (?, 1.1 GB)" in done.findings[0].message
    )
    desktop = (Tenant(99, 200 << 20, "Xorg", "root"),)
    assert told(check_cards(SPEC, with_card(tenants=desktop))) == {}


def test_fp8_needs_a_card_that_has_it() -> None:
    spec = RunSpec(prompt="p", image="i", audio="a", ckpt_dir="/base", precision=Precision.FP8)
    assert told(check_cards(spec, MACHINE)) == {}
    done = check_cards(spec, with_card(capability=(8, 0)))
    assert told(done) == {"PRE023": Severity.ERROR}
    assert "8.0" in done.findings[0].message and "8.9" in done.findings[0].message
    assert told(check_cards(spec, with_card(capability=(0, 0)))) == {}, "what is not known is not judged"


def test_cards_that_nobody_may_use_are_told() -> None:
    assert told(check_cards(SPEC, replace(MACHINE, cards=(), hidden=2))) == {"PRE027": Severity.WARNING}
    assert told(check_cards(SPEC, replace(MACHINE, cards=()))) == {}


def test_another_teller_than_the_driver_is_told() -> None:
    machine = replace(MACHINE, source=Source.NVIDIA_SMI, note="Driver/library version mismatch")
    done = check_cards(SPEC, machine)
    assert told(done) == {"PRE028": Severity.WARNING} and "mismatch" in done.findings[0].message


# --- environment


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of packages that comes before all others, as a user's own site folder does."""
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    invalidate_caches()


def install(site: Path, name: str, number: str, **files: str) -> None:
    folder = site / f"{name.replace('-', '_')}-{number}.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {number}\n")
    (site / name).mkdir(exist_ok=True)
    for file, text in files.items():
        (site / name / f"{file}.py").write_text(text)
    invalidate_caches()


def install_torch(site: Path, version: str, cuda: str) -> None:
    text = f"__version__ = '{version}'\ncuda: Optional[str] = {cuda}\n"
    install(site, "torch", version, __init__="", version=text)


def test_a_torch_that_suits_the_driver_is_silent(site: Path) -> None:
    install_torch(site, "2.11.0", "'13.0'")
    assert torch_cuda() == (13, 0)
    assert told(check_environment(MACHINE, on_card=True, environ={})) == {}
    assert told(check_environment(replace(MACHINE, cuda=(13, 1)), on_card=True, environ={})) == {}


def test_a_driver_older_than_torchs_cuda(site: Path) -> None:
    install_torch(site, "2.11.0", "'13.0'")
    done = check_environment(replace(MACHINE, driver="550.54", cuda=(12, 4)), on_card=True, environ={})
    assert told(done) == {"PRE030": Severity.ERROR}
    assert "550.54" in done.findings[0].message and "cu124" in done.findings[0].fix
    assert told(check_environment(replace(MACHINE, cuda=(12, 4)), on_card=False, environ={})) == {}


def test_a_torch_for_the_processor_beside_a_card(site: Path) -> None:
    install_torch(site, "2.11.0", "None")
    assert told(check_environment(MACHINE, on_card=True, environ={})) == {"PRE031": Severity.ERROR}


def test_a_torch_that_is_too_old(site: Path) -> None:
    install_torch(site, "2.4.1", "'13.0'")
    done = check_environment(MACHINE, on_card=True, environ={})
    assert told(done) == {"PRE032": Severity.ERROR}
    assert "2.4" in done.findings[0].message and "torch>=2.11" in done.findings[0].fix


def test_two_packages_of_one_module(site: Path) -> None:
    install_torch(site, "2.11.0", "'13.0'")
    install(site, "pynvml", "11.5.0")
    assert told(check_environment(MACHINE, on_card=True, environ={})) == {"PRE032": Severity.WARNING}


def test_a_package_that_is_not_there() -> None:
    """An interpreter that sees this product and the standard library, and no package of the engine."""
    code = (
        "import sys; from liveavatar_tui.preflight import environment as e\n"
        "sys.path[:] = [one for one in sys.path if 'site-packages' not in one]\n"
        "sys.modules.pop('torch', None); found = list(e._packages())\n"
        "print([(one.code, one.message) for one in found])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.count("RUN050") == 4 and "torch" in out and "safetensors" in out


def test_a_cudnn_before_torchs_own(site: Path, tmp_path: Path) -> None:
    install_torch(site, "2.11.0", "'13.0'")
    (tmp_path / "old").mkdir()
    (tmp_path / "old/libcudnn.so.8").touch()
    environ = {"LD_LIBRARY_PATH": f"/nowhere:{tmp_path}/old"}
    assert told(check_environment(MACHINE, on_card=True, environ=environ)) == {"PRE033": Severity.WARNING}


# --- limits of the system


def test_a_good_system_is_silent(tmp_path: Path) -> None:
    done = check_system(
        on_card=True, cards=5, shm=tmp_path, environ={"TORCHINDUCTOR_CACHE_DIR": str(tmp_path / "cache")}
    )
    assert told(done) == {} and done.rows == ()
    assert not (tmp_path / "cache").exists(), "looking must leave nothing behind"


def test_too_few_open_files() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (128, hard))
    try:
        done = check_system(on_card=False)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert told(done) == {"PRE014": Severity.WARNING}
    assert "128" in done.findings[0].message and "ulimit -n" in done.findings[0].fix


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user to be refused")
def test_a_cache_that_another_owns(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    cache.mkdir(mode=0o755)
    for folder in (tmp_path, *tmp_path.parents):
        if "pytest" in str(folder):
            folder.chmod(0o755)
    environ = {"TORCHINDUCTOR_CACHE_DIR": str(cache / "inductor")}
    os.seteuid(65534)
    try:
        done = check_system(on_card=True, environ=environ)
    finally:
        os.seteuid(0)
    assert told(done) == {"PRE012": Severity.WARNING}
    assert "permission denied" in done.findings[0].message


def test_shared_memory_as_small_as_dockers(tmp_path: Path) -> None:
    disk = tmp_path / "shm"
    disk.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", disk], check=False, capture_output=True)
    if made.returncode:
        pytest.skip("no right to mount a small file system here")
    try:
        done = check_system(on_card=False, cards=2, shm=disk)
        assert told(check_system(on_card=False, cards=1, shm=disk)) == {}
    finally:
        subprocess.run(["umount", disk], check=True)
    assert told(done) == {"PRE013": Severity.WARNING} and "--shm-size" in done.findings[0].fix
