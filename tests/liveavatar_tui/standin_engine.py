"""A process that keeps a job folder exactly as the engine does, without a model. The prompt says how it behaves."""

from __future__ import annotations

import faulthandler
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from engine.identity import own
from engine.job_folder import JobFolder, Journal, RecordLock
from engine.protocol import Cancelled, Failed, Finished, Phase, PhaseChanged, Plan, Progress, Started
from engine.spec import decode
from lora_repository.files import write_whole

BLOCKS = {"finishes": 4, "fails": 4, "sets": 4, "films": 50}
"""How many it makes in some moods; else it goes on."""


def main() -> int:
    path = Path(sys.argv[sys.argv.index("--spec") + 1])
    mood = decode(path.read_bytes()).prompt
    folder = JobFolder(path.parent)
    if mood == "dies before it speaks":
        print("ImportError: libnowhere.so", file=sys.stderr)
        return 1
    lock = RecordLock(folder.lock)
    assert lock.take()
    journal = Journal(folder.events)
    me = own()
    stopped: list[int] = []
    signal.signal(signal.SIGTERM, signal.SIG_IGN if mood == "deaf" else lambda number, _frame: stopped.append(number))
    if mood == "leaves a worker":
        subprocess.Popen([sys.executable, "-c", "import signal,time; signal.signal(15, 1); time.sleep(60)"])
    if mood == "leaves a daemon":
        leave_a_daemon(folder.root / "daemon.pid")
    journal.append(Started(v=1, pid=me.pid, start_time=me.start_time, boot_id=me.boot_id, host=me.host, engine="0"))
    journal.append(PhaseChanged(phase=Phase.GENERATING))
    journal.append(Plan(width=128, height=128, blocks=4, frames=48))
    print(*sys.argv, flush=True)
    print("stdin:", Path("/proc/self/fd/0").readlink(), "session:", os.getsid(0) == os.getpid(), flush=True)
    if mood == "crashes":
        faulthandler._sigsegv()
    for block in range(1, BLOCKS.get(mood.partition(" ")[0], 10**6) + 1):
        journal.append(Progress(block=block, blocks=4, frame=12 * block, frames=48, fps=25.0, eta_s=1.0))
        time.sleep(600 if mood == "hangs" else 0.02)
        if mood.startswith("sets the clock") and block == 2:
            set_the_clock(3600 * int(mood.split()[-1]))
        if stopped:
            journal.append(Cancelled(reason="SIGTERM"))
            return 0
    if mood == "films":
        write_whole(folder.output, b"film")
    if mood == "fails":
        journal.append(Failed(code="RUN040", message="out of memory"))
        return 1
    journal.append(Finished(output=str(folder.output), frames=48, seconds=1.9, fps=25.0, first_frame_s=0.1))
    return 0


def set_the_clock(seconds: int) -> None:
    """The wall clock of this process, by so much; the monotonic one knows nothing of it."""
    true = time.time
    time.time = lambda: true() + seconds


def leave_a_daemon(note: Path) -> None:
    """A forked worker that leaves session and parent as daemons do, and keeps every open file."""
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            note.with_suffix(".new").write_text(str(os.getpid()))
            note.with_suffix(".new").rename(note)
            time.sleep(600)
        os._exit(0)
    os.wait()


if __name__ == "__main__":
    sys.exit(main())
