"""The probe: host memory within its limits, cards as the engine will number them."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.cards import visible
from engine.kernel_log import xids
from engine.probe import Card, Source, probe, probe_host, typed
from lora_repository.finding import Problem

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


LIBRARY = """
#include <string.h>
/* Two cards of a driver's library: the second is cut into two slices and has had errors. */
typedef void *H;
static int id(H h) { return (int)(long)h; }
int nvmlInit_v2(void) { return 0; }
int nvmlInitWithFlags(unsigned f) { return 0; }
int nvmlShutdown(void) { return 0; }
const char *nvmlErrorString(int r) { return "Not Supported"; }
int nvmlDeviceGetCount_v2(unsigned *n) { *n = 2; return 0; }
int nvmlDeviceGetHandleByIndex_v2(unsigned i, H *h) { *h = (H)(long)(i + 1); return 0; }
int nvmlDeviceGetName(H h, char *s, unsigned n) {
    strcpy(s, id(h) > 9 ? "NVIDIA H100 MIG 3g.40gb" : "NVIDIA H100"); return 0; }
int nvmlDeviceGetUUID(H h, char *s, unsigned n) {
    strcpy(s, id(h) > 9 ? "MIG-" : "GPU-"); s[4] = '0' + id(h) % 10; strcpy(s + 5, "abc"); return 0; }
int nvmlDeviceGetMemoryInfo_v2(H h, unsigned long long *m) {
    unsigned long long total = (id(h) > 9 ? 40ull : 80ull) << 30;
    m[1] = total; m[2] = 1ull << 29; m[3] = total - ((10ull + id(h) % 10) << 30); m[4] = 9ull << 30; return 0; }
int nvmlDeviceGetCudaComputeCapability(H h, int *a, int *b) { *a = 9; *b = 0; return 0; }
int nvmlDeviceGetMigMode(H h, unsigned *now, unsigned *next) { *now = *next = id(h) == 2; return 0; }
int nvmlDeviceGetMaxMigDeviceCount(H h, unsigned *n) { *n = 7; return 0; }
int nvmlDeviceGetMigDeviceHandleByIndex(H h, unsigned i, H *part) {
    if (i != 0 && i != 3) return 6; *part = (H)(long)(21 + i); return 0; }
int nvmlDeviceGetTotalEccErrors(H h, int k, int c, unsigned long long *n) { *n = id(h) == 2 ? 3 : 0; return 0; }
int nvmlDeviceGetRemappedRows(H h, unsigned *c, unsigned *u, unsigned *pending, unsigned *failed) {
    *c = *u = *failed = 0; *pending = id(h) == 2; return 0; }
int nvmlDeviceGetCurrPcieLinkGeneration(H h, unsigned *n) { *n = 5; return 0; }
int nvmlDeviceGetCurrPcieLinkWidth(H h, unsigned *n) { *n = 16; return 0; }
int nvmlDeviceGetTopologyCommonAncestor(H a, H b, int *level) { *level = 30; return 0; }
int nvmlDeviceGetComputeRunningProcesses_v2(H h, unsigned *n, void *out) {
    /* As an older driver answers, whose newer call the binding refuses: one process, seen from outside a container. */
    unsigned room = *n; *n = id(h) == 1; if (!*n) return 0; if (room < 1) return 7;
    ((unsigned *)out)[0] = 999999999; ((unsigned long long *)out)[1] = 5ull << 30; return 0; }
int nvmlSystemGetDriverVersion(char *s, unsigned n) { strcpy(s, "580.95.05"); return 0; }
int nvmlSystemGetCudaDriverVersion(int *v) { *v = 13000; return 0; }
"""
SMI = """#!/bin/sh
case "$1" in
--query-gpu=*)
echo "0, NVIDIA A100-SXM4-80GB, GPU-11aa, 81920, 70000, 8.0, 550.54.15, 00000000:3B:00.0, Disabled, 0, 4, 16"
echo "1, NVIDIA A100-SXM4-80GB, GPU-22bb, 81920, 81000, 8.0, 550.54.15, 00000000:AF:00.0, Disabled, [N/A], 4, 16";;
--query-compute-apps=*) echo "GPU-11aa, %d, 11400"; echo "GPU-11aa, 999999999, [N/A]";;
esac
"""


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a library of NVML's name, compiled: the true binding speaks to it as to a driver's."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no compiler here to build a library of NVML's name")
    folder = tmp_path_factory.mktemp("driver")
    (folder / "nvml.c").write_text(LIBRARY)
    command = [compiler, "-shared", "-fPIC", "-w", "-o", folder / "libnvidia-ml.so.1", folder / "nvml.c"]
    subprocess.run(command, check=True)
    return folder


def probed(library: Path | None = None, programs: Path | None = None, **environ: str) -> dict[str, Any]:
    """The machine as a process with that library and those programs sees it."""
    code = "import json, dataclasses, engine.probe as p; print(json.dumps(dataclasses.asdict(p.probe())))"
    paths = {"LD_LIBRARY_PATH": str(library)} if library else {}
    paths["PATH"] = f"{programs}:/usr/bin:/bin" if programs else "/usr/bin:/bin"
    environment = {**os.environ, **paths, **environ}
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    found: dict[str, Any] = json.loads(told.stdout)
    return found


def test_cards_slices_health_and_links_come_through_the_true_binding(library: Path) -> None:
    found = probed(library, CUDA_VISIBLE_DEVICES="0,MIG-1")
    assert (found["source"], found["driver"], found["cuda"]) == ("nvml", "580.95.05", [13, 0])
    whole, part = found["cards"]
    assert (whole["index"], whole["name"], whole["capability"]) == (0, "NVIDIA H100", [9, 0])
    assert whole["free"] == 69 * GIB and whole["reserved"] == GIB // 2 and whole["pcie"] == [5, 16]
    assert (part["index"], part["uuid"], part["slice_of"]) == (1, "MIG-1abc", "GPU-2abc")
    assert part["total"] == 40 * GIB and part["name"].endswith("3g.40gb")
    assert part["health"]["uncorrected"] == 3 and part["health"]["pending"] and not whole["health"]["pending"]
    assert [(one["pid"], one["size"], one["user"]) for one in whole["tenants"]] == [(999999999, 5 * GIB, "")]
    assert found["links"] == [{"first": 0, "second": 1, "route": "bridge"}]


def test_a_card_that_is_cut_is_not_there_whole(library: Path) -> None:
    assert [card["uuid"] for card in probed(library)["cards"]] == ["MIG-1abc"], "CUDA takes one slice and no more"
    assert probed(library, CUDA_VISIBLE_DEVICES="1")["cards"] == []
    assert probed(library, CUDA_VISIBLE_DEVICES="0")["hidden"] == 2


def test_nvidia_smi_is_asked_where_the_library_cannot_be(tmp_path: Path) -> None:
    program = tmp_path / "nvidia-smi"
    program.write_text(SMI % os.getpid())
    program.chmod(0o755)
    found = probed(programs=tmp_path)
    assert found["source"] == "nvidia-smi" and "Not Found" in found["note"], "and why is told"
    first, second = found["cards"]
    assert (first["name"], first["total"], first["free"]) == ("NVIDIA A100-SXM4-80GB", 80 * GIB, 70000 << 20)
    assert first["capability"] == [8, 0] and first["bus"] == "0000:3b:00.0"
    mine, foreign = first["tenants"]
    assert (mine["pid"], mine["size"], mine["user"]) == (os.getpid(), 11400 << 20, pwd.getpwuid(os.getuid()).pw_name)
    assert (foreign["size"], foreign["user"]) == (0, "")
    assert second["tenants"] == [] and second["health"]["uncorrected"] == 0


@pytest.mark.parametrize("script", ["exit 9", "echo nonsense", "echo a,b,c,d,e,f,g,h,i,j,k,l"])
def test_an_nvidia_smi_that_tells_nothing_leaves_no_cards(tmp_path: Path, script: str) -> None:
    (tmp_path / "nvidia-smi").write_text(f"#!/bin/sh\n{script}\n")
    (tmp_path / "nvidia-smi").chmod(0o755)
    found = probed(programs=tmp_path)
    assert (found["cards"], found["source"]) == ([], "none") and found["note"]


TWO = (
    Card(0, "NVIDIA H100", "GPU-0abc", 80 * GIB, 70 * GIB, (9, 0)),
    Card(1, "NVIDIA H100", "GPU-1abc", 80 * GIB, 71 * GIB, (9, 0)),
)


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
    seen = visible(TWO, wanted)
    assert [card.uuid for card in seen] == uuids
    assert [card.device for card in seen] == [f"cuda:{n}" for n in range(len(uuids))]


@pytest.mark.parametrize(
    ("text", "count", "name", "gib", "capability"),
    [
        ("24GB x5", 5, "24 GB", 22.5, (0, 0)),
        ("5x24GB", 5, "24 GB", 22.5, (0, 0)),
        ("2 x RTX 4090 24GB", 2, "RTX 4090", 23.99, (8, 9)),
        ("4090 24GB x2", 2, "4090", 23.99, (8, 9)),
        ("H100 80GB", 1, "H100", 79.65, (9, 0)),
        ("80 gb", 1, "80 GB", 75.0, (0, 0)),
    ],
)
def test_a_card_can_be_typed_in(text: str, count: int, name: str, gib: float, capability: tuple[int, int]) -> None:
    machine = typed(text)
    assert machine.source is Source.TYPED and len(machine.cards) == count
    assert [card.device for card in machine.cards] == [f"cuda:{n}" for n in range(count)]
    first = machine.cards[0]
    assert (first.name, first.capability) == (name, capability)
    assert first.total / GIB == pytest.approx(gib, abs=0.01)
    assert 0 < first.free < first.total


@given(st.text(max_size=30))
def test_what_is_no_card_is_refused_and_nothing_else(text: str) -> None:
    try:
        cards = typed(text).cards
    except Problem as refusal:
        assert refusal.finding.code == "RUN002"
    else:
        assert 1 <= len(cards) <= 64


def test_faults_of_a_card_are_read_from_the_kernels_log(tmp_path: Path) -> None:
    log = tmp_path / "kmsg"
    log.write_text(
        "6,1,2,-;usb 1-1: new device\n"
        "3,2,3,-;NVRM: Xid (PCI:0000:3b:00): 79, pid='<unknown>', name=<unknown>, GPU has fallen off the bus.\n"
        "3,3,4,-;NVRM: Xid (PCI:0000:3b:00): 31, pid=77, name=python, Ch 0000000e, MMU Fault\n"
        "3,4,5,-;NVRM: Xid (PCI:0000:af:00): 48, pid=77, DBE (double bit error)\n"
    )
    assert xids("0000:3b:00.0", log) == (79,), "31 is a program's fault"
    assert xids("0000:af:00.0", log) == (48,)
    assert xids("", log) == () and xids("0000:3b:00.0", tmp_path / "none") == ()


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
