"""The form in a browser, by Gradio: the same run description, the same checks and the same jobs as the app.

Listens on this machine only, behind a name and a password that are made anew for each start. Knows no engine.
"""

from __future__ import annotations

import argparse
import os
import secrets
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from liveavatar_tui import codes
from liveavatar_tui import draft as drafts
from liveavatar_tui.commands.output import complain, complain_finding, finding_lines, say
from liveavatar_tui.draft import Draft
from liveavatar_tui.jobs.job import Job
from liveavatar_tui.jobs.words import PHASE_WORDS, STATE_WORDS
from liveavatar_tui.quantities import span_text
from liveavatar_tui.safe_text import safe_text
from liveavatar_tui.settings import Settings, load_settings
from lora_repository.borrowed import teach_argparse
from lora_repository.finding import Problem
from lora_repository.i18n import _, set_language

if TYPE_CHECKING:
    from liveavatar_tui.preflight.report import Report

USER: Final = "operator"
_LOOK_S: Final = 0.5
Shown = tuple[str, str | None, str | None]
"""What is told, the newest frame, the video."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve the form until interrupted; the exit code: 0, or 2 for misuse."""
    set_language()
    teach_argparse()
    given = vars(_parser().parse_args(arguments))
    try:
        settings = _settings(given)
        return _serve(settings, given.get("lora_path_dmd", []), given.get("host", "127.0.0.1"), given.get("port", 7860))
    except Problem as refusal:
        complain_finding(refusal.finding)
        return refusal.exit_code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m engine.gradio_app",
        description=_("A form for talking videos in a browser, on this machine only."),
        argument_default=argparse.SUPPRESS,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--lora_path_dmd", metavar="PATH", action="append", help=_("adapter; repeat it for a stack, base first"))
    add("--ckpt_dir", metavar="DIR", help=_("folder of the base model (default: the embedded avatar)"))
    add("--config", metavar="FILE", help=_("settings file"))
    add("--host", metavar="NAME", help=_("address to listen on (default: 127.0.0.1)"))
    add("--port", type=int, metavar="N", help=_("port to listen on (default: 7860; 0: any that is free)"))
    return parser


def _settings(given: dict[str, Any]) -> Settings:
    config = given.get("config")
    settings = load_settings(Path(config) if config else None, flags={"ckpt_dir": given.get("ckpt_dir")})
    if settings.language != "auto":
        set_language(settings.language)
    return settings


def _serve(settings: Settings, loras: Sequence[str], host: str, port: int) -> int:
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    try:
        page = build(Runs(settings, tuple(loras)))
    except ModuleNotFoundError as missing:
        raise codes.WEB_MISSING.problem(name=missing.name, exit_code=2) from missing
    password = secrets.token_urlsafe(18)
    if host not in ("127.0.0.1", "localhost", "::1"):
        complain(_("Whoever can reach {host} can reach this server, and nothing is encrypted.").format(host=host))
    jobs = str(settings.jobs_folder())
    try:
        _app, url, _share = page.launch(
            server_name=host,
            server_port=port or None,
            auth=(USER, password),
            auth_message=_("Name and password stand in the terminal that serves this page."),
            allowed_paths=[jobs],
            share=False,
            quiet=True,
            prevent_thread_lock=True,
            footer_links=[],
        )
    except OSError as fault:
        raise codes.WEB_PORT_TAKEN.problem(place=f"{host}:{port}", reason=str(fault), exit_code=2) from fault
    say(_("{url}  name: {user}  password: {password}").format(url=url, user=USER, password=password))
    sys.stdout.flush()
    page.block_thread()
    return 0


class Runs:
    """What the page can do, without the page: check a form, start a job from it and follow that."""

    def __init__(self, settings: Settings, loras: tuple[str, ...]) -> None:
        self.settings = settings
        self.loras = loras

    def draft(self, prompt: str, image: str | None, audio: str | None, size: str, clips: str, seed: str) -> Draft:
        """The form as the app would hold it; what is not given stands for the settings' own."""
        start = drafts.defaults(self.settings)
        return Draft(
            prompt=prompt,
            version=drafts.STACKED.join(self.loras) or start.version,
            image=image or start.image,
            audio=audio or start.audio,
            size=size,
            clips=clips,
            seed=seed,
            offload=start.offload,
            avatarise=start.avatarise,
        )

    def check(self, *fields: Any) -> str:
        """What preflight says about the form."""
        try:
            return _report_text(self._examined(self.draft(*fields)))
        except Problem as refusal:
            return "\n".join(finding_lines(refusal.finding))

    def generate(self, *fields: Any) -> Iterator[Shown]:
        """Check, start, follow; what forbids the run is told and nothing is started."""
        from liveavatar_tui.jobs.admitting import admit, obstacles

        draft = self.draft(*fields)
        jobs = self.settings.jobs_folder()
        try:
            report = self._examined(draft)
            if obstacles(report, jobs):
                yield _report_text(report), None, None
                return
            job = admit(drafts.compose(draft, self.settings), jobs, report)
        except Problem as refusal:
            yield "\n".join(finding_lines(refusal.finding)), None, None
            return
        yield from _followed(job)

    def _examined(self, draft: Draft) -> Report:
        from liveavatar_tui.preflight import preflight

        if faults := drafts.faults(draft):
            name, expected = next(iter(faults.items()))
            raise codes.SETTING_WRONG.problem(
                origin=_("form"), key=name, value=repr(getattr(draft, name)), reason=expected
            )
        return preflight(drafts.compose(draft, self.settings), self.settings)


def _report_text(report: Report) -> str:
    told = [line for finding in report.findings for line in finding_lines(finding)]
    rows = ["  ".join(cell for cell in row.cells() if cell) for row in report.rows]
    return safe_text("\n".join([*told, *rows]), multiline=True)


def _followed(job: Job) -> Iterator[Shown]:
    """The job until it ends, each time that it has told something."""
    from liveavatar_tui.jobs.watching import Watcher

    watcher, told = Watcher(job.folder), -2
    while True:
        now = watcher.poll()
        if now.story.seq != told or not now.state.live:
            told = now.story.seq
            frame = str(now.folder.preview) if now.folder.preview.exists() else None
            video = str(now.folder.output) if not now.state.live and now.folder.output.exists() else None
            yield _job_text(now), frame, video
        if not now.state.live:
            return
        time.sleep(_LOOK_S)


def _job_text(job: Job) -> str:
    end = job.story.end
    if (message := getattr(end, "message", "")) and end is not None:
        return safe_text(f"{getattr(end, 'code', '')}: {message}\n{getattr(end, 'fix', '')}", multiline=True)
    word = _(PHASE_WORDS[job.story.phase]) if job.state.active else _(STATE_WORDS[job.state])
    done = "" if job.fraction is None else f" {job.fraction:.0%}"
    return f"{job.id}: {word}{done}  {span_text(job.elapsed_s)}"


def build(runs: Runs) -> Any:
    """The page: fields at the left, what comes of them at the right."""
    import gradio

    start = drafts.defaults(runs.settings)
    with gradio.Blocks(title="Live Avatar", analytics_enabled=False) as page:
        gradio.Markdown("# Live Avatar")
        with gradio.Row():
            with gradio.Column():
                fields = [
                    gradio.Textbox(start.prompt, label=_("Prompt"), elem_id="prompt"),
                    gradio.Image(label=_("Portrait"), type="filepath", elem_id="image"),
                    gradio.Audio(label=_("Speech"), type="filepath", elem_id="audio"),
                    gradio.Textbox(start.size, label=_("Size"), elem_id="size"),
                    gradio.Textbox(start.clips, label=_("Clips"), placeholder=_("auto"), elem_id="clips"),
                    gradio.Textbox(start.seed, label=_("Seed"), elem_id="seed"),
                ]
                check = gradio.Button(_("Check"), elem_id="check")
                launch = gradio.Button(_("Generate"), variant="primary", elem_id="launch")
            with gradio.Column():
                told = gradio.Textbox(label=_("Report"), lines=12, interactive=False, elem_id="told")
                frame = gradio.Image(
                    label=_("Newest frame"), interactive=False, elem_id="frame", buttons=["fullscreen"]
                )
                video = gradio.Video(label=_("Video"), interactive=False, elem_id="video")
        check.click(runs.check, fields, told)
        launch.click(runs.generate, fields, [told, frame, video])
    return page


if __name__ == "__main__":
    sys.exit(main())
