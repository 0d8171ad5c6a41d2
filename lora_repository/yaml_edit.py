"""One value of a YAML file read or replaced, with every comment, blank and quote elsewhere kept byte for byte.

Knows no setting by name. What it cannot replace safely it refuses: an alias, a value that is a list, a flow mapping.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Final

import yaml

from lora_repository.codes import CONFIG_NOT_EDITABLE
from lora_repository.finding import Problem, problem
from lora_repository.i18n import _
from lora_repository.wording import command, shown

_PLAIN: Final = re.compile(r"[A-Za-z0-9_./][A-Za-z0-9_./@-]*")
# ValueError: a date such as 2025-13-45. RecursionError: a thousand brackets.
_UNREADABLE: Final = (yaml.YAMLError, ValueError, RecursionError)
Keys = tuple[str] | tuple[str, str]
"""A key at the top of the file, or one in a section."""


def read_scalar(text: str, keys: Keys, path: Path) -> str | None:
    """The text of the scalar at `keys`, None where it is absent or null; `path` is for the report."""
    value = _value_of(_section(text, keys, path), keys[-1])
    if value is None:
        return None
    if not isinstance(value, yaml.ScalarNode):
        raise _refused(path, keys, _("it is not one value"))
    return None if value.tag == "tag:yaml.org,2002:null" else str(value.value)


def replace_scalar(text: str, keys: Keys, new: str | float | bool | None, path: Path) -> str:
    """`text` with `new` at `keys`; a missing key or section is added. Raises Problem LORA063 where that is not safe."""
    section = _section(text, keys, path)
    value = _value_of(section, keys[-1])
    if value is not None:
        edited = _with_value(text, value, keys, _written(new), path)
    elif section is not None and len(keys) == 2:
        edited = _with_key(text, section, keys, _written(new), path)
    else:
        ending = "" if not text or text.endswith("\n") else "\n"
        opening = f"{keys[0]}:\n  " if len(keys) == 2 else ""
        edited = f"{text}{ending}{opening}{keys[-1]}: {_written(new)}\n"
    _prove(text, edited, keys, new, path)
    return edited


def _written(new: str | float | bool | None) -> str:
    """As YAML: text without quotes where it reads as itself."""
    plain = isinstance(new, str) and _PLAIN.fullmatch(new) and yaml.safe_load(new) == new
    return str(new) if plain else json.dumps(new, ensure_ascii=False)


def _section(text: str, keys: Keys, path: Path) -> yaml.Node | None:
    """What holds the last of `keys`: a section, or the whole file."""
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except _UNREADABLE as error:
        raise _refused(path, keys, str(error).partition("\n")[0]) from None
    if root is not None and not isinstance(root, yaml.MappingNode):
        raise _refused(path, keys, _("it is not a list of keys and values"))
    return _value_of(root, keys[0]) if len(keys) == 2 else root


def _value_of(node: yaml.Node | None, name: str) -> yaml.Node | None:
    if not isinstance(node, yaml.MappingNode):
        return None
    return next((value for key, value in node.value if key.value == name), None)


def _with_key(text: str, section: yaml.Node, keys: Keys, written: str, path: Path) -> str:
    """The key as a new first line of its section, indented as the lines that follow."""
    if not isinstance(section, yaml.MappingNode) or section.flow_style or not section.value:
        raise _refused(path, keys, _("its section is not a list of keys and values"))
    first = section.value[0][0].start_mark
    at = text.rfind("\n", 0, first.index) + 1
    return f"{text[:at]}{' ' * first.column}{keys[-1]}: {written}\n{text[at:]}"


def _with_value(text: str, value: yaml.Node, keys: Keys, written: str, path: Path) -> str:
    start, end = value.start_mark.index, value.end_mark.index
    if not isinstance(value, yaml.ScalarNode) or value.style in ("|", ">"):
        raise _refused(path, keys, _("it is not one plain value"))
    # `key:` without a value is an empty scalar right behind the colon.
    space = " " if start == end and text[start - 1 : start] == ":" else ""
    return text[:start] + space + written + text[end:]


def _prove(text: str, edited: str, keys: Keys, new: object, path: Path) -> None:
    """Read both as YAML does: nothing but the one value may differ."""
    try:
        before, after = yaml.safe_load(text) or {}, yaml.safe_load(edited)
    except _UNREADABLE:
        raise _refused(path, keys, _("it is not one plain value")) from None
    section = before.get(keys[0]) or {} if len(keys) == 2 else before
    # Of a key that is there twice, loading takes the last and editing the first.
    if not isinstance(section, dict):
        raise _refused(path, keys, _("other values would change with it"))
    changed = section | {keys[-1]: new}
    if after != (before | {keys[0]: changed} if len(keys) == 2 else changed):
        raise _refused(path, keys, _("other values would change with it"))


def _refused(path: Path, keys: Keys, reason: str) -> Problem:
    return problem(
        CONFIG_NOT_EDITABLE,
        _("{key} in {path} cannot be changed: {reason}.").format(
            key=".".join(key for key in keys if key), path=shown(path), reason=shown(reason)
        ),
        _("Change it in an editor: {command}").format(command=command("editor", path)),
        path=shown(path),
    )
