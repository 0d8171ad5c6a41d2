"""A switch of a channel in words: what changes, for whom, and what speaks against it. Pure; knows no widget."""

from __future__ import annotations

from textual.content import Content

from liveavatar_tui.safe_text import safe_text
from liveavatar_tui.switch_plan import SwitchPlan
from liveavatar_tui.widgets.findings import describe_one
from liveavatar_tui.widgets.paragraphs import Paragraph, paragraph
from lora_repository.history import Generation
from lora_repository.i18n import _, ngettext

PRODUCTION = "production"
_SHOWN_JOBS = 3
_BADGE = "bold $production on $accent"


def channel_name(channel: str) -> Content:
    """A channel as it stands everywhere: production in capitals on its colour."""
    if channel == PRODUCTION:
        return Content.styled(f" {channel.upper()} ", _BADGE)
    style = {"latest": "bold $primary", "staging": "bold $secondary"}.get(channel, "bold")
    return Content.styled(safe_text(channel), style)


def channel_line(plan: SwitchPlan, width: int, name_width: int, before_width: int, *, chosen: bool) -> Content:
    """`▸ PRODUCTION   v1.0_product_demo  →  v2.1_customer_service` in at most `width` cells."""
    name = channel_name(plan.channel)
    before = Content(shorten(plan.before or _("nothing"), before_width))
    sign = Content.styled("▸ ", "bold $primary") if chosen else Content("  ")
    line = sign + name.pad_right(max(0, name_width - name.cell_length)) + Content("  ")
    line += before.pad_right(max(0, before_width - before.cell_length)) + Content.styled("  →  ", "$muted")
    return line + _outcome(plan, max(8, width - line.cell_length))


def _outcome(plan: SwitchPlan, width: int) -> Content:
    if plan.there:
        return Content.styled(_("is there already"), "$muted")
    if not plan.after:
        return Content.styled(_("nowhere to go"), "$muted")
    return Content.styled(shorten(plan.after, width), "bold" if plan.objection is None else "$text-error")


def consequences(plan: SwitchPlan) -> list[Paragraph]:
    """What the switch means, and for whom."""
    told: list[Paragraph] = []
    if plan.possible:
        told += _for_whom(plan)
    if plan.back_to is not None:
        told.append(paragraph(_state(plan), "· "))
    if plan.outranked:
        warning = _("{variable} is set here and outranks config.yaml.").format(variable=plan.outranked)
        told.append(_warning(warning))
    if plan.objection is not None:
        told += describe_one(plan.objection)
    elif plan.possible:
        told.append(
            paragraph(_("It would load, and no rule speaks against it."), Content.styled("✓ ", "$text-success"))
        )
    return told


def _for_whom(plan: SwitchPlan) -> list[Paragraph]:
    names = ", ".join([plan.channel, *plan.followers])
    told = [paragraph(_("The next run that names {channels} uses it.").format(channels=safe_text(names)), "· ")]
    if plan.followers:
        moved = ngettext(
            "{names} follows it and changes too.", "{names} follow it and change too.", len(plan.followers)
        )
        told.append(_warning(moved.format(names=", ".join(plan.followers))))
    count = len(plan.jobs)
    if count:
        kept = ngettext("{n} running job keeps {before}: {jobs}", "{n} running jobs keep {before}: {jobs}", count)
        jobs = ", ".join(plan.jobs[:_SHOWN_JOBS]) + (" …" if count > _SHOWN_JOBS else "")
        before = plan.stood_for or plan.before or ""
        told.append(paragraph(safe_text(kept.format(n=count, before=before, jobs=jobs)), "· "))
    return told


def _state(plan: SwitchPlan) -> str:
    if plan.recorded is None:
        return _("As it was before the first recorded switch.")
    told = _("As after generation {n}: {what}").format(n=plan.back_to, what=by_whom(plan.recorded))
    return safe_text(told)


def by_whom(made: Generation) -> str:
    """`li on gpu-07, 2026-03-14 09:26, ticket 812`."""
    when = f"{made.time.astimezone():%Y-%m-%d %H:%M}"
    told = _("{user} on {host}, {time}").format(user=made.user, host=made.host, time=when)
    return safe_text(f"{told}, {made.reason}" if made.reason else told)


def switched(made: Generation) -> str:
    """What happened, in one line."""
    name = made.channel.upper() if made.channel == PRODUCTION else made.channel
    return _("{channel} is {after} (generation {n}). {key} takes it back.").format(
        channel=name, after=made.after, n=made.number, key="u"
    )


def shorten(text: str, width: int) -> str:
    """`text`, made safe, in at most so many characters; the end of a reference says most, so its middle goes."""
    text = safe_text(text)
    if len(text) <= width:
        return text
    head = max(1, (width - 1) // 3)
    return text[:head] + "…" + text[len(text) - (width - 1 - head) :]


def _warning(text: str) -> Paragraph:
    return paragraph(Content.styled(safe_text(text), "$text-warning"), Content.styled("! ", "bold $text-warning"))
