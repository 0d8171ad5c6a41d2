"""What switching a channel would mean, before anybody decides: from, to, for whom, and what speaks against it.

Between `Deployment` and whoever asks. Knows no screen; slow where it proves and reads jobs. A plan holds the state that
was seen, so that carrying it out fails where another operator was faster.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final

import msgspec

from liveavatar_tui.deployment import PRODUCTION, SWITCHED, Deployment
from lora_repository.finding import Finding, Problem
from lora_repository.history import Generation
from lora_repository.pointers import LATEST
from lora_repository.switch import Seen

if TYPE_CHECKING:
    from lora_repository.switch import Switch

_NOWHERE: Final = Seen(0, None)


class SwitchPlan(msgspec.Struct, frozen=True):
    """`channel` would go from `before` to `after`, both as it says them; `stood_for` is the version behind `before`.

    `back_to` is the generation whose state comes back, and `recorded` that generation (None: the state before the
    first). `followers` are channels that move with it, `jobs` the running ones that keep what it was, `objection` what
    forbids it, `outranked` the environment variable that decides here in place of config.yaml.
    """

    channel: str
    seen: Seen
    after: str = ""
    stood_for: str | None = None
    back_to: int | None = None
    recorded: Generation | None = None
    promotes: bool = False
    followers: tuple[str, ...] = ()
    jobs: tuple[str, ...] = ()
    objection: Finding | None = None
    outranked: str | None = None
    wants_reason: bool = False

    @property
    def before(self) -> str | None:
        """What the channel says now."""
        return self.seen.target

    @property
    def there(self) -> bool:
        """It is there already, and it was a recorded switch that brought it."""
        return self.before == self.after and self.back_to is None

    @property
    def possible(self) -> bool:
        """Something would change, and nothing forbids it."""
        return bool(self.after) and not self.there and self.objection is None


Goal = Callable[["Switch"], tuple[str, int | None]]
"""What a channel would be pointed at, and the generation that is gone back to."""


def plan_moves(deployment: Deployment, version: str) -> list[SwitchPlan]:
    """Each channel pointed at `version`."""
    return _plans(deployment, SWITCHED, lambda _switch: (version, None))


def plan_promotion(deployment: Deployment) -> list[SwitchPlan]:
    """Production pointed at what staging is."""
    return [
        msgspec.structs.replace(plan, promotes=True)
        for plan in _plans(deployment, (PRODUCTION,), lambda _switch: (deployment.promoted(), None))
    ]


def plan_steps_back(deployment: Deployment) -> list[SwitchPlan]:
    """Each channel one step back."""
    return _plans(deployment, SWITCHED, lambda switch: switch.goal()[::-1])


def plan_return(deployment: Deployment, channel: str, number: int) -> list[SwitchPlan]:
    """A channel back to the state after generation `number`."""
    return _plans(deployment, (channel,), lambda switch: switch.goal(number)[::-1])


def carry_out(deployment: Deployment, plan: SwitchPlan, reason: str) -> Generation:
    """Do it; raises Problem as `Deployment`, LORA056 where the channel is no longer as the plan saw it."""
    if plan.back_to is not None:
        return deployment.rollback(plan.channel, plan.back_to, reason, plan.seen)
    if plan.promotes:
        return deployment.promote(reason, plan.seen)
    return deployment.activate(plan.channel, plan.after, reason, plan.seen)


def _plans(deployment: Deployment, channels: Iterable[str], goal: Goal) -> list[SwitchPlan]:
    versions = {name: version for version, names in deployment.channels_by_version().items() for name in names}
    jobs = deployment.jobs_by_version()
    recorded = {made.number: made for made in deployment.repository.past().generations}
    return [_plan(deployment, channel, goal, versions, jobs, recorded) for channel in channels]


def _plan(
    deployment: Deployment,
    channel: str,
    goal: Goal,
    versions: dict[str, str],
    jobs: dict[str, list[str]],
    recorded: dict[int, Generation],
) -> SwitchPlan:
    seen = _NOWHERE
    try:
        switch = deployment.switch(channel)
        seen = switch.seen()
        after, back_to = goal(switch)
    except Problem as error:
        return SwitchPlan(channel, seen, objection=error.finding)
    stood_for = seen.target if channel == LATEST else versions.get(channel)
    return SwitchPlan(
        channel,
        seen,
        after,
        stood_for,
        back_to,
        recorded.get(back_to or 0),
        followers=tuple(deployment.followers(channel)),
        jobs=tuple(jobs.get(stood_for or "", ())),
        objection=switch.objection(after),
        outranked=deployment.outranked_by(channel),
        wants_reason=deployment.wants_reason(channel) and back_to is None,
    )
