"""The hub's own client against a hub on this host, a process each: the client reads HF_* when it is imported."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from adapter_files import DIT, adapter_shapes, write_adapter
from small_hub import COMMIT, SmallHub

FETCH = """
import json, sys
from pathlib import Path
from lora_repository.fetch import resolve_or_fetch
from lora_repository.finding import Problem
from lora_repository.repository import LoraRepository
try:
    channels = {"default": sys.argv[1]}
    print(json.dumps({"path": str(resolve_or_fetch("default", channels, LoraRepository(Path("none"))))}))
except Problem as problem:
    print(json.dumps(problem.finding.as_dict()))
"""


@pytest.fixture
def hub(tmp_path):
    path = write_adapter(tmp_path / "x", adapter_shapes(DIT, 16), "F32")
    hub = SmallHub({"liveavatar.safetensors": path.read_bytes(), "README.md": b"notes", "huge.bin": b"x"})
    yield hub
    hub.close()


def fetch(hub, tmp_path, reference="org/name", **more):
    environment = os.environ | {
        "HF_ENDPOINT": hub.url,
        "HF_HOME": str(tmp_path / "hf"),
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_ETAG_TIMEOUT": "5",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "PYTHONPATH": str(Path(__file__).parents[2]),
    }
    for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_TOKEN", "HF_HUB_OFFLINE"):
        environment.pop(name, None)
    words = [sys.executable, "-c", FETCH, reference]
    done = subprocess.run(words, env=environment | more, capture_output=True, text=True)
    assert "Traceback" not in done.stderr, done.stderr
    return json.loads(done.stdout) | {"stderr": done.stderr}


def test_fetched_into_the_hubs_own_cache_and_found_again(hub, tmp_path, monkeypatch):
    from lora_repository.remote_copies import find_hub_copy

    found = fetch(hub, tmp_path, HF_TOKEN="hf_secret")
    path = Path(found["path"])
    assert path.read_bytes() == hub.files["liveavatar.safetensors"]
    assert path.parent.name == COMMIT
    assert hub.tokens == {"Bearer hf_secret"}
    assert "hf_secret" not in found["stderr"]
    assert [entry.name for entry in path.parent.iterdir()] == ["liveavatar.safetensors"]
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)
    assert find_hub_copy("org/name") == path
    assert find_hub_copy(f"org/name@{COMMIT}") == path
    hub.ranges.clear()
    assert fetch(hub, tmp_path)["path"] == str(path)
    assert hub.ranges == []


def test_a_cut_connection_is_resumed(hub, tmp_path):
    # The client keeps what has arrived in pieces of 10 MB: 30 % of this is one of them.
    path = write_adapter(tmp_path / "large", {"a.lora_A.weight": (10, 1 << 20)}, "F32")
    hub.files["liveavatar.safetensors"] = path.read_bytes()
    hub.stated = SmallHub(hub.files).stated
    hub.cuts = 1
    found = fetch(hub, tmp_path)
    if "path" not in found:
        assert found["code"] == "LORA065"
        found = fetch(hub, tmp_path)
    assert Path(found["path"]).read_bytes() == hub.files["liveavatar.safetensors"]
    assert any(part for part in hub.ranges)


def test_bytes_that_are_not_what_the_hub_says(hub, tmp_path):
    hub.stated["liveavatar.safetensors"] = "0" * 64
    assert fetch(hub, tmp_path)["code"] == "LORA067"
    assert not list((tmp_path / "hf").rglob("*.safetensors"))
    assert not list((tmp_path / "hf").rglob("blobs/*"))


@pytest.mark.parametrize("status", [401, 403, 404])
def test_refusals_are_named(hub, tmp_path, status):
    hub.refusal = status
    found = fetch(hub, tmp_path)
    assert found["code"] == "LORA066"
    assert str(status) in found["message"]


def test_a_mirror_that_does_not_speak_as_the_hub(hub, tmp_path):
    hub.tree = hub.info
    assert "HF_ENDPOINT" in fetch(hub, tmp_path)["message"]


def test_offline(hub, tmp_path):
    assert fetch(hub, tmp_path, HF_HUB_OFFLINE="1")["code"] == "LORA068"


def test_nobody_there(hub, tmp_path):
    hub.close()
    assert fetch(hub, tmp_path)["code"] == "LORA065"


def test_a_repository_without_an_adapter(hub, tmp_path):
    del hub.files["liveavatar.safetensors"]
    assert fetch(hub, tmp_path)["code"] == "LORA060"


def test_our_contract_on_the_hub(hub, tmp_path):
    hub.files = {"dmd_lora.safetensors": hub.files["liveavatar.safetensors"], "config.json": b"{}"}
    hub.stated = SmallHub(hub.files).stated
    found = Path(fetch(hub, tmp_path)["path"])
    assert sorted(path.name for path in found.iterdir()) == ["config.json", "dmd_lora.safetensors"]


TOLD = """
import json, sys
from lora_repository.fetch_hub import fetch_hub
told = []
def progress(done, total):
    told.append((done, total))
    if len(sys.argv) > 2:
        raise KeyboardInterrupt
try:
    fetch_hub(sys.argv[1], progress)
except KeyboardInterrupt:
    told.append("stopped")
print(json.dumps(told))
"""


@pytest.mark.parametrize("stop", [(), ("stop",)])
def test_progress_is_told_in_bytes_and_may_end_it(hub, tmp_path, stop):
    environment = os.environ | {"HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "hf"), "HF_HUB_DISABLE_XET": "1"}
    environment.pop("HF_HUB_CACHE", None)
    words = [sys.executable, "-c", TOLD, "org/name", *stop]
    environment["PYTHONPATH"] = str(Path(__file__).parents[2])
    done = subprocess.run(words, env=environment, capture_output=True, text=True)
    told = json.loads(done.stdout)
    size = len(hub.files["liveavatar.safetensors"])
    assert told[-1] == ("stopped" if stop else [size, size]), done.stderr
    assert not done.stderr, "no bar is drawn"
