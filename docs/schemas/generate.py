"""Writes the JSON schemas of this folder, and the package's own copy of one: `python docs/schemas/generate.py`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

import lora_repository.config
import lora_repository.i18n
from liveavatar_tui.commands.reports import REPORTS
from lora_repository.scores import Comparison

HERE: Final = Path(__file__).parent
PACKAGE: Final = Path(lora_repository.config.__file__).parent
DRAFT: Final = {"$schema": "https://json-schema.org/draft/2020-12/schema"}


def pages() -> Iterator[tuple[Path, str]]:
    """Each file and what it holds."""
    config = lora_repository.config.schema()
    yield PACKAGE / "version-config.schema.json", _text(config)
    yield HERE / "version-config.schema.json", _text(config)
    yield HERE / "comparison.schema.json", _text(DRAFT | msgspec.json.schema(Comparison))
    for name, report in REPORTS.items():
        yield HERE / f"{name}.schema.json", _text(DRAFT | msgspec.json.schema(report))


def _text(schema: dict[str, Any]) -> str:
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def main() -> None:
    """Write every file."""
    lora_repository.i18n.set_language("en")
    for path, text in pages():
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
