"""The pieces of a text that are counted, each with the characters that it stands on.

Words and pairs of neighbouring words, and runs of 2 to 4 letters within what stands between blanks (so that endings and
typing errors count as what they are); all in lower case. In scripts that set no blanks between words every character is
a word.
"""

import re
from collections.abc import Iterator
from itertools import pairwise

Piece = tuple[str, int, int]  # the piece and the characters [start, end) of the text that it stands on

_ALONE = "぀-ヿ㐀-鿿豈-﫿"
WORD = re.compile(rf"[{_ALONE}]|[^\W{_ALONE}]+")
PART = re.compile(rf"[{_ALONE}]|[^\W{_ALONE}]+|[^\w\s]+")
RUN = re.compile(r"\S+")
LETTERS = (2, 3, 4)


def lower(text: str) -> str:
    """In lower case, every character in its place.

    >>> lower("İstanbul"), len("İstanbul".lower())
    ('İstanbul', 9)
    """
    lowered = text.lower()
    if len(lowered) == len(text):
        return lowered
    return "".join(small if len(small := letter.lower()) == 1 else letter for letter in text)


def word_pieces(text: str) -> Iterator[Piece]:
    """Words and pairs of them.

    >>> list(word_pieces("My card!"))
    [('my', 0, 2), ('card', 3, 7), ('my card', 0, 7)]
    """
    words = [(match.group(), *match.span()) for match in WORD.finditer(lower(text))]
    yield from words
    for (first, start, _), (second, _, end) in pairwise(words):
        yield f"{first} {second}", start, end


def letter_pieces(text: str) -> Iterator[Piece]:
    """Runs of letters; a blank marks where a word begins and ends.

    >>> list(letter_pieces("ab"))
    [(' a', 0, 1), ('ab', 0, 2), ('b ', 1, 2), (' ab', 0, 2), ('ab ', 0, 2), (' ab ', 0, 2)]
    """
    for match in RUN.finditer(lower(text)):
        begin, end = match.span()
        padded = f" {match.group()} "
        for size in LETTERS:
            for place in range(len(padded) - size + 1):
                start = begin - 1 + place
                yield padded[place : place + size], max(start, begin), min(start + size, end)


def parts_of(text: str) -> list[tuple[int, int]]:
    """The characters [start, end) of each word and each run of other signs; together all but the blanks.

    >>> parts_of("Why so? 1%")
    [(0, 3), (4, 6), (6, 7), (8, 9), (9, 10)]
    """
    return [match.span() for match in PART.finditer(text)]
