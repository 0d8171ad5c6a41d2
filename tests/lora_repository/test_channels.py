import pytest
from adapter_files import DIT, adapter_shapes, write_adapter, write_version

from lora_repository.channels import resolve_channel
from lora_repository.finding import Problem
from lora_repository.remote_copies import url_place
from lora_repository.repository import LoraRepository

COMMIT = "0123456789abcdef0123456789abcdef01234567"
URL = "https://internal-oss.com/lora/v2.1.safetensors"


@pytest.fixture
def repository(tmp_path, monkeypatch):
    for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    for name in ("v1.0_a", "v2.1_b"):
        write_version(tmp_path / "repository" / name)
    (tmp_path / "repository" / "latest").symlink_to("v2.1_b")
    return LoraRepository(tmp_path / "repository")


def refused(repository, reference, channels=None):
    with pytest.raises(Problem) as caught:
        resolve_channel(reference, channels or {}, repository)
    return caught.value.finding


def test_versions_channels_and_paths(repository, tmp_path):
    channels = {"default": "latest", "production": "v1.0_a", "staging": "production"}
    root = repository.root
    assert resolve_channel("latest", channels, repository) == root / "v2.1_b"
    assert resolve_channel("default", channels, repository) == root / "v2.1_b"
    assert resolve_channel("staging", channels, repository) == root / "v1.0_a"
    assert resolve_channel("v1.0", channels, repository) == root / "v1.0_a"
    assert resolve_channel("repository/latest/", {}, repository) == root / "v2.1_b"
    assert resolve_channel(str(root / "v1.0_a"), {}, repository) == root / "v1.0_a"
    assert resolve_channel("staging", {"staging": "../v1.0_a"}, repository, root / "v2.1_b") == root / "v1.0_a"
    assert resolve_channel("repository/v1.0_a", {}, repository, root / "v2.1_b") == root / "v1.0_a"


def test_what_does_not_exist_says_what_there_is(repository):
    finding = refused(repository, "producton", {"production": "v1.0_a"})
    assert (finding.code, "production" in finding.fix) == ("LORA061", True)
    assert refused(repository, "v3.0_c").code == "LORA040"
    assert refused(repository, "./nowhere").code == "LORA008"
    assert refused(repository, "~nobody-of-that-name/x").code == "LORA008"
    assert refused(repository, "a\0b/c").code == "LORA008"
    assert refused(repository, "/mnt/nfs/lora/staging/").code == "LORA008"
    (repository.root / "loop").symlink_to("loop")
    assert refused(repository, str(repository.root / "loop")).code == "LORA009"
    (repository.root / "latest").unlink()
    assert refused(repository, "latest").code == "LORA043"


def test_channels_in_a_circle(repository):
    finding = refused(repository, "production", {"production": "staging", "staging": "production"})
    assert finding.code == "LORA062"
    assert "production -> staging -> production" in finding.message


def test_a_hub_id_that_is_in_the_cache(repository, tmp_path):
    finding = refused(repository, "Quark-Vision/Live-Avatar")
    assert (finding.code, finding.fix) == ("LORA060", "liveavatar-tui fetch Quark-Vision/Live-Avatar")
    folder = tmp_path / "cache/huggingface/hub/models--Quark-Vision--Live-Avatar"
    snapshot = folder / "snapshots" / COMMIT
    snapshot.mkdir(parents=True)
    (folder / "refs").mkdir()
    (folder / "refs/main").write_text(COMMIT)
    assert refused(repository, "Quark-Vision/Live-Avatar").code == "LORA060"
    write_adapter(folder / "blob", adapter_shapes(DIT, 4))
    (snapshot / "liveavatar.safetensors").symlink_to("../../blob")
    assert resolve_channel("Quark-Vision/Live-Avatar", {}, repository) == snapshot / "liveavatar.safetensors"
    assert resolve_channel(f"Quark-Vision/Live-Avatar@{COMMIT}", {}, repository).parent == snapshot
    assert refused(repository, "Quark-Vision/Live-Avatar@v2").fix.endswith("fetch Quark-Vision/Live-Avatar@v2")
    assert refused(repository, "Quark-Vision/Live-Avatar@../main").code == "LORA060"
    (snapshot / "dmd_lora.safetensors").symlink_to("../../blob")
    assert resolve_channel("Quark-Vision/Live-Avatar", {}, repository) == snapshot


@pytest.mark.parametrize("variable", ["HF_HUB_CACHE", "HF_HOME"])
def test_the_hubs_own_variables_are_honoured(repository, tmp_path, monkeypatch, variable):
    monkeypatch.setenv(variable, str(tmp_path / "mine"))
    hub = tmp_path / "mine" / ("hub" if variable == "HF_HOME" else "")
    snapshot = hub / "models--a--b/snapshots" / COMMIT
    write_version(snapshot)
    (hub / "models--a--b/refs").mkdir()
    (hub / "models--a--b/refs/main").write_text(COMMIT)
    assert resolve_channel("a/b", {}, repository) == snapshot


def test_a_path_wins_over_a_hub_id_of_the_same_name(repository, tmp_path):
    (tmp_path / "a/b").mkdir(parents=True)
    assert resolve_channel("a/b", {}, repository) == tmp_path / "a/b"


def test_a_url_is_where_its_download_lies(repository):
    finding = refused(repository, "production", {"production": URL})
    assert finding.code == "LORA060"
    assert finding.fix == "liveavatar-tui fetch production"
    assert finding.path == str(url_place(URL))
    pinned = f"{URL}?token=secret#sha256={'0' * 64}"
    assert refused(repository, pinned).fix == f"liveavatar-tui fetch {URL}"
    url_place(URL).parent.mkdir(parents=True)
    write_adapter(url_place(URL), adapter_shapes(DIT, 4))
    assert resolve_channel(URL, {}, repository) == url_place(URL)
    assert url_place(URL).name == "v2.1.safetensors"


@pytest.mark.parametrize(
    "url", ["http://x.org/a.safetensors", "https://x.org/a.zip", "https:///a.safetensors", "ftp://x/a"]
)
def test_only_https_of_one_safetensors(repository, url):
    assert refused(repository, url).code == "LORA061"


def test_a_secret_in_a_url_is_never_shown(repository):
    finding = refused(repository, "https://me:hunter2@x.org/a.safetensors?token=hunter2#hunter2")
    assert "hunter2" not in finding.message + finding.fix + str(finding.path)
