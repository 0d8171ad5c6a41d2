"""Where a job lives so that a logout does not end it: in a systemd scope of its own, or with the session that began it.

logind may end everything in a login session when its user leaves (`KillUserProcesses=yes`). A scope below the user's
manager is outside the session; but that manager itself ends with the user's last session, unless the user lingers. So:

| user lingers | logind kills | what survives a logout | so |
|---|---|---|---|
| yes | any | a scope | scope |
| no | no | a plain process; a scope would end with the user's manager | plain |
| no | yes | nothing | plain, and a finding that names the command |
| no logind | | a plain process; a scope where a manager runs all the same | scope, if there is one |

Knows no job; asks `loginctl` (some 5 ms) and never changes anything.
"""

from __future__ import annotations

import getpass
import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from liveavatar_tui import codes
from lora_repository.finding import Finding

_ANSWER_S: Final = 3.0


@dataclass(frozen=True, slots=True)
class Login:
    """What logind says; `lingers` and `kills` are None where there is no logind."""

    lingers: bool | None
    kills: bool | None
    manager: bool
    """Whether the user's own systemd can be reached."""

    @property
    def scope(self) -> bool:
        """Whether a job belongs into a scope."""
        return self.manager and self.lingers is not False

    @property
    def mortal(self) -> bool:
        """Whether a logout ends a job whatever is done."""
        return bool(self.kills) and not self.scope


def look(environ: Mapping[str, str] = os.environ) -> Login:
    """How this user is logged in."""
    user = getpass.getuser()
    runtime = environ.get("XDG_RUNTIME_DIR")
    manager = bool(
        runtime and (Path(runtime) / "systemd/private").is_socket() and shutil.which("systemd-run") is not None
    )
    return Login(_property("Linger", user), _property("KillUserProcesses"), manager)


def _property(name: str, *user: str) -> bool | None:
    """A property of logind, or of one of its users; None where nobody answers."""
    command = ["loginctl", "show-user", *user, f"--property={name}", "--value"]
    try:
        told = subprocess.run(command, capture_output=True, text=True, timeout=_ANSWER_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return {"yes": True, "no": False}.get(told.stdout.strip()) if told.returncode == 0 else None


def logout_finding(login: Login) -> Finding | None:
    """What to tell before a job starts; None when a logout leaves it alone."""
    if not login.mortal:
        return None
    return codes.warning(codes.LOGOUT_ENDS_JOBS, user=getpass.getuser())


def scope_command(unit: str) -> list[str]:
    """What goes before a command so that it runs in a scope called `unit`, with the right to make groups in it.

    systemd-run becomes the command: same process, same descriptors.
    """
    flags = ["--user", "--scope", "--collect", "--quiet", "--property=Delegate=yes", f"--unit={unit}"]
    return ["systemd-run", *flags, "--"]
