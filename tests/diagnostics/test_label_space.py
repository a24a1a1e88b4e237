import numpy as np
import pytest

from diagnostics.errors import DataError
from diagnostics.label_kinds import label_kind_of, space_of
from diagnostics.label_space import set_space, single_space
from diagnostics.task import Task

SEVERAL = Task("image", "multi", ("cat", "dog", "eel"))


def test_with_one_label_an_item_the_texts_are_the_classes():
    space = space_of(Task("image", "single", ("cat", "dog")), ["dog"])
    assert space.names == space.classes == ("cat", "dog")
    assert space.codes(["dog", None, ""]).tolist() == [1, -1, -1]
    assert space.has(np.array([1, 0, -1]), 1).tolist() == [True, False, False]


def test_with_one_label_an_item_no_text_may_be_new():
    with pytest.raises(DataError, match="eel"):
        single_space(("cat", "dog")).with_texts(["eel"])


def test_sets_have_the_same_numbers_whatever_the_order_of_texts_and_of_labels_in_them():
    texts = ["dog|cat", "(none)", None, "eel"]
    first, second = space_of(SEVERAL, texts), space_of(SEVERAL, ["eel", "cat|dog", "(none)"])
    assert first.names == second.names
    assert first.codes(["cat|dog"]) == first.codes(["dog | cat"])


def test_labelled_with_none_is_not_the_same_as_not_labelled():
    space = set_space(SEVERAL.classes, ["(none)", None])
    codes = space.codes(["(none)", None])
    assert codes.tolist() == [0, -1]
    assert not space.targets(codes).any()
    assert space.label_sets(codes).labelled.tolist() == [True, False]
    assert space.texts(codes).tolist() == ["(none)", None]


def test_new_sets_are_appended_and_the_old_ones_keep_their_numbers():
    before = set_space(SEVERAL.classes, ["dog"])
    after = before.with_texts(["cat|eel", "dog", None])
    assert after.names == ("dog", "cat|eel")
    assert after.targets(after.codes(["cat|eel"])).tolist() == [[True, False, True]]
    assert before.with_texts(["dog"]) is before


def test_an_item_counts_for_each_of_its_classes():
    space = set_space(SEVERAL.classes, ["cat|dog", "dog"])
    codes = space.codes(["cat|dog", "dog", ""])
    assert space.has(codes, 1).tolist() == [True, True, False]


def test_what_is_no_class_and_what_has_no_number_is_named():
    space = set_space(SEVERAL.classes, ["cat"])
    with pytest.raises(DataError, match="fox"):
        space.codes(["cat|fox"])
    with pytest.raises(DataError, match=r"cat\|dog"):
        space.codes(["cat|dog"])


def test_without_any_label_there_is_no_number():
    space = set_space(SEVERAL.classes, [None, ""])
    assert len(space) == 0
    assert space.codes([None]).tolist() == [-1]
    assert space.targets(np.array([-1])).tolist() == [[False, False, False]]


def test_an_unknown_kind_of_label_is_refused():
    with pytest.raises(DataError, match="single, multi"):
        label_kind_of("many")


@pytest.mark.parametrize("kind", ["single", "multi"])
def test_pairs_are_counted_as_the_items_that_exchange_them(kind):
    classes = SEVERAL.classes
    texts = (
        classes if kind == "single" else ["(none)", "cat", "dog", "eel", "cat|dog", "dog|eel", "cat|dog|eel"]
    )
    space = label_kind_of(kind).space(classes, list(texts))
    given, predicted = np.meshgrid(np.arange(-1, len(space)), np.arange(len(space)))
    given, predicted = given.ravel(), predicted.ravel()
    n = np.arange(len(given)) % 4
    first, second, counts = space.exchanged_pairs(given, predicted, n)
    found = dict(zip(zip(first.tolist(), second.tolist(), strict=True), counts.tolist(), strict=True))
    assert found == {
        (one, other): int(n[space.exchanged(given, predicted, (one, other))].sum())
        for one, other in ((0, 1), (0, 2), (1, 2))
    }


def test_a_class_beside_another_is_not_exchanged_for_it():
    space = set_space(SEVERAL.classes, ["cat", "cat|dog", "dog"])
    given, predicted = space.codes(["cat", "cat", "cat|dog"]), space.codes(["dog", "cat|dog", "cat"])
    assert space.exchanged(given, predicted, (0, 1)).tolist() == [True, False, False]
