"""The parser of the engine's own commands: a wrong flag is told in one sentence. Knows no flag."""

from __future__ import annotations

import argparse
import sys
from typing import NoReturn

from lora_repository.i18n import _


class FlagParser(argparse.ArgumentParser):
    """As argparse's; its errors end with the command that shows all flags, and exit 2."""

    def error(self, message: str) -> NoReturn:
        """One sentence instead of a page of flags."""
        see = _("All flags: {command} --help").format(command=self.prog)
        sys.stderr.write(_("{fault}. {see}").format(fault=message, see=see) + "\n")
        raise SystemExit(2)
