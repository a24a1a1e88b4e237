import numpy as np
import pytest
from cleanlab.multilabel_classification.rank import get_label_quality_scores_per_class
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, log_loss

from diagnostics.errors import DataError
from diagnostics.label_quality import LABEL_RIGHT, LABEL_WRONG
from diagnostics.multilabel.label_quality import PairQuality, fit_pair_quality
from diagnostics.multilabel.label_sets import LabelSets, parse_label_sets
from diagnostics.multilabel.scores import MISSING, NO_CLASS, SUPERFLUOUS, score_label_sets
from diagnostics.multilabel.signals import pair_signals
from diagnostics.neighbours import NOBODY, NearItems
from diagnostics.predictions import IN_SAMPLE, MEAN_OF_FOLDS, OUT_OF_FOLD

CAT_DOG = ("cat", "dog")
PLAIN = PairQuality((), ())


def score(texts, probs, *, quality=PLAIN, **options):
    signals = pair_signals(parse_label_sets(texts, CAT_DOG), np.array(probs))
    return score_label_sets(signals, quality, **options)


def noisy(seed=0, n_items=1500, *, dropped=0.1, added=0.004, labelled=1.0, spread=1.2):
    """Labels of eight classes, probabilities, and which pairs are wrong."""
    rng = np.random.default_rng(seed)
    true = rng.random((n_items, 8)) < np.linspace(0.05, 0.4, 8)
    logits = np.where(true, 2.0, -2.5) + spread * rng.normal(size=true.shape)
    wrong = rng.random(true.shape) < np.where(true, dropped, added)
    is_labelled = rng.random(n_items) < labelled
    sets = LabelSets(tuple("abcdefgh"), (true ^ wrong) & is_labelled[:, None], is_labelled)
    return sets, 1 / (1 + np.exp(-logits)), wrong & is_labelled[:, None]


def test_the_worst_pair_of_an_item_tells_which_label_is_suspect_and_how():
    items, pairs = score(
        ["cat", "cat", "(none)"], [[0.9, 0.1], [0.2, 0.1], [0.1, 0.7]], n_pairs=2, by="label_quality"
    )
    assert items.suspect.tolist()[1:] == [0, 1]
    assert (pairs.rows.tolist(), pairs.columns.tolist()) == ([1, 2], [0, 1])
    sets = parse_label_sets(["cat", "cat", "(none)"], CAT_DOG)
    assert pairs.kinds(sets).tolist() == [SUPERFLUOUS, MISSING]
    assert pairs.probs.tolist() == [0.2, 0.7]


def test_all_scores_of_an_item_can_be_checked_by_hand():
    items, _ = score(["cat"], [[0.8, 0.4]])
    assert items.loss[0] == pytest.approx(-(np.log(0.8) + np.log(0.6)) / 2)
    assert items.margin[0] == pytest.approx(0.1)
    assert items.label_quality[0] == pytest.approx(0.8 * 0.6, abs=1e-3)
    halves = [p * np.log(p) + (1 - p) * np.log(1 - p) for p in (0.8, 0.4)]
    assert items.entropy[0] == pytest.approx(-np.mean(halves))


def test_a_margin_is_measured_from_the_threshold_of_its_class():
    items, _ = score(["cat"], [[0.8, 0.1]], thresholds=np.array([0.9, 0.5]))
    assert items.margin[0] == pytest.approx(-0.1)


def test_an_item_that_nobody_labelled_has_only_the_score_that_needs_no_label():
    items, pairs = score([None, "cat"], [[0.9, 0.1], [0.9, 0.1]], n_pairs=10, by="entropy")
    assert np.isnan([items.loss[0], items.margin[0], items.label_quality[0]]).all()
    assert items.entropy[0] > 0
    assert items.suspect.tolist()[0] == NO_CLASS
    assert pairs.rows.tolist() == [1, 1]


def test_an_item_labelled_with_none_is_suspect_where_the_model_is_sure_of_a_label():
    items, _ = score(["(none)", "(none)"], [[0.95, 0.1], [0.05, 0.1]])
    assert items.label_quality[0] < items.label_quality[1]


@pytest.mark.parametrize(
    ("by", "first"), [("label_quality", (1, 0)), ("loss", (1, 0)), ("margin", (1, 0)), ("entropy", (2, 1))]
)
def test_every_score_puts_the_suspect_pair_first(by, first):
    _, pairs = score(["cat", "cat", "cat"], [[0.9, 0.1], [0.05, 0.1], [0.8, 0.45]], by=by, n_pairs=1)
    assert (pairs.rows[0], pairs.columns[0]) == first


def test_equal_pairs_come_in_the_order_of_items_and_classes_however_few_are_asked_for():
    probs = np.full((50, 2), 0.5)
    for n_pairs in (1, 7, 100):
        _, pairs = score(["cat"] * 50, probs, by="entropy", n_pairs=n_pairs, chunk_rows=3)
        places = (2 * pairs.rows + pairs.columns).tolist()
        assert places == list(range(n_pairs))


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (np.nan, r"Row 1, column 1 \(dog\) of the probabilities is no number \(NaN\)"),
        (1.5, r"Row 1, column 1 \(dog\) of the probabilities is 1\.5; expected .* from 0 to 1"),
        (-3.0, r"is -3; .*logits, give their sigmoid"),
    ],
)
def test_what_is_no_probability_is_refused_with_its_place(value, message):
    with pytest.raises(DataError, match=message):
        score(["cat", "cat"], [[0.5, 0.5], [0.5, value]])


def test_rows_need_not_sum_to_one():
    items, _ = score(["cat|dog"], [[0.9, 0.95]])
    assert items.margin[0] == pytest.approx(0.4)


def test_probabilities_of_another_shape_and_unknown_scores_are_refused():
    with pytest.raises(DataError, match="Expected probabilities of 1 items and 2 classes"):
        score(["cat"], [[0.5, 0.5, 0.5]])
    with pytest.raises(DataError, match=r"label_quality, loss, margin, entropy; found 'luck'"):
        score(["cat"], [[0.5, 0.5]], by="luck")


@given(st.integers(0, 10_000), st.integers(1, 30))
@settings(max_examples=8, deadline=None)
def test_scores_agree_with_scikit_learn_and_cleanlab_whatever_the_chunks(seed, chunk_rows):
    sets, probs, _ = noisy(seed, 30)
    signals = pair_signals(sets, probs)
    items, pairs = score_label_sets(signals, PLAIN, by="loss", n_pairs=240, chunk_rows=chunk_rows)
    losses = [log_loss(row, p, labels=[0, 1]) for row, p in zip(sets.targets, probs, strict=True)]
    np.testing.assert_allclose(items.loss, losses)
    labels = [np.flatnonzero(row).tolist() for row in sets.targets]
    confidence = get_label_quality_scores_per_class(labels, probs, method="self_confidence")
    np.testing.assert_allclose(np.exp(-pairs.values), confidence[pairs.rows, pairs.columns])
    assert (np.diff(pairs.values) <= 0).all()


def test_label_quality_finds_wrong_pairs_better_than_the_loss_where_most_errors_are_of_one_kind():
    sets, probs, wrong = noisy(dropped=0.3, added=0.0, spread=1.6)
    signals = pair_signals(sets, probs)
    quality = fit_pair_quality(signals).of(signals, slice(None))
    p_given = np.where(sets.targets, probs, 1 - probs)
    ours, plain = (average_precision_score(wrong.ravel(), -each.ravel()) for each in (quality, p_given))
    assert ours > plain + 0.02


def test_label_quality_is_about_how_often_pairs_are_right():
    sets, probs, wrong = noisy(n_items=4000)
    signals = pair_signals(sets, probs)
    quality = fit_pair_quality(signals).of(signals, slice(None))
    for value in (True, False):
        expected = (1 - quality)[sets.targets == value].sum()
        assert expected == pytest.approx(wrong[sets.targets == value].sum(), rel=0.4)
    suspects = (quality > 0.2) & (quality < 0.8)
    assert (1 - quality[suspects]).mean() == pytest.approx(wrong[suspects].mean(), abs=0.15)


def test_a_seed_gives_the_same_quality_again():
    sets, probs, _ = noisy(n_items=300)
    signals = pair_signals(sets, probs)
    assert fit_pair_quality(signals, seed=3) == fit_pair_quality(signals, seed=3)


def test_what_a_person_decided_about_pairs_is_learnt_from():
    sets, probs, wrong = noisy(n_items=400)
    verdicts = np.where(wrong, LABEL_WRONG, LABEL_RIGHT)
    fitted = fit_pair_quality(pair_signals(sets, probs), verdicts=verdicts)
    assert fitted.given[0].n_verdicts == np.count_nonzero(sets.targets)
    assert fitted.not_given[0].n_verdicts == np.count_nonzero(~sets.targets)


def test_with_too_few_pairs_to_learn_from_the_quality_is_the_probability_of_the_model():
    sets = parse_label_sets(["cat", "(none)"], CAT_DOG)
    signals = pair_signals(sets, np.array([[0.8, 0.3], [0.4, 0.1]]))
    fitted = fit_pair_quality(signals)
    assert (fitted.given, fitted.not_given) == ((), ())
    np.testing.assert_allclose(fitted.of(signals, slice(None)), [[0.8, 0.7], [0.6, 0.9]], atol=1e-3)


def test_test_items_and_items_that_nobody_labelled_are_not_learnt_from():
    sets, probs, _ = noisy(n_items=600, labelled=0.8)
    splits = np.where(np.arange(600) < 500, "train", "test").astype(object)
    fitted = fit_pair_quality(pair_signals(sets, probs, splits=splits))
    first = LabelSets(sets.classes, sets.targets[:500], sets.labelled[:500])
    assert fitted == fit_pair_quality(pair_signals(first, probs[:500]))


def test_neighbours_say_how_many_of_them_have_the_label_and_nothing_where_there_are_none():
    sets = parse_label_sets(["cat", "cat|dog", "dog", None], CAT_DOG)
    rows = np.array([[1, 2], [0, 3], [3, NOBODY], [0, 1]])
    near = NearItems(rows, np.array([[1.0, 0.5], [0.8, 0.9], [0.9, 0.0], [0.5, 0.5]]))
    support = pair_signals(sets, np.full((4, 2), 0.5), near=near).supports["neighbours"]
    expected = np.array([[1 / 1.25, 1.0], [1.0, 0.0], [np.nan, np.nan], [1.0, 0.5]])
    np.testing.assert_allclose(support.of(np.arange(4)), expected)
    every = np.repeat(np.arange(4), 2), np.tile(np.arange(2), 4)
    np.testing.assert_allclose(support.at(*every), expected.ravel())


def test_items_that_lack_a_signal_are_judged_by_the_others():
    sets, probs, wrong = noisy(n_items=400)
    near = NearItems(np.arange(400)[:, None] - 1, np.full((400, 1), 0.9))
    near.rows[::2] = NOBODY
    kinds = np.where(np.arange(400) < 300, OUT_OF_FOLD, MEAN_OF_FOLDS).astype(object)
    kinds[-5:] = IN_SAMPLE
    signals = pair_signals(sets, probs, near=near, kinds=kinds)
    fitted = fit_pair_quality(signals)
    learnt = {weights.signals for weights in fitted.given}
    assert learnt == {("held_out",), ("neighbours",), ("held_out", "neighbours")}
    assert {weights.out_of_fold for weights in fitted.given} == {True, False}
    quality = fitted.of(signals, slice(None))
    assert not np.isnan(quality[:-5]).any()
    assert average_precision_score(wrong[:-5].ravel(), -quality[:-5].ravel()) > 0.3
