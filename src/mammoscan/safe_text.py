"""Text from outside, file names above all, made harmless for terminals and spreadsheets."""

from __future__ import annotations

import unicodedata

MAX_CHARACTERS = 2000


def make_printable(text: str) -> str:
    """Return a text in one line that does nothing to a terminal: control codes and half characters are escaped."""
    shown = "".join(
        character
        if unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp")
        else character.encode("unicode_escape", "surrogatepass").decode("ascii")
        for character in text[: MAX_CHARACTERS + 1]
    )
    return shown if len(text) <= MAX_CHARACTERS else f"{shown[:MAX_CHARACTERS]}…"


def defuse_formula(text: str) -> str:
    """Return a table's cell so that no spreadsheet takes it for a formula."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text
