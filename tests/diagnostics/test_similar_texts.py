import re
from difflib import SequenceMatcher
from itertools import combinations

import numpy as np
import pytest

from diagnostics.similar_texts import LEAST_ALIKE, find_similar_texts, plain_form

WORDS = [
    "the",
    "card",
    "top",
    "up",
    "with",
    "my",
    "account",
    "how",
    "long",
    "does",
    "a",
    "transfer",
    "take",
    "why",
    "was",
    "it",
    "declined",
    "at",
    "an",
    "atm",
]


def are_alike(one, other):
    matcher = SequenceMatcher(None, one, other, autojunk=False)
    return matcher.real_quick_ratio() >= LEAST_ALIKE and matcher.ratio() >= LEAST_ALIKE


def near_pairs(texts):
    found = find_similar_texts(texts)
    first = {look: place for place, look in reversed(list(enumerate(found.look.tolist())))}
    pairs = zip(found.first.tolist(), found.second.tolist(), strict=True)
    return {tuple(sorted((first[one], first[other]))) for one, other in pairs}


def test_case_and_marks_do_not_make_a_text_another_one():
    found = find_similar_texts(
        ["What's the limit?", "what s the LIMIT", "ﬁne — limit", "fine limit", "?!", "!?"]
    )
    assert found.look.tolist() == [0, 0, 1, 1, 2, 3]
    assert len(found.first) == 0


@pytest.mark.parametrize(
    ("one", "other", "near"),
    [
        ("I would like to change my adress", "I would like to change my address", True),
        ("There's a duplicate charge on my account", "There is a duplicate charge on my account", True),
        ("How can I link an existing card?", "Can I link an existing card?", False),
        ("Can I get a card in the EU?", "Can I get a card in the US?", False),
        ("I was charged 10 pounds for nothing at all", "I was charged 20 pounds for nothing at all", False),
        ("a cat", "a bat", False),
    ],
)
def test_typing_errors_make_near_copies_and_other_questions_do_not(one, other, near):
    assert near_pairs([one, other, "something that is like neither of them"]) == ({(0, 1)} if near else set())


def test_no_near_pair_is_missed_among_many_alike_texts():
    rng = np.random.default_rng(0)
    texts = [" ".join(rng.choice(WORDS, rng.integers(3, 25))) for _ in range(60)]
    for text in texts[:50]:
        letters = list(text)
        for place in rng.integers(0, len(text), rng.integers(1, 4)):
            letters[place] = str(rng.choice(["", letters[place] * 2, "q"]))
        texts.append("".join(letters))
    plain = [plain_form(text) for text in texts]
    expected = {
        (one, other)
        for one, other in combinations(range(len(texts)), 2)
        if plain[one] != plain[other]
        and not re.search(r"\d", plain[one] + plain[other])
        and are_alike(plain[one], plain[other])
    }
    assert len(expected) > 10
    assert near_pairs(texts) == expected


def test_of_too_many_pairs_it_is_said_that_not_all_were_looked_at():
    texts = [
        f"the very same words in every one of these texts but the letter {letter}" for letter in "abcdefgh"
    ]
    assert find_similar_texts(texts).complete
    assert not find_similar_texts(texts, max_pairs=3).complete


@pytest.mark.parametrize("texts", [[], ["one"], ["", " "]])
def test_few_or_empty_texts_are_no_trouble(texts):
    found = find_similar_texts(texts)
    assert len(found.look) == len(texts)
    assert len(found.first) == 0
