"""The card of a text: the part of it that says most about its label, cut at word boundaries."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from curation.cards.card import CardKind, CardRequest, Part
from curation.modalities.text import shown_text
from diagnostics.task import TEXT_COLUMN

SHOWN_CHARACTERS = 210
LEAD_CHARACTERS = 36  # so much is shown before the word that a cut text begins for
ELLIPSIS = "…"
MAX_TRIED = 8  # so many of the strongest words are tried as the one to begin for
_SPACE = re.compile(r"\s")
_WORD_START = re.compile(r"(?<=\s)\S")


@dataclass(frozen=True, slots=True)
class TextCard:
    """text : what is shown; cut : more of it is not shown, an ellipsis stands for that
    marks : (start, end, effect) in characters of `text`, effect in [-1, 1], above 0 speaks for the label; None where
        the run says nothing of this text
    about : the label that the marks are about, None without marks or if it must not be told
    say_about : the card has to name it, because it does not go without saying
    run_id : of the run that says so, None without marks
    blind : nothing that tells the label is on the card
    """

    text: str
    cut: bool
    marks: Sequence[Part] | None
    about: str | None
    say_about: bool
    run_id: str | None
    blind: bool


def _make(request: CardRequest) -> list[TextCard]:
    texts = request.columns([TEXT_COLUMN])[TEXT_COLUMN].tolist()
    columns, said = request.project.info.content, request.explained()
    cards = []
    for text, parts, about, say_about, hidden in zip(
        texts, said.parts, said.about, said.say_about, request.hidden.tolist(), strict=True
    ):
        shown, marks, cut = _cut(*as_shown(text, parts, columns), request.search, whole=request.whole)
        if marks is None:
            cards.append(TextCard(shown, cut, None, None, False, None, hidden))
        else:
            cards.append(TextCard(shown, cut, marks, about, say_about, said.run_id, hidden))
    return cards


def as_shown(
    text: str, parts: Sequence[Part] | None, columns: Sequence[str]
) -> tuple[str, list[Part] | None]:
    """A stored text as people see it, with its parts in the places where they are then.

    columns : the names of the source columns that it is joined from
    """
    shown = shown_text(text, columns)
    if parts is None:
        return shown.text, None
    return shown.text, [
        (shown.position(start), shown.position(end - 1) + 1, effect) for start, end, effect in parts
    ]


def _cut(
    text: str, parts: Sequence[Part] | None, search: str, *, whole: bool
) -> tuple[str, list[Part] | None, bool]:
    """What is shown of a text, its parts in their places there, and whether that is less than the whole."""
    if whole:
        return text, _within(parts, 0, len(text), 0), False
    start, end = shown_part(text, parts or (), search)
    before, after = ELLIPSIS * (start > 0), ELLIPSIS * (end < len(text))
    shown = _SPACE.sub(
        " ", before + text[start:end] + after
    )  # one for one, so that the parts stay where they are
    return shown, _within(parts, start, end, len(before) - start), bool(before or after)


def _within(parts: Sequence[Part] | None, start: int, end: int, offset: int) -> list[Part] | None:
    if parts is None:
        return None
    return [(a + offset, b + offset, round(effect, 3)) for a, b, effect in parts if start <= a and b <= end]


def shown_part(text: str, parts: Sequence[Part], search: str = "") -> tuple[int, int]:
    """Which characters [start, end) of a text a card shows: SHOWN_CHARACTERS at most, whole words.

    Where the text is searched, it begins before what was found; else at the beginning or before one of the strongest
    words, whichever shows the largest sum of effects, the earliest of equal ones.
    """
    if len(text) <= SHOWN_CHARACTERS:
        return 0, len(text)
    found = text.lower().find(search.lower()) if search else -1
    if found >= 0:
        return _from(text, found)
    strongest = sorted(parts, key=lambda part: -abs(part[2]))[:MAX_TRIED]
    windows = dict.fromkeys(_from(text, start) for start in (0, *(start for start, _, _ in strongest)))
    return max(windows, key=lambda window: (_shown_effect(parts, *window), -window[0]))


def _shown_effect(parts: Sequence[Part], start: int, end: int) -> float:
    return round(sum(abs(effect) for a, b, effect in parts if start <= a and b <= end), 6)


def _from(text: str, wanted: int) -> tuple[int, int]:
    """The part that begins a little before `wanted`, whole words; it ends with the text if it comes near to that."""
    start = max(0, min(wanted - LEAD_CHARACTERS, len(text) - SHOWN_CHARACTERS))
    if start > 0:
        begins = _WORD_START.search(text, start, max(start + 1, wanted + 1))
        start = begins.start() if begins else start
    end = min(len(text), start + SHOWN_CHARACTERS)
    if end < len(text) and not text[end].isspace():
        last_space = max(text.rfind(" ", start + 1, end), text.rfind("\n", start + 1, end))
        end = last_space if last_space > start else end
    return start, len(text[:end].rstrip()) if end < len(text) else end


TEXT = CardKind("text", "text", _make)
