"""What a channel may demand of a version beyond that it loads. Knows no pointer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from lora_repository.codes import POLICY_UNMET
from lora_repository.finding import Severity, problem
from lora_repository.i18n import _
from lora_repository.published import read_published
from lora_repository.scores import last_comparison
from lora_repository.wording import command, shown

if TYPE_CHECKING:
    from lora_repository.proof import Proof


@dataclass(frozen=True, slots=True)
class Policy:
    """`no_warnings`: nothing above info in the proof; `published`: a version of this repository that was published;
    `compared`: its last comparison, of these very bytes, was passed.
    """

    no_warnings: bool = False
    published: bool = False
    compared: bool = False

    def require(self, channel: str, version: Path, proof: Proof, state: Path) -> None:
        """Raises Problem LORA064 naming the first demand that `version` does not meet."""
        warnings = [finding for finding in proof.findings if finding.severity is Severity.WARNING]
        if self.no_warnings and warnings:
            message = _("{channel} takes no version with warnings, and {name} has one: {reason}").format(
                channel=channel, name=shown(version.name), reason=warnings[0].message
            )
            raise problem(POLICY_UNMET, message, warnings[0].fix, path=shown(version))
        record = read_published(state, version.name) if _is_ours(version, state) else None
        if self.published and record is None:
            message = _("{channel} takes published versions only, and {name} is none.").format(
                channel=channel, name=shown(version.name)
            )
            fix = _("Publish it first: {command}").format(command=command("liveavatar-tui", "publish", version))
            raise problem(POLICY_UNMET, message, fix, path=shown(version))

    def require_comparison(self, channel: str, version: Path, hashes: Mapping[str, str], state: Path) -> None:
        """Raises Problem LORA064 for a version that passed no comparison, or whose last one it did not pass."""
        if not self.compared:
            return
        last = last_comparison(state, version.name, hashes) if _is_ours(version, state) else None
        if last is not None and last.passed:
            return
        wanted = _("{channel} takes versions that passed a comparison, and {name} has none of its present files.")
        if last is not None:
            wanted = _("{channel} takes versions that passed a comparison, and {name} did not: {reason}")
        reason = last.reasons[0] if last is not None and last.reasons else "-"
        message = wanted.format(channel=channel, name=shown(version.name), reason=shown(reason))
        fix = _("Compare it with what {channel} is: {command}").format(
            channel=channel, command=command("liveavatar-tui", "compare", version.name, channel)
        )
        raise problem(POLICY_UNMET, message, fix, path=shown(version))


LENIENT: Final = Policy()
"""Asks for nothing but a version that loads."""


def _is_ours(version: Path, state: Path) -> bool:
    return version.parent.resolve() == state.parent.resolve()
