"""Looking at jobs: one followed, all listed, one found by a few letters. Only reads, so any number may watch."""

from __future__ import annotations

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
    """Mutable: one watcher a job, so that a look costs what was added; ended jobs are read once, their notes again."""

    def __init__(self, jobs_dir: Path) -> None:
        self._dir = jobs_dir
        self._watchers: dict[Path, Watcher] = {}
        self._ended: dict[Path, tuple[object, Job]] = {}

    def look(self) -> tuple[Job, ...]:
        """Every job, newest first."""
        folders = job_folders(self._dir)
        roots = {folder.root for folder in folders}
        self._watchers = {root: watcher for root, watcher in self._watchers.items() if root in roots}
        self._ended = {root: known for root, known in self._ended.items() if root in roots}
        return tuple(self._job(folder) for folder in folders)

    def _job(self, folder: JobFolder) -> Job:
        noted = stamp(note_path(folder))
        before, ended = self._ended.get(folder.root, (None, None))
        if ended is not None:
            if before == noted:
                return ended
            job = replace(ended, note=read_note(folder))
        else:
            job = self._watchers.setdefault(folder.root, Watcher(folder)).poll()
        if job.story.end is not None:
            self._ended[folder.root] = (noted, job)
            self._watchers.pop(folder.root, None)
        return job


def job_folders(jobs_dir: Path) -> list[JobFolder]:
    """Every job folder, newest first; what holds no spec is not a job. A missing folder holds none."""
    try:
        entries = sorted(jobs_dir.iterdir(), key=lambda entry: entry.name, reverse=True)
    except FileNotFoundError:
        return []
    folders = [JobFolder(entry) for entry in entries]
    return [folder for folder in folders if not folder.root.name.startswith(".") and folder.spec.is_file()]


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
