"""A list of prompts: readable, of one person, each said once. Knows no model."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from engine.dataset import codes
from engine.dataset.grades import Graded
from engine.job_folder import reason
from lora_repository.finding import Finding

MOST_WORDS: Final = 120
_PERSON: Final = re.compile(
    r"\b(?:person|man|woman|girl|boy|lady|gentleman|presenter|speaker|avatar|teacher"
    r"|host|character|someone|she|he|they|people|clerk|doctor|actor|actress|singer|anchor|face|portrait|head)\b"
    r"|[人男女]|主持|老师|主播",
    re.IGNORECASE,
)
_BROKEN: Final = re.compile("[\u00c2-\u00c3][\u0080-\u00bf]|\u00e2\u20ac|\u00ef\u00bf\u00bd|\ufffd")
"""UTF-8 that was read as Latin-1 or Windows-1252, and what stands for the unreadable."""
_WORD: Final = re.compile(r"\w+")


def grade(path: Path, name: str, person: str = "") -> list[Graded]:
    """A grade a line, or one for the file where it cannot be read; `person` is a word that also means the person."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as fault:
        return [Graded(name, (codes.PICTURE_UNREADABLE.finding(reason=reason(fault)),))]
    except UnicodeDecodeError as fault:
        return [Graded(name, (codes.PROMPTS_ENCODING.finding(n=fault.start + 1),))]
    first: dict[str, int] = {}
    graded = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        said = " ".join(_WORD.findall(line.lower()))
        findings = [*_of_line(line, person)]
        if said in first:
            findings.append(codes.warning(codes.PROMPT_TWICE, other=first[said]))
        first.setdefault(said, number)
        graded.append(Graded(f"{name}:{number}", tuple(findings)))
    return graded


def _of_line(line: str, person: str) -> list[Finding]:
    found = []
    if _BROKEN.search(line):
        found.append(codes.PROMPT_BROKEN.finding())
    words = len(_WORD.findall(line))
    if words > MOST_WORDS:
        found.append(codes.warning(codes.PROMPT_LONG, found=words, most=MOST_WORDS))
    if not _PERSON.search(line) and not (person and person.lower() in line.lower()):
        found.append(codes.warning(codes.PROMPT_IMPERSONAL))
    return found
