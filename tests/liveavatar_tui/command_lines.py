"""A command line called in this process, its report read as a script or a person would read it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

Call = Callable[..., tuple[int, str, str]]


def asked(call: Call, *arguments: object) -> tuple[int, Any]:
    """Exit code and document of a command with `--json`."""
    code, out, err = call(*arguments, "--json")
    assert err == ""
    return code, json.loads(out)


def refused(call: Call, *arguments: object) -> tuple[int, str]:
    """(exit code, code of the finding) of a command that is refused in both ways of telling."""
    code, out, err = call(*arguments)
    assert out == "" and "Traceback" not in err
    again, told = asked(call, *arguments)
    (finding,) = told["findings"]
    assert again == code and finding["code"] in err and finding["fix"], told
    return code, finding["code"]
