from pathlib import Path

import pytest

from lora_repository.file_system import is_remote, kind_of

TABLE = """\
22 1 259:1 / / rw,relatime shared:1 - ext4 /dev/root rw
30 22 0:40 / /mnt/nfs rw,relatime shared:9 - nfs4 server:/lora rw,vers=4.2
31 30 0:41 / /mnt/nfs/scratch rw - tmpfs tmpfs rw
32 22 0:42 / /mnt/two\\040words rw - fuse.sshfs host:/ rw
33 22 0:43 / /mnt/over rw - nfs server:/old rw
34 33 0:44 / /mnt/over rw - xfs /dev/sdb1 rw
broken line
"""


@pytest.mark.parametrize(
    ("path", "kind", "remote"),
    [
        ("/srv/lora", "ext4", False),
        ("/mnt/nfs", "nfs4", True),
        ("/mnt/nfs/lora/v1.0_a", "nfs4", True),
        ("/mnt/nfsx", "ext4", False),
        ("/mnt/nfs/scratch/x", "tmpfs", False),
        ("/mnt/two words/x", "fuse.sshfs", True),
        ("/mnt/over/x", "xfs", False),
    ],
)
def test_the_deepest_and_latest_mount_counts(tmp_path, path, kind, remote):
    table = tmp_path / "mountinfo"
    table.write_text(TABLE)
    assert kind_of(Path(path), table) == kind
    assert is_remote(kind) is remote


def test_without_a_table_nothing_is_known(tmp_path):
    assert kind_of(Path("/"), tmp_path / "none") == ""
    assert not is_remote("")


@pytest.mark.parametrize("kind", ["nfs", "cifs", "smb3", "9p", "ceph", "lustre", "fuse.glusterfs", "virtiofs"])
def test_other_hosts_write_there(kind):
    assert is_remote(kind)


@pytest.mark.parametrize("kind", ["ext4", "xfs", "btrfs", "zfs", "tmpfs", "overlay", "fuseblk"])
def test_only_this_host_writes_there(kind):
    assert not is_remote(kind)


def test_this_host():
    assert kind_of(Path("/proc")) == "proc"
