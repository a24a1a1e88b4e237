import numpy as np
import pytest

from diagnostics.learning_curve import extrapolate_f1, fit_power_laws

SIZES = np.array([25, 40, 63, 100])


def answers(recalls, *, n_draws=5, n_items=400, seed=0):
    """Validation items half of which are of the class, found with these recalls; nothing else is called by its name."""
    rng = np.random.default_rng(seed)
    is_class = np.arange(n_items) < n_items // 2
    drawn = rng.random((len(recalls), n_draws, n_items)) < np.asarray(recalls)[:, None, None]
    return is_class, is_class & drawn


@pytest.mark.parametrize("power", [0.3, 0.5, 1.0])
def test_a_power_law_is_found_again(power):
    truth = 0.9 - 0.6 * (np.array([100, 150, 400]) / 25) ** -power
    found = fit_power_laws(SIZES, (0.9 - 0.6 * (SIZES / 25) ** -power)[None], np.array([100, 150, 400]))
    np.testing.assert_allclose(found[0], truth, atol=0.005)


def test_f1_that_falls_with_labels_is_said_to_fall_on():
    found = fit_power_laws(SIZES, np.array([[0.9, 0.85, 0.8, 0.75]]), np.array([100, 150]))
    assert found[0, 1] < found[0, 0]


def test_a_curve_that_still_rises_gains_and_one_that_is_flat_does_not():
    rising = extrapolate_f1(*answers([0.2, 0.4, 0.6, 0.8]), SIZES, n_more=50)
    flat = extrapolate_f1(*answers([0.8, 0.8, 0.8, 0.8]), SIZES, n_more=50)
    assert rising.gain_low > 0.02
    assert flat.gain_low < 0 < flat.gain_high
    assert flat.gain_high < 0.03


def test_the_further_away_the_less_is_known():
    near, far = (extrapolate_f1(*answers([0.4, 0.55, 0.65, 0.7]), SIZES, n_more=n) for n in (10, 200))
    assert far.gain_high - far.gain_low > 2 * (near.gain_high - near.gain_low)


def test_fewer_draws_give_wider_intervals():
    few, many = (
        extrapolate_f1(*answers([0.4, 0.55, 0.65, 0.7], n_draws=n), SIZES, n_more=50) for n in (3, 12)
    )
    assert few.gain_high - few.gain_low > 1.5 * (many.gain_high - many.gain_low)


def test_intervals_lie_around_what_was_measured_and_follow_from_the_seed():
    is_class, predicted = answers([0.4, 0.55, 0.65, 0.7])
    curve = extrapolate_f1(is_class, predicted, SIZES, n_more=50, seed=1)
    assert (curve.low < curve.measured).all()
    assert (curve.measured < curve.high).all()
    assert curve.gain == extrapolate_f1(is_class, predicted, SIZES, n_more=50, seed=2).gain
    assert curve.gain_low == extrapolate_f1(is_class, predicted, SIZES, n_more=50, seed=1).gain_low
    assert curve.gain_low != extrapolate_f1(is_class, predicted, SIZES, n_more=50, seed=2).gain_low
