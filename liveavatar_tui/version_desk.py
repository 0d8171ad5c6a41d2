"""What the screens of versions share: settings as their file says by now, the catalogue, and what can be taken back.

A use-case between `Deployment` and the screens. Knows no widget; every method may be slow and is called from a worker.
"""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from liveavatar_tui.catalogue import Catalogue, Listing
from liveavatar_tui.settings import Settings, reload_settings
from lora_repository.finding import Finding, Problem
from lora_repository.i18n import _, ngettext

if TYPE_CHECKING:
    from liveavatar_tui.deployment import Deployment
    from liveavatar_tui.switch_plan import SwitchPlan
    from lora_repository.base import BaseTable
    from lora_repository.history import Generation
    from lora_repository.trash import Trashed


class Kept(msgspec.Struct, frozen=True):
    """One removed version: where it lies, its name, when it was removed (UTC), its bytes."""

    key: str
    name: str
    time: datetime
    size: int


class Going(msgspec.Struct, frozen=True):
    """Versions that would go, and how many bytes they are."""

    names: tuple[str, ...]
    size: int


class Fetching(msgspec.Struct, frozen=True):
    """What a reference stands for: `here` where it is on this host, else the `place` it would come to, with the room
    there in bytes; `finding` where it leads nowhere."""

    reference: str
    stands_for: str
    here: Path | None = None
    place: Path | None = None
    free: int = 0
    finding: Finding | None = None


UPSTREAM: Final = "Quark-Vision/Live-Avatar"
_FIRST: Final = 150  # more than any terminal has rows


class VersionDesk:
    """Mutable: remembers what was done here, newest last, until it is taken back or the app ends."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._channels = settings.channels()
        self._done: list[Generation | tuple[str, ...]] = []
        self.catalogue = Catalogue(Path(settings.lora.repository), self._channels, settings.ckpt_dir)

    @property
    def settings(self) -> Settings:
        """As they were read last."""
        return self._settings

    def read(self) -> Listing:
        """Every version, with the channels as config.yaml says by now; what is wrong with the file is a finding."""
        try:
            self.refresh()
        except Problem as error:
            listing = self.catalogue.read()
            return msgspec.structs.replace(listing, findings=(error.finding, *listing.findings))
        return self.catalogue.read()

    def glance(self) -> Listing:
        """The highest versions alone where there are many, with the settings as they are: what is shown first."""
        return self.catalogue.glance(_FIRST)

    def refresh(self) -> None:
        """Read the settings again; raises Problem CFG0xx, and those read before stay in force."""
        self._settings = reload_settings(self._settings)
        found = self._settings.channels()
        for name in self._channels.keys() - found.keys():
            del self._channels[name]
        self._channels.update(found)

    def deployment(self) -> Deployment:
        """For one act or one look: with the settings of this moment. Raises Problem CFG0xx."""
        from liveavatar_tui.deployment import Deployment

        self.refresh()
        return Deployment(self._settings)

    def bases(self) -> tuple[BaseTable, BaseTable]:
        """The linears of the base model: video model, text encoder. Raises Problem RUN0xx."""
        from engine.checkpoint_layout import find_layout
        from engine.resolving import base_tables

        return base_tables(find_layout(self._settings.ckpt_dir))

    def unfetched(self) -> str:
        """The first channel that is not on this host, else upstream's own adapter."""
        from lora_repository.codes import NOT_FETCHED

        deployment = self.deployment()
        for channel in self._settings.channels():
            try:
                deployment.resolve(channel)
            except Problem as error:
                if error.finding.code == NOT_FETCHED:
                    return channel
        return UPSTREAM

    def fetching(self, reference: str) -> Fetching:
        """What fetching `reference` would mean; what is wrong with it is a finding."""
        from lora_repository.codes import NOT_FETCHED
        from lora_repository.remote_copies import hub_cache, is_url, url_place, without_secrets

        target, channels = reference, self._settings.channels()
        for _step in channels:
            target = channels.get(target, target)
        shown = without_secrets(target) if is_url(target) else target
        try:
            return Fetching(reference, shown, here=self.deployment().resolve(reference))
        except Problem as error:
            if error.finding.code != NOT_FETCHED:
                return Fetching(reference, shown, finding=error.finding)
        place = url_place(target).parent if is_url(target) else hub_cache()
        there = next(folder for folder in (place, *place.parents) if folder.is_dir())
        return Fetching(reference, shown, place=place, free=shutil.disk_usage(there).free)

    def switch(self, plan: SwitchPlan, reason: str) -> Generation:
        """Carry a plan out; raises Problem."""
        from liveavatar_tui.switch_plan import carry_out

        made = carry_out(self.deployment(), plan, reason)
        self._done.append(made)
        return made

    def remove(self, name: str) -> Trashed:
        """Move a version to the trash; raises Problem."""
        gone = self.deployment().remove(name)
        self._done.append((gone.name,))
        return gone

    def prune(self, keep: int) -> list[Trashed]:
        """Move all but the newest `keep` that nobody needs to the trash; raises Problem."""
        gone = self.deployment().prune(keep)
        if gone:
            self._done.append(tuple(one.name for one in gone))
        return gone

    def pruning(self, keep: int) -> Going:
        """What `prune` would move, the oldest first; raises Problem."""
        versions = self.deployment().prunable(keep)
        return Going(tuple(str(version.name) for version in versions), sum(size_of(one.path) for one in versions))

    def kept(self) -> list[Kept]:
        """What is in the trash, the newest first; raises Problem."""
        removed = self.deployment().repository.removed()
        return [Kept(str(one.place), one.name, one.time, size_of(one.place)) for one in removed]

    def restore(self, name: str) -> str:
        """Bring the newest removed version of that name back; its name. Raises Problem."""
        return str(self.deployment().repository.restore(name).name)

    def emptying(self, days: int) -> Going:
        """What `empty` would delete; raises Problem."""
        limit = datetime.now(UTC) - timedelta(days=days)
        old = [one for one in self.kept() if one.time < limit]
        return Going(tuple(one.name for one in old), sum(one.size for one in old))

    def empty(self, days: int) -> list[str]:
        """Delete for good what was removed `days` ago or earlier; the names. Raises Problem."""
        return self.deployment().repository.empty_trash(days)

    def undo(self) -> str | None:
        """Take back what was done last here; what was done, in words, or None where nothing is left. Raises Problem."""
        if not self._done:
            return None
        last = self._done[-1]
        told = self._restore(last) if isinstance(last, tuple) else self._switch_back(last)
        self._done.pop()
        return told

    def _restore(self, names: tuple[str, ...]) -> str:
        repository = self.deployment().repository
        for name in names:
            repository.restore(name)
        if len(names) == 1:
            return _("{name} is back.").format(name=names[0])
        return ngettext("{n} version is back.", "{n} versions are back.", len(names)).format(n=len(names))

    def _switch_back(self, made: Generation) -> str:
        from lora_repository.codes import NOTHING_TO_ROLL_BACK
        from lora_repository.finding import problem
        from lora_repository.switch import Seen

        deployment = self.deployment()
        seen, reason = Seen(made.number, made.after), _("undo of generation {n}").format(n=made.number)
        earlier = [one for one in deployment.repository.past().of(made.channel) if one.number < made.number]
        if made.before is None:
            message = _("There was nothing before generation {n} of {channel} to go back to.")
            raise problem(NOTHING_TO_ROLL_BACK, message.format(n=made.number, channel=made.channel))
        if earlier and earlier[-1].after != made.before:  # somebody had changed the file by hand in between
            back = deployment.activate(made.channel, made.before, reason, seen)
        else:
            back = deployment.rollback(made.channel, earlier[-1].number if earlier else 0, reason, seen)
        told = _("{channel} is {after} again (generation {n}).")
        return told.format(channel=back.channel, after=back.after, n=back.number)


def size_of(folder: Path) -> int:
    """Bytes of the files in a version's folder; what cannot be seen counts as nothing."""
    try:
        return sum(entry.lstat().st_size for entry in folder.iterdir())
    except OSError:
        return 0
