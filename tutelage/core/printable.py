"""Text from rows made safe to print: a terminal obeys control characters, a reader does not."""

from __future__ import annotations

# C0 and C1 controls but tab and newline, and the marks that turn the direction of text
CONTROLS = (*range(9), *range(11, 32), *range(127, 160), *range(0x202A, 0x202F))
ISOLATES = range(0x2066, 0x206A)
SHOWN = {
    code: f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}" for code in (*CONTROLS, *ISOLATES)
}


def printable(text: str) -> str:
    """The text with control characters written as escapes, tab and newline kept."""
    return text.translate(SHOWN)
