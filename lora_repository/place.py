"""The place of a file: is it there, is it a file, may we read it, where do links lead. Knows nothing of its contents.

Every fault is a `Problem` with the command that mends it. Never blocks on a pipe or a device that poses as a file.
"""

from __future__ import annotations

import errno
import os
import pwd
import stat
from io import BufferedReader
from pathlib import Path

from lora_repository.codes import LINK_BROKEN, NOT_A_FILE, NOT_SEARCHABLE, PATH_MISSING, UNREADABLE
from lora_repository.finding import Problem, problem
from lora_repository.i18n import _
from lora_repository.wording import command, shown


def open_regular(path: Path) -> BufferedReader:
    """`path` open for reading; raises Problem LORA006 to LORA010 when it is no readable regular file."""
    try:
        # Without O_NONBLOCK a named pipe would hold us until somebody writes to it.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError) as error:
        raise explain(path, error) from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise _not_a_file(path)
    return BufferedReader(open(descriptor, "rb", buffering=0))  # noqa: PTH123  # a descriptor, closed by the caller


def list_folder(path: Path) -> list[str]:
    """The names in `path`, sorted; raises Problem when it is missing, no folder, or may not be listed and entered."""
    try:
        with os.scandir(path) as entries:
            names = sorted(entry.name for entry in entries)
        # Listing asks for `r`, opening what is inside for `x`: a folder can grant one without the other.
        (path / ".").stat()
    except (OSError, ValueError) as error:
        raise explain(path, error, folder=True) from None
    return names


def is_file(path: Path) -> bool:
    """True for a regular file that can be seen; whatever hides it counts as no."""
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except (OSError, ValueError):
        return False


def is_folder(path: Path) -> bool:
    """True for a folder that can be seen; whatever hides it counts as no."""
    try:
        return stat.S_ISDIR(path.stat().st_mode)
    except (OSError, ValueError):
        return False


def explain(path: Path, error: OSError | ValueError, *, folder: bool = False) -> Problem:
    """The Problem behind an operating system's refusal to open `path`."""
    number = error.errno if isinstance(error, OSError) else errno.EINVAL
    if number == errno.ELOOP:
        return problem(
            LINK_BROKEN,
            _("{path} is a symbolic link that leads back to itself.").format(path=shown(path)),
            _("Point it at the real folder: {command}").format(command=command("ln", "-sfn", "TARGET", path)),
            path=shown(path),
        )
    if number in (errno.ENOENT, errno.EINVAL, errno.ENAMETOOLONG):
        return _missing(path)
    if number == errno.ENOTDIR:
        return _not_a_folder(path)
    if number in (errno.EACCES, errno.EPERM):
        return _refused(path, folder=folder)
    reason = os.strerror(number) if number else str(error)
    return problem(
        UNREADABLE,
        _("{path} cannot be read: {reason}.").format(path=shown(path), reason=reason),
        _("Look at the disk or the network mount: {command}").format(command=command("ls", "-l", path)),
        path=shown(path),
    )


def _missing(path: Path) -> Problem:
    if path.is_symlink():
        target = path.readlink()
        return problem(
            LINK_BROKEN,
            _("{path} is a symbolic link to {target}, which is not there.").format(
                path=shown(path), target=shown(target)
            ),
            _("Point it at something that exists: {command}").format(command=command("ln", "-sfn", "TARGET", path)),
            path=shown(path),
        )
    nearest = next((parent for parent in path.absolute().parents if is_folder(parent)), Path("/"))
    return problem(
        PATH_MISSING,
        _("{path} does not exist.").format(path=shown(path)),
        _("See what is there: {command}").format(command=command("ls", "-l", nearest)),
        path=shown(path),
    )


def _refused(path: Path, *, folder: bool) -> Problem:
    """Who owns what refuses, and the chmod for it: a folder on the way, the folder itself, or the file."""
    for parent in reversed(path.absolute().parents):
        if not os.access(parent, os.X_OK):
            return _closed_folder(parent)
    if folder or is_folder(path):
        return _closed_folder(path)
    owner, mode = _owner(path)
    return problem(
        UNREADABLE,
        _("{path} may not be read by {user}: it belongs to {owner}, mode {mode}.").format(
            path=shown(path), user=_user(os.geteuid()), owner=owner, mode=mode
        ),
        command("chmod", "644", path),
        path=shown(path),
    )


def _closed_folder(path: Path) -> Problem:
    owner, mode = _owner(path)
    return problem(
        NOT_SEARCHABLE,
        _("The folder {path} may not be entered by {user}: it belongs to {owner}, mode {mode}.").format(
            path=shown(path), user=_user(os.geteuid()), owner=owner, mode=mode
        ),
        command("chmod", "755", path),
        path=shown(path),
    )


def _not_a_file(path: Path) -> Problem:
    return problem(
        NOT_A_FILE,
        _("{path} is not a regular file.").format(path=shown(path)),
        _("See what it is: {command}").format(command=command("ls", "-ld", path)),
        path=shown(path),
    )


def _not_a_folder(path: Path) -> Problem:
    return problem(
        NOT_A_FILE,
        _("{path} is not a folder.").format(path=shown(path)),
        _("See what it is: {command}").format(command=command("ls", "-ld", path)),
        path=shown(path),
    )


def _owner(path: Path) -> tuple[str, str]:
    try:
        status = path.stat()
    except OSError:
        return "?", "?"
    return _user(status.st_uid), f"{stat.S_IMODE(status.st_mode):04o}"


def _user(uid: int) -> str:
    try:
        return shown(pwd.getpwuid(uid).pw_name)
    except KeyError:
        return str(uid)
