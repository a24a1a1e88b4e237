"""Texts that people write for people: how long they may be and what they may hold."""

import unicodedata

from diagnostics.errors import DecisionError

REFUSED_CATEGORIES = ("Cc", "Cs")


def checked_text(text: str, *, what: str, at_most: int) -> str:
    """The text without blanks around it.

    what : names the text in errors, such as "A note"
    raises : DecisionError if it is longer than `at_most` characters, or has control characters other than line ends

    >>> checked_text("  two\\nlines ", what="A note", at_most=20)
    'two\\nlines'
    """
    text = text.strip()
    if len(text) > at_most:
        raise DecisionError(
            f"{what} may have at most {at_most:,} characters; found {len(text):,}. Shorten it."
        )
    strange = next((c for c in text if c != "\n" and unicodedata.category(c) in REFUSED_CATEGORIES), None)
    if strange is not None:
        raise DecisionError(f"{what} may not hold the control character {strange!r}. Remove it.")
    return text
