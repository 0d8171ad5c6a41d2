"""Looking at jobs: one followed, all listed, one found by a few letters. Only reads, so any number may watch."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from engine.identity import PROC
from engine.job_folder import JobFolder, read_journal
from engine.protocol import AnyEvent
from liveavatar_tui import codes
from liveavatar_tui.jobs.job import Job, Story, fold, read_spec, stand
from liveavatar_tui.jobs.records import note_path, read_note, stamp


class Watcher:
    """Mutable: follows one job from its first event; each `poll` costs what was added since the last."""

    def __init__(self, folder: JobFolder, *, proc: Path = PROC) -> None:
        self._folder = folder
        self._proc = proc
        self._offset = 0
        self._story = Story()
        self._spec = read_spec(folder)
        self.fresh: tuple[AnyEvent, ...] = ()
        """The events that the last poll brought."""

    def poll(self) -> Job:
        """The job at this moment."""
        job = self._judged()
        if not job.state.live and job.story.end is None:
            # The engine may have written its last line between our reading and our asking for it: read once more.
            job = self._judged(self.fresh)
        return job

    def _judged(self, before: tuple[AnyEvent, ...] = ()) -> Job:
        chunk = read_journal(self._folder.events, self._offset)
        self._offset = chunk.offset
        self.fresh = (*before, *chunk.events)
        self._story = fold(self._story, chunk.events)
        return stand(self._folder, self._story, self._spec, proc=self._proc)


def read_job(folder: JobFolder, *, proc: Path = PROC) -> Job:
    """One job at this moment."""
    return Watcher(folder, proc=proc).poll()


class Overview:
    """Mutable: what was seen of each job, so that a look costs what was added; of an ended one only its note."""

    def __init__(self, jobs_dir: Path) -> None:
        self._dir = jobs_dir
        self._seen: dict[str, _Seen] = {}

    def look(self) -> tuple[Job, ...]:
        """Every job, newest first."""
        try:
            names = sorted(os.listdir(self._dir), reverse=True)  # noqa: PTH208  # 3 ms less for 1,000 jobs than paths
        except FileNotFoundError:
            names = []
        before, self._seen = self._seen, {}
        for name in names:
            seen = before.get(name) or self._meet(name)
            if seen is not None:
                self._seen[name] = seen
        return tuple(seen.look() for seen in self._seen.values())

    def _meet(self, name: str) -> _Seen | None:
        folder = JobFolder(self._dir / name)
        return _Seen(folder) if is_job(folder) else None


class _Seen:
    """Mutable: one job of the overview; followed until it has ended, then kept."""

    def __init__(self, folder: JobFolder) -> None:
        self._folder = folder
        self._note = str(note_path(folder))
        self._watcher: Watcher | None = Watcher(folder)
        self._ended: tuple[object, Job] | None = None

    def look(self) -> Job:
        noted = stamp(self._note)
        if self._ended is not None and self._ended[0] == noted:
            return self._ended[1]
        if self._watcher is None:
            assert self._ended is not None, "who is not followed has ended"
            job = replace(self._ended[1], note=read_note(self._folder))
        else:
            job = self._watcher.poll()
        if job.story.end is not None:
            self._ended, self._watcher = (noted, job), None
        return job


def is_job(folder: JobFolder) -> bool:
    """Whether a folder is a job: what holds no spec is none, nor is one that is being deleted."""
    return not folder.root.name.startswith(".") and folder.spec.is_file()


def job_folders(jobs_dir: Path) -> list[JobFolder]:
    """Every job folder, newest first; what holds no spec is not a job. A missing folder holds none."""
    try:
        entries = sorted(jobs_dir.iterdir(), key=lambda entry: entry.name, reverse=True)
    except FileNotFoundError:
        return []
    folders = [JobFolder(entry) for entry in entries]
    return [folder for folder in folders if is_job(folder)]


def list_jobs(jobs_dir: Path, *, proc: Path = PROC) -> list[Job]:
    """Every job at this moment, newest first."""
    return [read_job(folder, proc=proc) for folder in job_folders(jobs_dir)]


def find_job(jobs_dir: Path, name: str) -> JobFolder:
    """The job called `name`: its id, the start or the end of one, or `last`. Raises `Problem` JOB001 or JOB002."""
    folders = job_folders(jobs_dir)
    if name == "last" and folders:
        return folders[0]
    exact = [folder for folder in folders if folder.root.name == name]
    like = [folder for folder in folders if folder.root.name.startswith(name) or folder.root.name.endswith(name)]
    found = exact or like
    if not found or not name:
        raise codes.NO_SUCH_JOB.problem(name=name, folder=str(jobs_dir))
    if len(found) > 1:
        names = ", ".join(folder.root.name for folder in found[:3])
        raise codes.JOB_AMBIGUOUS.problem(name=name, names=names)
    return found[0]
