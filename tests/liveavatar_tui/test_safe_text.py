"""Nothing that a terminal obeys or that hides text comes out of `safe_text`."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveavatar_tui.safe_text import safe_text

HOSTILE = st.lists(
    st.one_of(
        st.text(max_size=8),
        st.sampled_from(
            ["\x1b", "\x1b[", "\x1b]0;", "\x1bP", "\x9b31m", "\x9d", "\x07", "\x1b\\", "\x9c", "[31m", "\r\n"]
        ),
        st.characters(categories=["Cc", "Cf", "Cs", "Zl", "Zp"]),
    )
).map("".join)


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        ("a\x1b[31mRED\x1b]0;pwn\x07b\x9b31m", "aREDb"),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1bP+q544e\x1b\\x", "x"),
        ("\x9d0;title\x9cx", "x"),
        ("open\x1b]0;never closed", "open0;never closed"),
        ("\x1b\x1b[31m[31mx", "[31mx"),
        ("abc\u202egnp.exe", "abcgnp.exe"),
        ("two\nlines\r\nand\ttab", "two lines and tab"),
        ("bell\x07 back\x08space del\x7f nul\x00", "bell backspace del nul"),
        ("bad\udcff name", "bad\ufffd name"),
        ("v2.1_客服", "v2.1_客服"),
        ("family 👨\u200d👩\u200d👧", "family 👨\u200d👩\u200d👧"),
        ("[/foo]b [bold]", "[/foo]b [bold]"),
        ("", ""),
    ],
)
def test_known_attacks(hostile: str, shown: str) -> None:
    assert safe_text(hostile) == shown


def test_multiline_keeps_breaks_only() -> None:
    assert safe_text("a\r\nb\x85c\u2028d\x1b[2Je\tf", multiline=True) == "a\nb\nc\nde f"


@given(HOSTILE)
def test_no_control_survives(text: str) -> None:
    shown = safe_text(text)
    assert not [c for c in shown if unicodedata.category(c) in {"Cc", "Cs", "Zl", "Zp"}]
    assert not [
        c
        for c in shown
        if unicodedata.bidirectional(c) in {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
    ]
    shown.encode()  # no lone surrogate: it can be written


@given(HOSTILE)
def test_idempotent(text: str) -> None:
    assert safe_text(safe_text(text)) == safe_text(text)


@given(st.text(alphabet=st.characters(categories=["L", "N", "P", "S"])))
def test_ordinary_text_is_untouched(text: str) -> None:
    assert safe_text(text) == text
