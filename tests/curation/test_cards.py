"""What is shown of texts and table rows: the part of a text that says most, the values of a row that matter most."""

from curation.cards.text import LEAD_CHARACTERS, SHOWN_CHARACTERS, shown_part

FILLER = "and so on it goes "


def test_a_short_text_is_shown_whole():
    assert shown_part("where is my card", [(12, 16, 1.0)]) == (0, 16)


def test_a_long_text_begins_at_its_beginning_unless_words_further_on_say_more():
    text = "refund " + FILLER * 30 + "exchange rate " + FILLER * 20
    refund, exchange = (0, 6, 0.4), (text.index("exchange"), text.index("exchange") + 8, -1.0)
    assert shown_part(text, [refund])[0] == 0
    start, end = shown_part(text, [refund, exchange])
    assert start <= exchange[0] - 1 and exchange[1] <= end
    assert exchange[0] - start <= LEAD_CHARACTERS


def test_a_cut_text_begins_and_ends_with_whole_words():
    text = FILLER * 40
    for word_start in (0, 300, 501, len(text) - 8):
        start, end = shown_part(text, [(word_start, word_start + 3, 1.0)])
        assert end - start <= SHOWN_CHARACTERS
        assert start == 0 or text[start - 1].isspace()
        assert end == len(text) or text[end].isspace()


def test_a_text_without_spaces_is_cut_all_the_same():
    start, end = shown_part("x" * 1000, [(600, 700, 1.0)])
    assert 0 < end - start <= SHOWN_CHARACTERS


def test_a_searched_text_is_cut_around_what_was_found():
    text = "strong " + FILLER * 30 + "needle " + FILLER * 20
    start, end = shown_part(text, [(0, 6, 1.0)], "NEEDLE")
    assert "needle" in text[start:end]
    assert shown_part(text, [(0, 6, 1.0)], "nothing such")[0] == 0
