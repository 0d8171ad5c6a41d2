"""The probe: host memory within its limits, cards as the engine will number them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from engine.probe import _cards, _visible, probe, probe_host

GIB = 1 << 30


def process_table(tmp_path: Path, cgroup_line: str, total: int = 16, available: int = 12) -> Path:
    proc = tmp_path / "proc"
    (proc / "self").mkdir(parents=True)
    (proc / "meminfo").write_text(
        f"MemTotal:       {total << 20} kB\nMemFree: 1 kB\nMemAvailable:   {available << 20} kB\nHugePages_Total:   0\n"
    )
    (proc / "self/cgroup").write_text(cgroup_line)
    return proc


def write(folder: Path, **files: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text)


def test_this_host_agrees_with_the_system() -> None:
    host = probe_host()
    assert host.total == os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert 0 < host.available <= host.total


def test_without_limits_the_host_counts(tmp_path: Path) -> None:
    host = probe_host(process_table(tmp_path, "0::/\n"), tmp_path / "none")
    assert (host.total, host.available, host.limit) == (16 * GIB, 12 * GIB, None)


def test_a_container_of_version_2_binds_and_its_page_cache_does_not(tmp_path: Path) -> None:
    write(
        tmp_path / "cg",
        memory__max=str(8 * GIB),
        memory__current=str(7 * GIB),
        memory__stat=f"anon 5\ninactive_file {2 * GIB}\n",
    )
    host = probe_host(process_table(tmp_path, "0::/\n"), tmp_path / "cg")
    assert (host.available, host.limit) == (3 * GIB, 8 * GIB)


def test_the_tightest_group_on_the_way_up_binds(tmp_path: Path) -> None:
    write(tmp_path / "cg/user/job", memory__max="max", memory__current="5")
    write(tmp_path / "cg/user", memory__max=str(4 * GIB), memory__current=str(GIB))
    host = probe_host(process_table(tmp_path, "0::/user/job\n"), tmp_path / "cg")
    assert (host.available, host.limit) == (3 * GIB, 4 * GIB)


def test_a_group_of_version_1_binds(tmp_path: Path) -> None:
    own = tmp_path / "cg/memory/docker/abc"
    write(
        own, memory__limit_in_bytes=str(2 * GIB), memory__usage_in_bytes=str(GIB), memory__stat="total_inactive_file 0"
    )
    host = probe_host(process_table(tmp_path, "5:cpu:/\n4:memory:/docker/abc\n"), tmp_path / "cg")
    assert (host.available, host.limit) == (GIB, 2 * GIB)


def test_a_limit_above_the_host_is_none(tmp_path: Path) -> None:
    write(tmp_path / "cg/memory", memory__limit_in_bytes="9223372036854771712", memory__usage_in_bytes="1")
    host = probe_host(process_table(tmp_path, "4:memory:/\n"), tmp_path / "cg")
    assert (host.available, host.limit) == (12 * GIB, None)


class Driver:
    """What NVML answers on a host with two cards; the names are NVML's."""

    class NVMLError(Exception):
        pass

    def nvmlDeviceGetCount(self) -> int:
        return 2

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:
        return index

    def nvmlDeviceGetMemoryInfo(self, handle: int) -> SimpleNamespace:
        return SimpleNamespace(total=80 * GIB, free=(70 + handle) * GIB)

    def nvmlDeviceGetCudaComputeCapability(self, _handle: int) -> tuple[int, int]:
        return 9, 0

    def nvmlDeviceGetComputeRunningProcesses(self, handle: int) -> list[SimpleNamespace]:
        if handle == 1:
            raise self.NVMLError("Not Supported")
        return [SimpleNamespace(pid=7, usedGpuMemory=None)]

    def nvmlDeviceGetName(self, _handle: int) -> bytes:
        return b"NVIDIA H100"

    def nvmlDeviceGetUUID(self, handle: int) -> str:
        return f"GPU-{handle}abc"


def test_cards_are_read_and_a_missing_process_list_is_borne() -> None:
    first, second = _cards(Driver())  # type: ignore[arg-type]
    assert (first.device, first.name, first.free, first.capability) == ("cuda:0", "NVIDIA H100", 70 * GIB, (9, 0))
    assert [tenant.size for tenant in first.tenants] == [0]
    assert second.tenants == ()


@pytest.mark.parametrize(
    ("wanted", "uuids"),
    [
        (None, ["GPU-0abc", "GPU-1abc"]),
        ("1", ["GPU-1abc"]),
        ("1,0", ["GPU-1abc", "GPU-0abc"]),
        ("GPU-1", ["GPU-1abc"]),
        ("", []),
        ("-1", []),
        ("0,9,1", ["GPU-0abc"]),
        ("GPU-", []),
    ],
)
def test_cuda_visible_devices_chooses_and_renumbers(wanted: str | None, uuids: list[str]) -> None:
    seen = _visible(_cards(Driver()), wanted)  # type: ignore[arg-type]
    assert [card.uuid for card in seen] == uuids
    assert [card.device for card in seen] == [f"cuda:{n}" for n in range(len(uuids))]


def test_a_host_without_cards_says_why() -> None:
    machine = probe()
    assert machine.cards or machine.note


@pytest.mark.gpu
@pytest.mark.skipif(not Path("/dev/nvidiactl").exists(), reason="no card")
def test_cards_agree_with_torch_and_no_context_is_made() -> None:
    import pynvml
    import torch

    machine = probe({})
    assert machine.cards[0].name == torch.cuda.get_device_name(0)
    assert machine.cards[0].capability == torch.cuda.get_device_capability(0)
    pynvml.nvmlInit()
    before = pynvml.nvmlDeviceGetMemoryInfo(pynvml.nvmlDeviceGetHandleByIndex(0)).free
    code = "import engine.probe as p, time; m = p.probe(); print(m.cards[0].free); time.sleep(1)"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert abs(int(told.stdout) - before) < 64 << 20


def test_no_torch() -> None:
    code = "import sys, engine.probe, engine.memory; engine.probe.probe(); assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
