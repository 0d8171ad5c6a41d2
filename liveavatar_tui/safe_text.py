"""Text from disk, a subprocess or the network, made safe to show: no escape, no control, no reordering.

Applied at the edge, once, by whoever shows the text. Knows nothing of markup: a widget must still take the result as
plain text (`Content`, `markup=False`).
"""

from __future__ import annotations

import re
from typing import Final

_UNSAFE: Final = re.compile(
    "(?P<break>\r\n|[\n\r\x0b\x0c\x85\u2028\u2029])"
    "|(?P<tab>\t)"
    # A string escape (OSC, DCS, SOS, PM, APC) with its end; without one only its opening goes, the text stays.
    # The body stops at the next opening too, which keeps the scan linear.
    "|(?:\x1b[\\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x90\x98\x9c-\x9f]*(?:\x07|\x1b\\\\|\x9c)"
    "|(?:\x1b\\[|\x9b)[0-?]*[ -/]*[@-~]"
    "|\x1b[ -/]*[0-~]"
    "|(?P<surrogate>[\ud800-\udfff])"
    # C0, DEL, C1; then what reorders or hides: bidirectional controls, zero-width space, word joiner, BOM, tags.
    "|[\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\U000e0000-\U000e007f]"
)


def safe_text(text: str, *, multiline: bool = False) -> str:
    """`text` without escape sequences, control and bidirectional characters; a lone surrogate becomes U+FFFD.

    A line break and a tab become one space each, so that a file name cannot forge a line of output; with `multiline`
    breaks stay, as `\\n`. Idempotent. Joiners (U+200C, U+200D) stay: Persian and emoji need them.
    """
    if text.isascii() and text.isprintable():
        return text

    def replacement(match: re.Match[str]) -> str:
        if match["break"]:
            return "\n" if multiline else " "
        if match["tab"]:
            return " "
        return "\ufffd" if match["surrogate"] else ""

    return _UNSAFE.sub(replacement, text)
