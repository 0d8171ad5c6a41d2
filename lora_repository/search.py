"""Finding versions by words: names, titles, tags, notes, and what stands behind `tag:`, `base:`, `finding:`. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from lora_repository.shallow import ShallowProof

_TERM: Final = re.compile(r'(-?)(?:(tag|base|channel|finding|passed):)?("[^"]*"?|\S+)', re.IGNORECASE)
_PASSED: Final[Mapping[str, bool | None]] = {"yes": True, "no": False, "none": None}


@dataclass(frozen=True, slots=True)
class Searchable:
    """What can be found of one version; `compared` is how its last comparison ended, None where there is none."""

    name: str
    title: str = ""
    tags: tuple[str, ...] = ()
    note: str = ""
    channels: tuple[str, ...] = ()
    base_adapter: str | None = None
    proof: ShallowProof | None = None
    compared: bool | None = None


@dataclass(frozen=True, slots=True)
class _Term:
    """One word that has to be there, or must not; `field` is "" for a word in any text."""

    field: str
    word: str
    negated: bool

    def matches(self, one: Searchable) -> bool:
        return _FIELDS[self.field](one, self.word) is not self.negated


@dataclass(frozen=True, slots=True)
class Query:
    """Terms of which every one has to match; without terms everything does."""

    terms: tuple[_Term, ...]

    @property
    def asks_for_proofs(self) -> bool:
        """Whether an answer needs `Searchable.proof`."""
        return any(term.field in ("finding", "base") for term in self.terms)

    def matches(self, one: Searchable) -> bool:
        """Whether every term is met."""
        return all(term.matches(one) for term in self.terms)


def parse_query(text: str) -> Query:
    """Words apart by blanks, any case, quotes around several; `-` before one negates it. Every text is a query."""
    found = []
    for minus, field, word in _TERM.findall(text):
        plain = word.strip('"').casefold()
        if plain:
            found.append(_Term(field.lower(), plain, bool(minus)))
    return Query(tuple(found))


def _in_text(one: Searchable, word: str) -> bool:
    return any(word in text.casefold() for text in (one.name, one.title, *one.tags, one.note))


def _has_finding(one: Searchable, word: str) -> bool:
    found = one.proof.findings if one.proof is not None else ()
    return any(word in (finding.code.casefold(), finding.severity) for finding in found)


def _has_base(one: Searchable, word: str) -> bool:
    asked = one.base_adapter or (one.proof.base_adapter if one.proof is not None else None)
    against = one.proof.base if one.proof is not None else ""
    return word in (asked or "").casefold() or word in against.casefold()


_FIELDS: Final[Mapping[str, Callable[[Searchable, str], bool]]] = {
    "": _in_text,
    "tag": lambda one, word: word in one.tags,
    "channel": lambda one, word: word in one.channels,
    "base": _has_base,
    "finding": _has_finding,
    "passed": lambda one, word: word in _PASSED and one.compared is _PASSED[word],
}
