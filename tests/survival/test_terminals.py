"""The app, its terminal and its connection go; the job stays. The engine is the real one, the terminals are real."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from pty_harness import Terminal
from standins import STANDIN, alive, over
from survival import (
    APP,
    app,
    command,
    environment,
    launch_from_the_form,
    nothing_left,
    nothing_lost,
    until,
    video_is_whole,
)

from liveavatar_tui.jobs.state import State
from liveavatar_tui.jobs.watching import list_jobs, read_job


def test_the_app_killed_9(world: Path) -> None:
    with app(world) as terminal:
        job = launch_from_the_form(terminal, world)
        os.kill(terminal.pid, signal.SIGKILL)
        assert terminal.exit_code() == -signal.SIGKILL
    assert read_job(job.folder).state is State.RUNNING
    with app(world) as again:  # attached from another terminal while it runs, or just after
        again.wait_for("Home")
        again.send("3")
        until(lambda: over(job))
        again.wait_for("done")
        again.send("q")
    nothing_lost(job.folder)
    nothing_left(job.folder)
    video_is_whole(job.folder)
    assert command(world, "jobs", "show", "last").returncode == 0


def test_the_terminal_closed_under_a_shell(world: Path) -> None:
    """The engine is the stand-in here: what counts is whose session it is in."""
    script = (
        "import sys, pathlib; sys.path.insert(0, sys.argv[2])\n"
        "from standins import enqueue\n"
        "for mood in ('films', 'films'): enqueue(pathlib.Path(sys.argv[1]), mood)\nprint('begun')"
    )
    start = shlex.join([sys.executable, "-c", script, str(world / "jobs"), str(Path(STANDIN[1]).parent)])
    with Terminal(["/bin/sh", "-c", f"{start}; cat"], env=environment(world)) as terminal:
        terminal.wait_for("begun")
        terminal.hang_up()
        assert terminal.exit_code() == -signal.SIGHUP, "the shell goes with its terminal"
    until(lambda: all(over(job) for job in list_jobs(world / "jobs")))
    for job in list_jobs(world / "jobs"):
        assert job.state is State.DONE and job.folder.output.read_bytes() == b"film"
        nothing_lost(job.folder)
        nothing_left(job.folder)


# --- a real sshd


class Wire:
    """Mutable: a relay between an ssh client and sshd that can be torn: both ends get a reset, and no last word."""

    def __init__(self, port: int) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._target = port
        self._ends: list[socket.socket] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        client, _address = self._listener.accept()
        server = socket.create_connection(("127.0.0.1", self._target))
        self._ends = [client, server]
        for one, other in ((client, server), (server, client)):
            threading.Thread(target=self._pump, args=(one, other), daemon=True).start()

    def _pump(self, one: socket.socket, other: socket.socket) -> None:
        with suppress(OSError):
            while data := one.recv(65536):
                other.sendall(data)

    def tear(self) -> None:
        """Close hard."""
        for end in self._ends:
            end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            with suppress(OSError):
                end.shutdown(socket.SHUT_RD)
            end.close()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def sshd(folder: Path) -> Iterator[tuple[int, Path]]:
    """A server of our own on loopback, for this user by key: (port, key). Skips with the reason where none can run."""
    server = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin")
    if server is None or shutil.which("ssh") is None or shutil.which("ssh-keygen") is None:
        pytest.skip("no OpenSSH server and client here (apt install openssh-server openssh-client)")
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # where sshd parts with its privileges
    folder.mkdir(mode=0o700)
    for name in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)], check=True)
    shutil.copy(folder / "user.pub", folder / "authorized")
    port = free_port()
    (folder / "sshd_config").write_text(
        f"ListenAddress 127.0.0.1:{port}\nHostKey {folder}/host\nAuthorizedKeysFile {folder}/authorized\n"
        f"PidFile none\nUsePAM no\nStrictModes no\nPermitRootLogin yes\nPasswordAuthentication no\n"
    )
    log = (folder / "sshd.log").open("wb")
    process = subprocess.Popen([server, "-D", "-e", "-f", str(folder / "sshd_config")], stderr=log)
    try:
        until(lambda: process.poll() is not None or b"listening" in (folder / "sshd.log").read_bytes(), 20)
        if process.poll() is not None:
            pytest.skip(f"sshd does not run here: {(folder / 'sshd.log').read_text().strip()}")
        yield port, folder / "user"
    finally:
        process.terminate()
        process.wait()
        log.close()


def test_the_ssh_connection_torn(world: Path) -> None:
    with sshd(world / "ssh") as (port, key):
        wire = Wire(port)
        told = " ".join(f"{name}={shlex.quote(value)}" for name, value in environment(world).items())
        far = f"echo $$ > {world}/far.pid; exec env TERM=xterm-256color COLORTERM=truecolor {told} {shlex.join(APP)}"
        quiet = ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR"]
        ssh = ["ssh", "-tt", "-F", "none", "-p", str(wire.port), "-i", str(key), *quiet, "127.0.0.1", far]
        with Terminal(ssh, columns=100, rows=30) as terminal:
            job = launch_from_the_form(terminal, world)
            app_there = int((world / "far.pid").read_text())
            assert alive(app_there)
            wire.tear()
            assert terminal.exit_code(30) != 0
        until(lambda: not alive(app_there), 30)
        assert read_job(job.folder).state.live, "it was cut in the middle"
    until(lambda: over(job))
    assert read_job(job.folder).state is State.DONE
    nothing_lost(job.folder)
    nothing_left(job.folder)
    video_is_whole(job.folder)


def test_two_apps_on_one_job(world: Path) -> None:
    """The engine is the stand-in here. One app ends the job, the other one sees it."""
    from standins import begin, running

    job = begin(world / "jobs", "steady")
    running(job)
    with app(world) as one, app(world) as two:
        for terminal in (one, two):
            terminal.wait_for("Home")
            terminal.send("3")
            terminal.wait_for("1 running")
        one.send("x")
        one.wait_for("Stop this job?")
        one.send("\r")
        for terminal in (one, two):
            terminal.wait_for("cancelled")
            terminal.send("q")
            assert terminal.exit_code() == 0
    nothing_lost(job.folder)
    nothing_left(job.folder)
