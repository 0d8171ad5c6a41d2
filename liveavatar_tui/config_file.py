"""One YAML file of nested settings, read with the line of every key; one key of it changed. Knows no setting by name.

A key written twice, or one that is not known, is an error with its line: a setting is never dropped in silence.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from engine.job_folder import reason
from liveavatar_tui import codes
from lora_repository.finding import Problem
from lora_repository.i18n import _

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """`values` by dotted key (`lora.production`), `lines` counting from 1, as an editor does."""

    path: Path
    values: Mapping[str, object]
    lines: Mapping[str, int]


def read_config(path: Path, known: frozenset[str]) -> ConfigFile:
    """The file's values; `known` lists every dotted key. Raises `Problem` CFG001 to CFG004, exit code 2."""
    root = _compose(path, _read_text(path))
    values: dict[str, object] = {}
    lines: dict[str, int] = {}
    if root is None:
        return ConfigFile(path, values, lines)
    loader = _LOADER("")
    try:
        for key, node, line in _leaves(root, "", path, known):
            if key in lines:
                raise codes.SETTING_TWICE.problem(path=str(path), key=key, first=lines[key], line=line, exit_code=2)
            values[key], lines[key] = loader.construct_object(node, deep=True), line
    except (yaml.YAMLError, ValueError) as fault:  # ValueError: a date such as 2025-13-45
        raise _not_yaml(path, fault) from fault
    finally:
        loader.dispose()
    return ConfigFile(path, values, lines)


@dataclass(frozen=True, slots=True)
class Edit:
    """One change of the file, whole: what it was (None: there was no file) and what it became."""

    path: Path
    before: bytes | None
    after: bytes


def write_setting(path: Path, key: str, value: str | float | bool | None) -> Edit:
    """Put `value` at a dotted key and leave every other byte of the file as it is; a missing file is made.

    Raises `Problem` CFG001, CFG007 or LORA063.
    """
    from lora_repository.yaml_edit import Keys, replace_scalar

    place = path.resolve()  # a linked file is edited where it really lies, and stays linked
    text = _read_text(place) if place.exists() else None
    section, _dot, leaf = key.rpartition(".")
    keys: Keys = (section, leaf) if section else (leaf,)
    after = replace_scalar(text or "", keys, value, place).encode()
    _write(place, after)
    return Edit(place, None if text is None else text.encode(), after)


def take_back(edit: Edit) -> None:
    """Undo an edit. Raises `Problem` CFG008 when the file has changed since, CFG007 when it cannot be written."""
    if edit.path.read_bytes() != edit.after:
        raise codes.SETTINGS_CHANGED.problem(path=str(edit.path))
    if edit.before is None:
        edit.path.unlink()
    else:
        _write(edit.path, edit.before)


def _write(path: Path, data: bytes) -> None:
    from lora_repository.files import write_whole

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, data)
    except OSError as fault:
        raise codes.SETTINGS_UNWRITABLE.problem(path=str(path), reason=reason(fault)) from fault


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise codes.SETTINGS_UNREADABLE.problem(path=str(path), reason=_("it is not UTF-8 text"), exit_code=2) from None
    except OSError as fault:
        raise codes.SETTINGS_UNREADABLE.problem(path=str(path), reason=reason(fault), exit_code=2) from fault


def _compose(path: Path, text: str) -> yaml.Node | None:
    try:
        return yaml.compose(text, Loader=_LOADER)
    except yaml.YAMLError as fault:
        raise _not_yaml(path, fault) from fault


def _leaves(node: yaml.Node, prefix: str, path: Path, known: frozenset[str]) -> Iterator[tuple[str, yaml.Node, int]]:
    """Every known leaf under `node`; a section without a body is an empty one."""
    if isinstance(node, yaml.ScalarNode) and not node.value:
        return
    if not isinstance(node, yaml.MappingNode):
        expected = _("expected `name: value` lines under {section}").format(section=prefix or path.name)
        raise codes.SETTINGS_NOT_YAML.problem(
            path=str(path), line=node.start_mark.line + 1, reason=expected, exit_code=2
        )
    for key_node, value_node in node.value:
        line = key_node.start_mark.line + 1
        key = f"{prefix}.{key_node.value}" if prefix else str(key_node.value)
        if key in known:
            yield key, value_node, line
        elif any(one.startswith(f"{key}.") for one in known):
            yield from _leaves(value_node, key, path, known)
        else:
            raise codes.SETTING_UNKNOWN.problem(
                path=str(path), line=line, key=key, near=nearest(key, known), exit_code=2
            )


def nearest(key: str, known: frozenset[str]) -> str:
    """The known key that looks most like `key`; one of the same last word goes before one of similar spelling."""
    import difflib  # 5 ms, for a mistake only

    leaf = key.rpartition(".")[2]
    same_word = [one for one in sorted(known) if one.rpartition(".")[2] == leaf]
    return (same_word or difflib.get_close_matches(key, sorted(known), n=1, cutoff=0.0))[0]


def _not_yaml(path: Path, fault: Exception) -> Problem:
    mark = getattr(fault, "problem_mark", None)
    line = mark.line + 1 if mark is not None else 1
    what = getattr(fault, "problem", None) or str(fault)
    return codes.SETTINGS_NOT_YAML.problem(path=str(path), line=line, reason=what, exit_code=2)
