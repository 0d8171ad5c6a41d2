"""Sentences of Python's own library that reach the screen, marked for the catalogue.

`json` words its faults in English; its sentences are translated where they are told: `_(error.msg)`. `argparse` looks
its own up in the catalogue of the process, so it is handed ours. A sentence that is not in this table stays English.
"""

from __future__ import annotations

import argparse
from typing import Final

from lora_repository.i18n import N_, _, ngettext

JSON: Final = (
    N_("Expecting value"),
    N_("Expecting property name enclosed in double quotes"),
    N_("Expecting ':' delimiter"),
    N_("Expecting ',' delimiter"),
    N_("Illegal trailing comma before end of object"),
    N_("Illegal trailing comma before end of array"),
    N_("Unterminated string starting at"),
    N_("Invalid control character at"),
    N_("Invalid \\escape"),
    N_("Invalid \\uXXXX escape"),
    N_("Expecting '{'"),
    N_("Expecting '\"'"),
    N_("Expecting ':'"),
    N_("Expecting ','"),
    N_("Extra text after the object"),
    N_("NaN is not JSON"),
    N_("Infinity is not JSON"),
    N_("-Infinity is not JSON"),
)
ARGPARSE: Final = (
    N_("usage: "),
    N_("options"),
    N_("positional arguments"),
    N_("show this help message and exit"),
    N_("argument %(argument_name)s: %(message)s"),
    N_("the following arguments are required: %s"),
    N_("unrecognized arguments: %s"),
    N_("invalid choice: %(value)r (choose from %(choices)s)"),
    N_("invalid %(type)s value: %(value)r"),
    N_("expected one argument"),
    N_("expected at least one argument"),
    N_("ignored explicit argument %r"),
    N_("not allowed with argument %s"),
)


def teach_argparse() -> None:
    """Let argparse speak the language in force from here on, also when that changes."""
    for name, spoken in (("_", _), ("ngettext", ngettext)):
        setattr(argparse, name, spoken)
