import numpy as np
import pandas as pd
import pytest

from diagnostics.agreement import agreement, alarm_of, kendall
from diagnostics.compare import CANNOT_TELL, IMPROVED, WORSE, Comparison, NoiseInIntervals


def compared(difference, low, high, verdict) -> Comparison:
    whole = pd.DataFrame(
        [("accuracy", difference, low, high, verdict)],
        columns=["metric", "difference", "low", "high", "verdict"],
    )
    noise = NoiseInIntervals("folds", "folds", (1, 1))
    return Comparison(100, whole, pd.DataFrame(), verdict, noise, pd.DataFrame())


ROSE = compared(0.10, 0.06, 0.14, IMPROVED)


def test_steps_in_which_one_of_the_two_stood_still_are_not_counted():
    found = agreement(np.array([0.5, 0.6, 0.6, 0.7]), np.array([0.5, 0.6, 0.5, 0.4]))
    assert (found.n_steps, found.n_agreeing) == (2, 1)


def test_with_fewer_than_four_runs_nothing_is_told():
    found = agreement(np.array([0.5, 0.6, 0.7]), np.array([0.5, 0.6, 0.7]))
    assert not found.enough
    assert np.isnan([found.same_way.value, found.rank_correlation.value, found.gap_trend.value]).all()


def test_four_runs_in_perfect_order_still_leave_everything_open():
    tau = agreement(np.arange(4) / 10, np.arange(4) / 10).rank_correlation
    assert (round(tau.value, 6), tau.low, tau.high) == (1.0, -1.0, 1.0)


def test_the_interval_of_the_rank_correlation_narrows_with_the_runs_and_turns_with_the_sign():
    few, many = kendall(np.arange(6.0), np.arange(6.0)), kendall(np.arange(20.0), np.arange(20.0))
    assert 0 < few.low < many.low < 1
    turned = kendall(np.arange(6.0), -np.arange(6.0))
    assert (turned.low, turned.high) == pytest.approx((-few.high, -few.low))


def test_a_metric_that_does_not_move_has_no_rank_correlation():
    assert np.isnan(kendall(np.ones(5), np.arange(5.0)).value)


def test_the_interval_of_the_rank_correlation_holds_the_truth():
    rng = np.random.default_rng(0)
    truth, n_held = 2 / np.pi * np.arcsin(0.8), 0
    for _ in range(300):
        first = rng.normal(size=8)
        second = 0.8 * first + 0.6 * rng.normal(size=8)
        found = kendall(first, second)
        n_held += found.low <= truth <= found.high
    assert 0.91 <= n_held / 300 <= 0.98


def test_a_gap_that_grows_by_the_same_step_has_that_trend():
    trend = agreement(np.array([0.70, 0.75, 0.80, 0.85, 0.90]), np.full(5, 0.7)).gap_trend
    assert (trend.value, trend.low, trend.high) == pytest.approx((0.05, 0.05, 0.05))


def test_the_alarm_sounds_where_test_got_worse_or_stayed_behind():
    worse = alarm_of(ROSE, compared(-0.05, -0.09, -0.01, WORSE))
    assert worse is not None and worse.test_got_worse
    behind = alarm_of(ROSE, compared(0.0, -0.03, 0.03, CANNOT_TELL))
    assert behind is not None and not behind.test_got_worse
    assert behind.apart.low == pytest.approx(0.10 - np.hypot(0.04, 0.03))


def test_a_test_set_too_small_to_tell_raises_no_alarm():
    assert alarm_of(ROSE, compared(0.02, -0.08, 0.12, CANNOT_TELL)) is None


def test_there_is_no_alarm_where_test_rose_too_or_validation_did_not():
    assert alarm_of(ROSE, compared(0.02, 0.01, 0.03, IMPROVED)) is None
    assert alarm_of(compared(0.01, -0.02, 0.04, CANNOT_TELL), compared(-0.05, -0.09, -0.01, WORSE)) is None
