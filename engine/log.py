"""Where words go: every line to `engine.log`, and to the terminal too when a person started the engine by hand.

What libraries print, in Python or in C, ends in the log as well: descriptors are redirected, not just Python's streams.
"""

from __future__ import annotations

import faulthandler
import logging
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final, TextIO

from lora_repository.finding import Finding
from lora_repository.i18n import _

LOG: Final = logging.getLogger("engine")
_FORMAT: Final = "[%(levelname)s] %(message)s"


class Terminal:
    """The standard streams as they were before the log took their places; None where they already were the log."""

    def __init__(self, out: TextIO | None, err: TextIO | None) -> None:
        self._out = out
        self._err = err

    def result(self, line: str) -> None:
        """What a script reads: one line on standard output."""
        _say(self._out, line)

    def tell(self, finding: Finding) -> None:
        """A failure, for a person: code and message, then what mends it."""
        lines = [f"{finding.code}: {finding.message}"]
        if finding.fix:
            lines.append(_("To mend it: {fix}").format(fix=finding.fix))
        for stream in (self._err, sys.stderr):
            _say(stream, "\n".join(lines))


class _TerminalHandler(logging.StreamHandler[TextIO]):
    """Falls silent when the terminal is gone: the run goes on, and the log has every line."""

    def handleError(self, record: logging.LogRecord) -> None:  # logging's name
        LOG.removeHandler(self)


def open_log(path: Path) -> Terminal:
    """Send standard output and error to `path` unless they go there already, and start the engine's logger."""
    out, err = (_divert(stream, path) for stream in (sys.stdout, sys.stderr))
    faulthandler.enable(sys.stderr)
    LOG.setLevel(logging.INFO)
    LOG.propagate = False
    handlers = [logging.StreamHandler(sys.stderr)] + ([] if err is None else [_TerminalHandler(err)])
    for handler in handlers:
        handler.setFormatter(logging.Formatter(_FORMAT))
        LOG.addHandler(handler)
    return Terminal(out, err)


def _say(stream: TextIO | None, text: str) -> None:
    """Print to a stream, if there is one, that may be gone by now."""
    if stream is None:
        return
    with suppress(OSError):
        print(text, file=stream, flush=True)


def _divert(stream: TextIO, path: Path) -> TextIO | None:
    """Make the stream's descriptor write to the log; returns a stream on where it wrote before."""
    number = stream.fileno()
    log = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        if os.path.sameopenfile(number, log):
            return None
        stream.flush()
        before = os.fdopen(os.dup(number), "w", buffering=1, encoding="utf-8", errors="backslashreplace")
        os.dup2(log, number)
        return before
    finally:
        os.close(log)
