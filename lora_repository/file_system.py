"""Which kind of file system a path lies on, and whether other hosts write to it. Knows Linux's table of mounts only."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final

MOUNTS: Final = Path("/proc/self/mountinfo")
_REMOTE: Final = re.compile(
    r"nfs\d*|cifs|smb\d|smbfs|9p|ceph|glusterfs|lustre|afs|gfs2|ocfs2|gpfs|beegfs|wekafs|virtiofs|vboxsf|vmhgfs|drvfs|"
    r"davfs|fuse\..+"  # other FUSE file systems than these are local disks (`fuseblk`)
)
_OCTAL: Final = re.compile(r"\\([0-7]{3})")


def kind_of(path: Path, mounts: Path = MOUNTS) -> str:
    """The type of the file system that `path` lies on (`ext4`, `nfs4`), as the kernel names it; "" where unknown."""
    place = os.path.realpath(path)
    best, kind = "", ""
    try:
        lines = mounts.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return ""
    for line in lines:
        before, _dash, after = line.partition(" - ")
        fields, found = before.split(), after.split()
        if len(fields) < 5 or not found:
            continue
        point = _OCTAL.sub(lambda octal: chr(int(octal[1], 8)), fields[4])
        # Of two mounts on one point the later one is in force.
        if len(point) >= len(best) and (place + "/").startswith(point.rstrip("/") + "/"):
            best, kind = point, found[0]
    return kind


def is_remote(kind: str) -> bool:
    """Whether other hosts can change what lies on such a file system: they are not heard of, and have other clocks."""
    return _REMOTE.fullmatch(kind) is not None
