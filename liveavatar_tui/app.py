"""Opens the full-screen app: is this a terminal that can show it, and nothing in the way of the first paint.

Knows no screen. Textual is imported inside, where the collector of garbage rests already.
"""

from __future__ import annotations

import gc

from liveavatar_tui.settings import Settings


def run_app(settings: Settings) -> int:
    """Run the app until the user leaves; the exit code: 0 for leaving, 128 + n for signal n.

    Raises `Problem` TERM001 or TERM002 (exit code 2) where no full-screen app can run.
    """
    from liveavatar_tui.terminal.capabilities import refusal, speak_utf8

    if error := refusal():
        raise error
    speak_utf8()
    # Until the first paint: collections while modules load cost 18 ms, a full one in the middle of the paint 28 ms.
    gc.disable()
    from liveavatar_tui.full_screen import LiveAvatarApp

    app = LiveAvatarApp(settings, painted=_collect_again)
    app.run()
    return app.return_code or 0


def _collect_again() -> None:
    gc.freeze()  # modules and style sheets stay for good: no collection need look at them
    gc.enable()
