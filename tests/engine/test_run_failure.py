"""Exceptions of a living engine and remains of a dead one, put in words; each by a real fault where one can be made."""

from __future__ import annotations

import errno
import os
import signal
import string
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from engine import codes, memory_use
from engine.codes import CODES
from engine.cores import usable_cores
from engine.failure import Scene, classify, post_mortem
from engine.protocol import Phase
from lora_repository.finding import Severity
from lora_repository.i18n import set_language

GIB = 1 << 30


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    set_language("en")
    return Scene(Phase.LOADING, tmp_path, tmp_path / "engine.log")


def test_every_code_is_whole_and_unlike_the_others() -> None:
    assert len(CODES) > 20
    for code, row in CODES.items():
        assert row.code == code and row.cause.strip() and row.fix.strip()
        fields = {name for text in (row.cause, row.fix) for _, name, _, _ in string.Formatter().parse(text) if name}
        facts = dict.fromkeys(fields - {"path"}, "x y")
        found = row.finding(path="/a b" if "path" in fields else None, **facts)
        assert found.severity is Severity.ERROR
        if "path" in fields and "{path}" in row.fix:
            assert "'/a b'" in found.fix


def test_facts_cannot_smuggle_escapes_or_braces() -> None:
    found = codes.IMAGE_MISSING.finding(path="/tmp/\x1b[31m{path}\u202e.png")
    assert "\x1b" not in found.message and "\u202e" not in found.message and "{path}" in found.message


def test_memory_that_torch_cannot_get_on_the_host(scene: Scene) -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(1 << 50)
    found = classify(caught.value, scene)
    assert found.code == "RUN040"
    assert "loading the model asked for 4096.0 TiB" in found.message
    assert "--offload_model" in found.fix


def test_memory_that_numpy_cannot_get(scene: Scene) -> None:
    with pytest.raises(MemoryError) as caught:
        np.empty(1 << 50)
    assert "asked for 8.00 PiB" in classify(caught.value, scene).message


def test_memory_that_a_card_does_not_have(scene: Scene) -> None:
    # The text of torch 2.13 on a card of 80 GB; no card is needed to read it.
    text = (
        "CUDA out of memory. Tried to allocate 2.50 GiB. GPU 1 has a total capacity of 79.11 GiB of which "
        "1.06 GiB is free. Including non-PyTorch memory, this process has 78.04 GiB memory in use."
    )
    found = classify(torch.OutOfMemoryError(text), scene)
    assert found.code == "RUN040"
    assert found.message == "Out of memory on GPU 1: loading the model asked for 2.50 GiB, and 1.06 GiB was free."


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk(scene: Scene, number: int) -> None:
    found = classify(OSError(number, os.strerror(number)), scene)
    assert found.code == "RUN042" and str(scene.folder) in found.message


def test_a_library_that_is_not_there(scene: Scene) -> None:
    with pytest.raises(ImportError) as caught:
        import no_such_library_at_all  # noqa: F401
    found = classify(caught.value, scene)
    assert found.code == "RUN050" and "no_such_library_at_all" in found.message


def test_what_nobody_foresaw_names_the_log(scene: Scene) -> None:
    found = classify(ZeroDivisionError("division by zero\nmore"), scene)
    assert found.code == "RUN099"
    assert "ZeroDivisionError: division by zero" in found.message and "more" not in found.message
    assert str(scene.log) in found.fix


@pytest.mark.parametrize("crash", [signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS])
def test_a_crash_is_read_from_the_log(scene: Scene, crash: signal.Signals) -> None:
    script = f"import os, signal; os.kill(os.getpid(), {int(crash)}); signal.pause()"
    died = subprocess.run([sys.executable, "-X", "faulthandler", "-c", script], stderr=subprocess.PIPE, text=True)
    found = post_mortem(scene, log_tail=died.stderr, used=0, total=GIB, exit_status=died.returncode)
    assert found.code == "RUN043" and crash.name in found.message


def test_a_death_without_a_word(scene: Scene) -> None:
    killed = post_mortem(scene, log_tail="", used=GIB, total=8 * GIB, exit_status=-9)
    assert killed.code == "RUN044" and "SIGKILL" in killed.message
    assert post_mortem(scene, log_tail="", used=7 * GIB, total=8 * GIB, exit_status=-9).code == "RUN041"
    assert post_mortem(scene, log_tail="", used=GIB, total=8 * GIB).code == "RUN045"
    assert post_mortem(scene, log_tail="", used=GIB, total=8 * GIB, restarted="gpu1").code == "RUN046"


def test_memory_of_this_process() -> None:
    before = memory_use.host_use()
    block = np.ones(50_000_000, dtype=np.uint8)
    after = memory_use.host_use()
    assert after.used - before.used > 40_000_000
    assert after.peak >= after.used >= block.nbytes


def test_a_container_has_less_than_its_host(tmp_path: Path) -> None:
    assert memory_use.host_available(cgroup=tmp_path) > 0
    (tmp_path / "memory.max").write_text("max\n")
    (tmp_path / "memory.current").write_text("1000\n")
    whole = memory_use.host_available(cgroup=tmp_path)
    (tmp_path / "memory.max").write_text("5000\n")
    assert memory_use.host_available(cgroup=tmp_path) == 4000 < whole


def test_cores_of_a_container(tmp_path: Path) -> None:
    mine = len(os.sched_getaffinity(0))
    assert usable_cores(tmp_path) == mine
    for quota, cores in (("max 100000", mine), ("150000 100000", min(mine, 2)), ("1000 100000", 1)):
        (tmp_path / "cpu.max").write_text(quota)
        assert usable_cores(tmp_path) == cores


def test_sizes_are_readable() -> None:
    assert [memory_use.readable(n) for n in (0, 1023, 1536, 3 * GIB)] == ["0 B", "1023 B", "1.5 KiB", "3.0 GiB"]
