"""Deploying LoRA versions with all that the settings and the jobs know: channels moved, versions made and removed.

A use-case between `lora_repository` and whoever asks, command line or app. Knows no screen; slow where it proves,
copies or fetches.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from liveavatar_tui import codes
from liveavatar_tui.jobs.state import State
from liveavatar_tui.proving import prover_for
from liveavatar_tui.settings import CHANNELS, Settings, Source
from lora_repository.channels import resolve_channel
from lora_repository.codes import IN_USE, NO_SUCH_CHANNEL, POLICY_UNMET
from lora_repository.finding import Finding, Problem, problem
from lora_repository.i18n import _
from lora_repository.kinship import bases_by_version, same_bytes
from lora_repository.pointers import LATEST, KeyPointer
from lora_repository.policy import LENIENT, Policy
from lora_repository.remote_copies import HUB_ID, is_url, url_file_name
from lora_repository.repository import LoraRepository
from lora_repository.version_name import match_version_name
from lora_repository.wording import command, shown, switch_command

if TYPE_CHECKING:
    from liveavatar_tui.jobs.job import Job
    from lora_repository.difference import Difference
    from lora_repository.history import Generation
    from lora_repository.published import Published
    from lora_repository.repository import Version
    from lora_repository.switch import Seen, Switch
    from lora_repository.trash import Trashed

PRODUCTION: Final = "production"
STAGING: Final = "staging"
SWITCHED: Final = (LATEST, *CHANNELS)
"""The channels that can be moved: the link first, then the keys of config.yaml."""


class Deployment:
    """The repository and the channels of these settings. Raises `Problem` (LORA0xx, CFG006) as the library does."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._folder = settings.file.parent if settings.file is not None else None
        self.repository = LoraRepository(Path(settings.lora.repository), prover_for(settings.ckpt_dir))

    def activate(self, channel: str, reference: str, reason: str = "", seen: Seen | None = None) -> Generation:
        """Point `channel` at `reference`: of `latest` a version, else whatever a channel may say.

        Raises Problem LORA056 where the channel is no longer as it was `seen`.
        """
        if channel == LATEST:
            return self.repository.activate(reference, reason, seen)
        self._require_reason(channel, reason, switch_command(channel, reference))
        return self.switch(channel).move_to(self._as_written(reference), reason, seen)

    def rollback(self, channel: str, to: int | None = None, reason: str = "", seen: Seen | None = None) -> Generation:
        """One state back, or to the one after generation `to`; nobody is asked for a reason in a hurry."""
        return self.switch(channel).rollback(to, reason, seen)

    def promote(self, reason: str = "", seen: Seen | None = None) -> Generation:
        """Point `production` at what `staging` stands for at this moment."""
        self._require_reason(PRODUCTION, reason, command("liveavatar-tui", "promote"))
        return self.switch(PRODUCTION).move_to(self.promoted(), reason, seen)

    def promoted(self) -> str:
        """What `promote` would point production at; raises Problem LORA061 where staging is not set."""
        return self._pinned(STAGING)

    def wants_reason(self, channel: str) -> bool:
        """Whether whoever switches `channel` has to say why."""
        return channel == PRODUCTION and self._settings.policy.reason

    def followers(self, channel: str) -> list[str]:
        """The channels of the settings that move with `channel`, because they name it."""
        found = [channel]
        for _step in CHANNELS:
            found += [
                name for name, target in self._settings.channels().items() if target in found and name not in found
            ]
        return found[1:]

    def outranked_by(self, channel: str) -> str | None:
        """The environment variable that decides here in place of config.yaml, None where there is none."""
        origin = self._settings.origins.get(f"lora.{channel}")
        return origin.name if origin is not None and origin.source is Source.ENVIRONMENT else None

    def fetch(self, reference: str, progress: Callable[[int, int | None], None] | None = None) -> Path:
        """The local copy of whatever `reference` stands for, downloaded where it is not on this host."""
        from lora_repository.fetch import resolve_or_fetch

        return resolve_or_fetch(reference, self._settings.channels(), self.repository, self._folder, progress)

    def publish(
        self, path: Path, name: str | None, title: str, progress: Callable[[int], None] | None, origin: str = ""
    ) -> Published:
        """Make a version of what lies at `path`; the record says `origin`, where that is something else."""
        return self.repository.publish(path, name, title=title, origin=origin, progress=progress)

    def title_of(self, reference: str) -> str:
        """What a version made of `reference` may be called where its path says nothing: a cache names by hash."""
        while reference in self._settings.channels():
            reference = self._settings.channels()[reference]
        if is_url(reference):
            return (url_file_name(reference) or "").removesuffix(".safetensors")
        match = HUB_ID.fullmatch(reference)
        return match[2] if match is not None and not os.path.lexists(reference) else ""

    def remove(self, name: str) -> Trashed:
        """Move a version that no channel, no running job and no other version needs to the trash."""
        version = str(self.repository.version(name).name)
        if jobs := self.jobs_by_version().get(version):
            raise _used_by_job(version, jobs[0])
        if others := self.bases_by_version().get(version):
            raise _used_as_base(version, others[0])
        return self.repository.remove(version, self.channels_by_version().get(version, ()))

    def prune(self, keep: int) -> list[Trashed]:
        """Move all but the newest `keep` versions to the trash; what a channel, a job or a version needs stays."""
        return self.repository.prune(keep, self._users())

    def prunable(self, keep: int) -> list[Version]:
        """The versions that `prune` would move, oldest first."""
        return self.repository.prunable(keep, self._users())

    def channels_by_version(self) -> dict[str, list[str]]:
        """Version -> the channels of the settings that lead to it."""
        found: dict[str, list[str]] = {}
        for channel in self._settings.channels():
            try:
                place = self.resolve(channel)
            except Problem:
                continue  # it leads nowhere, so it needs nothing
            if (version := self._version_at(place)) is not None:
                found.setdefault(version, []).append(channel)
        return found

    def jobs_by_version(self) -> dict[str, list[str]]:
        """Version -> the jobs that run with it, on this host or, as far as anybody here can tell, on another."""
        from liveavatar_tui.jobs.watching import list_jobs

        found: dict[str, list[str]] = {}
        for job in list_jobs(self._settings.jobs_folder()):
            for version in self._versions_of(job):
                found.setdefault(version, []).append(job.id)
        return found

    def resolve(self, reference: str) -> Path:
        """The folder or file on this host that `reference` stands for."""
        return resolve_channel(reference, self._settings.channels(), self.repository, self._folder)

    def bases_by_version(self) -> dict[str, list[str]]:
        """Version -> the versions that are applied on top of it."""
        return bases_by_version(self.repository.root, self.repository.versions())

    def users_of(self, name: str) -> list[str]:
        """Every channel, job and version that needs the version `name`; `latest` is one of them."""
        latest = self.repository.latest()
        return [*([LATEST] if latest and str(latest.name) == name else []), *self._users().get(name, ())]

    def difference(self, a: str, b: str, progress: Callable[[int, int], None] | None = None) -> Difference:
        """The LoRAs that two references stand for, compared; `progress` is told (bytes read, bytes to read)."""
        from liveavatar_tui.differing import difference_of

        return difference_of(self._settings.ckpt_dir, (a, self.resolve(a)), (b, self.resolve(b)), progress)

    def _users(self) -> dict[str, list[str]]:
        """Version -> the channels, jobs and versions that need it."""
        users = self.channels_by_version()
        for more in (self.jobs_by_version(), self.bases_by_version()):
            for version, names in more.items():
                users.setdefault(version, []).extend(names)
        return users

    def same_as(self, name: str, hashes: Mapping[str, str]) -> Finding | None:
        """The finding for a version that is the copy of another one; `hashes` are those of its files."""
        return same_bytes(self.repository.state, self.repository.versions(), name, hashes)

    def _versions_of(self, job: Job) -> set[str]:
        if job.spec is None or not (job.state.live or job.state is State.FOREIGN):
            return set()
        versions = {self._version_at(Path(adapter).resolve()) for adapter in job.spec.adapters}
        return {version for version in versions if version is not None}

    def _version_at(self, place: Path) -> str | None:
        """The version that `place` is, or lies in."""
        root = self.repository.root.resolve()
        name = place.relative_to(root).parts[:1] if place.is_relative_to(root) else ()
        return name[0] if name and match_version_name(name[0]) else None

    def switch(self, channel: str) -> Switch:
        """What moves `channel`, with the policy that holds for it."""
        if channel == LATEST:
            return self.repository.latest_switch()

        def locate(target: str) -> Path:
            channels = {**self._settings.channels(), channel: target}
            return resolve_channel(channel, channels, self.repository, self._folder)

        rules = self._settings.policy
        policy = Policy(rules.no_warnings, rules.published, rules.compared) if channel == PRODUCTION else LENIENT
        return self.repository.channel(self._pointer(channel), locate, policy)

    def _pointer(self, channel: str) -> KeyPointer:
        if self._settings.file is None:
            raise codes.CHANNEL_HAS_NO_FILE.problem(channel=channel, exit_code=2)
        return KeyPointer(self._settings.file, channel)

    def _as_written(self, reference: str) -> str:
        """What config.yaml is to say: a version by its whole name, a path absolute, anything else as it was typed.

        Raises as `resolve_channel` for what leads nowhere on this host.
        """
        place = self.resolve(reference)
        if reference == LATEST or reference in self._settings.channels() or is_url(reference):
            return reference
        if "/" not in reference and place.parent == self.repository.root.resolve() and match_version_name(place.name):
            return place.name
        typed = Path(reference).expanduser().absolute()
        return os.path.normpath(typed) if os.path.lexists(typed) else reference

    def _pinned(self, channel: str) -> str:
        """What `channel` says in the file, followed until no channel is named: production must not move by itself."""
        seen: list[str] = []
        target: str | None = channel
        while target in CHANNELS and target not in seen:
            seen.append(target)
            target = self._pointer(target).current() or (LATEST if target == "default" else None)
        if target is None:
            message = _("{channel} is not set, so there is nothing to promote.").format(channel=channel)
            fix = _("Point it at a version: {command}").format(command=switch_command(channel))
            raise problem(NO_SUCH_CHANNEL, message, fix, exit_code=2)
        latest = self.repository.latest() if target == LATEST else None
        return str(latest.name) if latest is not None else target

    def _require_reason(self, channel: str, reason: str, wanted: str) -> None:
        if reason.strip() or not self.wants_reason(channel):
            return
        message = _("{channel} changes for everybody who uses it, and no reason was given.").format(channel=channel)
        fix = _("Say why: {command}").format(command=f'{wanted} --reason "ticket 812"')
        raise problem(POLICY_UNMET, message, fix, exit_code=2)


def _used_as_base(version: str, other: str) -> Problem:
    return problem(
        IN_USE,
        _("{name} is the base adapter of {other} and cannot be removed.").format(name=version, other=shown(other)),
        _("Remove that one first: {command}").format(command=command("liveavatar-tui", "remove", other)),
    )


def _used_by_job(version: str, job: str) -> Problem:
    return problem(
        IN_USE,
        _("{name} is in use by the job {job} and cannot be removed.").format(name=version, job=shown(job)),
        _("Wait for it, or end it: {command}").format(command=command("liveavatar-tui", "jobs", "cancel", job)),
    )
