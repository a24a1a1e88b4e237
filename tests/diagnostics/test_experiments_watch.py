"""How far an experiment is, and how long it still takes."""

import numpy as np
import pandas as pd
import pytest

from diagnostics.experiments.frame import FULL, QUICK, Speed, Trainings, Watch
from diagnostics.progress import Progress


class Told:
    """A watch over trainings that take as long as they are told to, by a clock that only they move."""

    def __init__(self, trainings: Trainings, speed: Speed | None = None) -> None:
        self.now_s, self.told = 0.0, []
        self.watch = Watch(
            trainings,
            on_progress=self.told.append,
            should_stop=lambda: False,
            clock=lambda: self.now_s,
            speed=speed,
        )

    def train(self, way: str, *, first_half_s: float, second_half_s: float) -> None:
        def trainer(items, *, seed, config=None):
            self.now_s += first_half_s
            if way == FULL:
                self.watch.within(Progress("training", 1, 2))
            self.now_s += second_half_s
            return np.empty((1, 0, 2))

        self.watch.over(way, trainer)(pd.DataFrame(), seed=0)

    @property
    def shares(self) -> list[float]:
        return [progress.done / progress.total for progress in self.told]

    @property
    def left_s(self) -> list[float | None]:
        return [progress.metrics.get("seconds_left") for progress in self.told]


def test_the_bar_goes_by_time_and_not_by_the_number_of_trainings():
    told = Told(Trainings(n_quick=3, n_full=1), Speed(quick_s=1.0, full_s=97.0))
    for _ in range(3):
        told.train(QUICK, first_half_s=0.5, second_half_s=0.5)
    assert told.shares[-1] == pytest.approx(0.03, abs=1e-3)
    told.train(FULL, first_half_s=48.5, second_half_s=48.5)
    assert told.shares[-2:] == pytest.approx([0.515, 1.0], abs=1e-3)
    assert told.left_s[-2:] == [48.5, 0]


def test_a_first_training_that_is_slow_is_counted_on_before_it_is_finished():
    told = Told(Trainings(n_quick=0, n_full=2), Speed(full_s=10.0))
    told.train(FULL, first_half_s=20, second_half_s=20)
    assert told.left_s == [20, 1.5 * (20 + 5), 40]


def test_before_anything_is_known_trainings_count_the_same_and_no_time_is_told():
    told = Told(Trainings(n_quick=1, n_full=1))
    told.train(QUICK, first_half_s=1, second_half_s=0)
    assert told.shares == [0, 0.5]
    assert told.left_s == [None, None]
    told.train(FULL, first_half_s=6, second_half_s=6)
    assert told.left_s[2:] == [None, 6, 0]


def test_a_training_that_is_there_already_takes_no_time():
    told = Told(Trainings(n_quick=0, n_full=3), Speed(full_s=10.0))
    told.watch.skip(FULL)
    assert (told.shares, told.left_s) == ([0], [20])
