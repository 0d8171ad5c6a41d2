"""`python -m liveavatar_tui.jobs.keeping FOLDER ORDERS`: the keeper of one job, from the queue to the last orphan.

It waits until it is the job's turn, its devices are free and its memory fits; starts the engine; sees it end; ends
whatever it left behind; notes the exit status. It leads a session of its own and has no terminal, so nothing that
happens to an app, a shell or a connection reaches it. Killed while it waits, another one takes its place (`queue`);
killed while the engine runs, only the exit status is lost: the engine needs nobody. Some 10 MB of memory, and one look
at one small file twice a second. Knows no screen.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Final

import msgspec

from engine.identity import Identity, boot_id, start_time
from engine.job_folder import JobFolder, Journal, RecordLock, reason
from engine.protocol import Failed
from liveavatar_tui import codes
from liveavatar_tui.jobs import control_group
from liveavatar_tui.jobs.devices import release, shortage, take_devices
from liveavatar_tui.jobs.promises import is_there, spoken_for
from liveavatar_tui.jobs.queue import Waiting, ahead, change, entry, let_in, queue_path, read_line, turn, without
from liveavatar_tui.jobs.records import (
    Launch,
    keeper_lock,
    read_cancel,
    read_launch,
    stamp,
    write_exit,
    write_launch,
)
from liveavatar_tui.jobs.starting import Orders, attend
from liveavatar_tui.jobs.sweeping import BRAND, sweep
from lora_repository.finding import Problem
from lora_repository.i18n import set_language

_LOOK_S: Final = 0.5
_NEIGHBOURS_S: Final = 3.0
_FITS_S: Final = 2.0
"""Between two questions whether the memory is free: with cards one costs some 10 ms."""


class Keeper:
    """Mutable: one job's, for its whole life."""

    def __init__(self, folder: JobFolder, orders: Orders) -> None:
        self._folder = folder
        self._jobs_dir = folder.root.parent
        self._orders = orders
        self._engine: subprocess.Popen[bytes] | None = None
        self._leader: Identity | None = None
        self._stopped = False
        self._line: tuple[object, Waiting | None, bool] = (None, None, False)
        self._fits_at = self._attended_at = 0.0

    def keep(self) -> int:
        """Until the job is over; the exit code."""
        lock = RecordLock(keeper_lock(self._folder))
        if not lock.take():
            self._answer("kept")  # by another one: two have been asked at the same time
            return 0
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, self._pass_on)
        signal.signal(signal.SIGINT, self._pass_on)
        started = self._wait() if self._orders.queued else self._start_now()
        if started:
            self._see_it_end()
        return 0

    def _pass_on(self, number: int, _frame: FrameType | None) -> None:
        """The keeper stays until the engine has ended."""
        self._stopped = True
        if self._engine is not None:
            self._engine.send_signal(number)

    def _answer(self, word: str) -> None:
        """Tell whoever asked for a keeper, once."""
        if self._orders.ready is not None:
            with contextlib.suppress(OSError):  # it may be gone already
                os.write(self._orders.ready, word.encode())
            os.close(self._orders.ready)
            self._orders = msgspec.structs.replace(self._orders, ready=None)

    # --- in the queue

    def _wait(self) -> bool:
        """Until the engine runs; False when the job left the queue."""
        while not self._stopped:
            mine, first = self._place()
            if mine is None or self._over():
                break
            if first and time.monotonic() >= self._fits_at and self._try(mine):
                return True
            self._answer("waiting")
            self._look_around()
            time.sleep(_LOOK_S)
        self._answer("left")
        return False

    def _over(self) -> bool:
        """Whether it has run already: started by a keeper that was killed before it could leave the queue."""
        if not self._folder.holds_a_run() and read_launch(self._folder) is None:
            return False
        with contextlib.suppress(Problem), turn(self._jobs_dir):
            change(self._jobs_dir, lambda line: without(line, self._folder.root.name))
        return True

    def _place(self) -> tuple[Waiting | None, bool]:
        """This job's entry, and whether it is its turn; the file is read only when it was replaced."""
        now = stamp(queue_path(self._jobs_dir))
        known, mine, first = self._line
        if now != known:
            mine, first = self._read_place()
            self._line = (now, mine, first)
        return mine, first

    def _read_place(self) -> tuple[Waiting | None, bool]:
        line = read_line(self._jobs_dir)
        mine = entry(line, self._folder.root.name)
        return mine, mine is not None and not mine.held and not ahead(line, mine.id)

    def _try(self, mine: Waiting) -> bool:
        """Start if the devices and their memory are free."""
        devices = take_devices(self._jobs_dir, mine.devices)
        if devices is None:
            return False
        try:
            if mine.needs and self._lacks(mine):
                self._fits_at = time.monotonic() + _FITS_S
                return False
            return self._go(mine, devices)
        finally:
            release(devices)  # the engine has its own descriptors of the same open files

    def _lacks(self, mine: Waiting) -> bool:
        """Whether the memory is not free; the driver is asked only by a job whose devices are."""
        from engine.probe import probe

        return shortage(mine.needs, probe(), spoken_for(self._jobs_dir, mine.id)) is not None

    def _go(self, mine: Waiting, devices: Sequence[int]) -> bool:
        """The engine started and the queue left in one turn: a cancel, hold or move comes before or after it."""
        try:
            with turn(self._jobs_dir):
                now, first = self._read_place()
                if now is None or not first or read_cancel(self._folder):
                    return False
                fault = self._start(devices)
                let_in(self._jobs_dir, mine, lambda job: job != mine.id and is_there(JobFolder(self._jobs_dir / job)))
        except Problem:
            return False  # somebody sits on the queue's lock: the next look tries again
        if fault is not None:
            told = codes.NOT_STARTED.finding(path=str(self._folder.root), reason=reason(fault))
            Journal(self._folder.events).append(Failed(code=told.code, message=told.message, fix=told.fix))
            return False
        self._answer("started")
        return True

    def _look_around(self) -> None:
        """Replace killed keepers of the queue: of the neighbours, or of the first one while this job runs."""
        if time.monotonic() < self._attended_at + _NEIGHBOURS_S:
            return
        self._attended_at = time.monotonic()
        with contextlib.suppress(Problem, OSError):  # there is a next look, and a next keeper
            attend(self._jobs_dir, near=self._folder.root.name)

    # --- the engine

    def _start_now(self) -> bool:
        """Without the queue: on devices that are free, or that another job has too."""
        devices = take_devices(self._jobs_dir, self._orders.devices) or ()
        fault = self._start(devices)
        release(devices)
        self._answer("started" if fault is None else f"fault {reason(fault)}")
        return fault is None

    def _start(self, devices: Sequence[int]) -> OSError | None:
        """The engine in a session and, where there can be one, a control group of its own; what came in the way."""
        spec = str(self._folder.spec)
        try:
            with control_group.inside(f"liveavatar-{self._folder.root.name}") as group:
                engine = subprocess.Popen(
                    [*self._orders.command, "--spec", spec],
                    stdin=subprocess.DEVNULL,
                    cwd=self._folder.root,
                    env={**os.environ, BRAND: str(self._folder.root)},
                    start_new_session=True,
                    pass_fds=devices,
                )
        except OSError as fault:
            return fault
        began = start_time(engine.pid)  # not reaped before this line: the number cannot be another process's
        assert began is not None, "a process that is not reaped keeps its entry"
        who = Identity(engine.pid, began, boot_id(), socket.gethostname())
        self._engine, self._leader = engine, who
        shelter = self._orders.scope or ("cgroup" if group is not None else "session")
        launch = Launch(engine=who, time=time.time(), shelter=shelter, cgroup=str(group or ""))
        with contextlib.suppress(OSError):  # a full disk: the engine says itself who it is, if it can
            write_launch(self._folder, launch)
        return None

    def _see_it_end(self) -> None:
        """Wait for the engine, end what it left, and write down how it went."""
        assert self._engine is not None, "it was started"
        handle = os.pidfd_open(self._engine.pid)
        poller = select.poll()
        poller.register(handle, select.POLLIN)
        while not poller.poll(_NEIGHBOURS_S * 1000):
            self._look_around()
        status = self._engine.wait()
        sweep(self._folder, self._leader)
        with contextlib.suppress(OSError):  # a folder deleted meanwhile needs no note
            write_exit(self._folder, status)


def main(arguments: Sequence[str]) -> int:
    """Keep the job in a folder as ordered."""
    folder, orders = arguments
    set_language()
    return Keeper(JobFolder(Path(folder)), msgspec.json.decode(orders, type=Orders)).keep()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
