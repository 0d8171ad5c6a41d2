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
Keys = tuple[str, str]


def read_scalar(text: str, keys: Keys, path: Path) -> str | None:
    """The text of the scalar at `keys` (section, key), None where it is absent or null; `path` is for the report."""
    value = _value_of(_section(text, keys[0], path), keys[1])
    if value is None:
        return None
    if not isinstance(value, yaml.ScalarNode):
        raise _refused(path, keys, _("it is not one value"))
    return None if value.tag == "tag:yaml.org,2002:null" else str(value.value)


def replace_scalar(text: str, keys: Keys, new: str, path: Path) -> str:
    """`text` with `new` at `keys`; a missing key or section is added. Raises Problem LORA063 where that is not safe."""
    section = _section(text, keys[0], path)
    value = _value_of(section, keys[1])
    written = new if _PLAIN.fullmatch(new) and yaml.safe_load(new) == new else json.dumps(new, ensure_ascii=False)
    if section is None:
        ending = "" if not text or text.endswith("\n") else "\n"
        edited = f"{text}{ending}{keys[0]}:\n  {keys[1]}: {written}\n"
    elif value is None:
        edited = _with_key(text, section, keys, written, path)
    else:
        edited = _with_value(text, value, keys, written, path)
    _prove(text, edited, keys, new, path)
    return edited


def _section(text: str, name: str, path: Path) -> yaml.Node | None:
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except _UNREADABLE as error:
        raise _refused(path, (name, ""), str(error).partition("\n")[0]) from None
    if root is not None and not isinstance(root, yaml.MappingNode):
        raise _refused(path, (name, ""), _("it is not a list of keys and values"))
    return _value_of(root, name)


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
    return f"{text[:at]}{' ' * first.column}{keys[1]}: {written}\n{text[at:]}"


def _with_value(text: str, value: yaml.Node, keys: Keys, written: str, path: Path) -> str:
    start, end = value.start_mark.index, value.end_mark.index
    if not isinstance(value, yaml.ScalarNode) or value.style in ("|", ">"):
        raise _refused(path, keys, _("it is not one plain value"))
    # `key:` without a value is an empty scalar right behind the colon.
    space = " " if start == end and text[start - 1 : start] == ":" else ""
    return text[:start] + space + written + text[end:]


def _prove(text: str, edited: str, keys: Keys, new: str, path: Path) -> None:
    """Read both as YAML does: nothing but the one value may differ."""
    try:
        before, after = yaml.safe_load(text) or {}, yaml.safe_load(edited)
    except _UNREADABLE:
        raise _refused(path, keys, _("it is not one plain value")) from None
    section = before.get(keys[0]) or {}
    # Of a key that is there twice, loading takes the last and editing the first.
    if not isinstance(section, dict) or after != before | {keys[0]: section | {keys[1]: new}}:
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
