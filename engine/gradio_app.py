"""`python -m engine.gradio_app`: the name by which the form in a browser is known; the face holds the form itself.

The engine knows no face: this process becomes the other one, with the same words.
"""

from __future__ import annotations

import os
import sys
from typing import Final

FORM: Final = "liveavatar_tui.web.form"


def main() -> None:
    """Become the process of the form."""
    os.execv(sys.executable, [sys.executable, "-m", FORM, *sys.argv[1:]])  # noqa: S606  # no shell is what is wanted


if __name__ == "__main__":
    main()
