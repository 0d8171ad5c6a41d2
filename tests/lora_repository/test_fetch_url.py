import hashlib
import shutil

import pytest
from adapter_files import DIT, adapter_shapes, write_adapter
from unreliable_server import Here, Server

from lora_repository.channels import resolve_channel
from lora_repository.fetch_url import fetch_url
from lora_repository.files import exclusive
from lora_repository.finding import Problem
from lora_repository.remote_copies import url_place
from lora_repository.repository import LoraRepository

URL = "https://user:hunter2@internal-oss.com/lora/v2.1.safetensors?token=hunter2"


@pytest.fixture
def server(tmp_path):
    path = write_adapter(tmp_path / "x", adapter_shapes(DIT, 16), "F32")
    server = Server(path.read_bytes())
    yield server
    server.close()


def fetch(server, url=URL, progress=None):
    return fetch_url(url, progress, Here(server), lambda _seconds: None)


def refused(code, server, url=URL):
    with pytest.raises(Problem) as caught:
        fetch(server, url)
    finding = caught.value.finding
    assert finding.code == code, finding
    assert "hunter2" not in finding.message + finding.fix + str(finding.path)
    assert not url_place(url).exists()
    return finding


def test_fetched_once(server, tmp_path):
    told = []
    place = fetch(server, progress=lambda there, total: told.append((there, total)))
    assert place.read_bytes() == server.content
    assert told[-1] == (len(server.content), len(server.content))
    assert fetch(server) == place
    assert len(server.ranges) == 1
    assert resolve_channel(URL, {}, LoraRepository(tmp_path)) == place
    assert {path.name for path in place.parent.iterdir()} == {"v2.1.safetensors", "lock"}


def test_a_cut_connection_goes_on_where_it_ended(server):
    server.faults = ["cut", "cut", 503, "cut"]
    assert fetch(server).read_bytes() == server.content
    starts = [int(part[6:-1]) if part else 0 for part in server.ranges]
    assert starts[0] == 0
    assert starts[1] == len(server.content) * 3 // 10
    assert starts == sorted(starts)
    assert starts[-1] > starts[1]


def test_what_arrived_is_kept_for_the_next_time(server):
    server.faults = ["cut"] + [503] * 4
    finding = refused("LORA065", server)
    assert str(len(server.content) * 3 // 10) in finding.message
    server.ranges.clear()
    assert fetch(server).read_bytes() == server.content
    assert server.ranges == [f"bytes={len(server.content) * 3 // 10}-"]


def test_another_file_in_the_middle_starts_over(server):
    server.faults = ["cut"] + [503] * 4
    refused("LORA065", server)
    header = len(server.content) // 2
    server.content = server.content[:header] + b"\x3c" * (len(server.content) - header)
    server.tag = '"two"'
    assert fetch(server).read_bytes() == server.content


@pytest.mark.parametrize("tag", ["", 'W/"weak"'])
def test_without_a_strong_tag_it_starts_over(server, tag):
    server.tag = tag
    server.faults = ["cut"]
    assert fetch(server).read_bytes() == server.content
    assert server.ranges == [None, None]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410])
def test_a_refusal_is_final_and_named(server, status):
    server.faults = [status]
    assert str(status) in refused("LORA066", server).message
    assert len(server.ranges) == 1


@pytest.mark.parametrize("status", [429, 500, 502, 503])
def test_busy_servers_are_asked_again_five_times(server, status):
    server.faults = [status] * 9
    refused("LORA065", server)
    assert len(server.ranges) == 5


def test_a_redirect_to_plain_http_is_refused(server):
    server.faults = ["http://elsewhere.org/v2.1.safetensors"]
    assert "not https" in refused("LORA066", server).message


def test_a_redirect_to_https_is_followed(server):
    server.faults = ["https://cdn.org/abc"]
    assert fetch(server).read_bytes() == server.content


def test_a_pinned_checksum(server):
    good = hashlib.sha256(server.content).hexdigest()
    assert refused("LORA067", server, f"{URL}#sha256={'0' * 64}")
    assert fetch(server, f"{URL}#sha256={good}").read_bytes() == server.content


@pytest.mark.parametrize(
    ("content", "code"),
    [(b"<!doctype html><title>Sign in</title>", "LORA012"), (b"", "LORA011"), (b"x" * 99, "LORA013")],
)
def test_what_is_no_safetensors_is_not_kept(server, content, code):
    server.content = content
    refused(code, server)
    assert not list(url_place(URL).parent.glob("*.part"))


def test_no_room(server, monkeypatch, tmp_path):
    usage = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr("lora_repository.fetch_url.shutil.disk_usage", lambda _path: usage)
    refused("LORA053", server)


def test_two_at_once(server, monkeypatch):
    monkeypatch.setattr("lora_repository.fetch_url._PATIENCE_S", 0.05)
    url_place(URL).parent.mkdir(parents=True)
    with exclusive(url_place(URL).with_name("lock"), "anna", 1):
        assert "anna" in refused("LORA045", server).message


def test_nobody_there(server):
    server.close()
    refused("LORA065", server)
