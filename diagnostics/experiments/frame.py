"""What every experiment is given and gives back: the data, two ways to train, a cost beforehand, a result after.

An experiment is a module with

    count(data, options) -> Trainings      how often it trains, said before anything is started
    run(data, trainers, options) -> Result

It never predicts by itself: a trainer learns from train items and says what it predicts for the ruler, the labelled
validation items under the labels of the newest dataset version. Quick trainers train heads on features that are there,
in seconds; full trainers train whole models. Differences are judged by `diagnostics.compare` alone.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import pandas as pd

from diagnostics.compare import Comparison, compare_sides, noise_of, pooled_noise
from diagnostics.errors import Cancelled, DataError
from diagnostics.experiments.options import Options
from diagnostics.fold_arrays import FoldArray
from diagnostics.label_kinds import label_kind_of
from diagnostics.label_space import LabelSpace
from diagnostics.measures import AnyMetrics, Measure
from diagnostics.progress import Progress, ProgressCallback
from diagnostics.task import BoolArray, FloatArray, IntArray, Task, are_among
from diagnostics.training.config import TrainConfig
from diagnostics.training_noise import Training, TrainingNoise

QUICK, FULL = "quick", "full"
RECOMMENDED, NOT_RECOMMENDED, CANNOT_TELL, MEASURED = (
    "recommended",
    "not recommended",
    "cannot tell",
    "measured",
)


CAP = "class_cap"
WORK_PREFIX = ".training-"


class Trainer(Protocol):
    """Learns from train items and predicts the ruler."""

    def __call__(self, items: pd.DataFrame, *, seed: int, config: TrainConfig | None = None) -> FloatArray:
        """(n_models, n_ruler_items, n_classes) probabilities, in the order of the ruler.

        items : train items with the columns item_id and label, and perhaps weight (how much an item counts, 1 = as
            one item). Only items that the trainer knows: `ExperimentData.train_items` and `spare_items`;
            those that are left out are not trained on.
        config : how to train, if not as `ExperimentData.single` says; of it a quick trainer's heads heed the remedy for
            imbalance alone, and without it they are trained with none
        """


@dataclass(frozen=True, slots=True)
class Ruler:
    """The items that every training is judged by, labelled validation items, and how they judge.

    item_ids : (n_items,); codes : (n_items,) of their labels in `space`, all of them known
    measure : what trainings are compared by, that of the kind of label
    units : (n_items,), equal values are one unit of chance: copies of a picture, pictures of a group; None = each item

    A training is (n_models, n_items, n_classes) probabilities, in the order of the items.
    """

    item_ids: np.ndarray
    codes: IntArray
    space: LabelSpace
    measure: Measure
    units: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.item_ids)

    @property
    def classes(self) -> tuple[str, ...]:
        return self.space.classes

    @property
    def metrics(self) -> AnyMetrics:
        """The numbers of a comparison; macro F1 is that of all classes that an item has."""
        return self.measure(self.codes, np.ones(len(self.classes), dtype=np.bool_))

    @property
    def support(self) -> IntArray:
        """(n_classes,), how many of the items have each class."""
        return self.space.by_class(np.bincount(self.codes, minlength=len(self.space)))

    def read(self, trainings: Sequence[FoldArray]) -> list[Training]:
        """What each training predicts, in the form that the metrics look into."""
        rows = np.arange(len(self))
        units = np.asarray(rows if self.units is None else self.units, dtype=object)
        return self.metrics.read(trainings, rows, self.codes, units)[0]

    def predicted(self, training: FoldArray) -> BoolArray:
        """(n_items, n_classes), the classes that each item is predicted to have."""
        return self.metrics.targets(self.read([training])[0].predicted)

    def compare(
        self,
        before: Sequence[FoldArray],
        after: Sequence[FoldArray],
        *,
        shared_noise: TrainingNoise | None,
        macro_over: Sequence[str] | None = None,
    ) -> Comparison:
        """As `diagnostics.compare.compare_sides`, on these items."""
        return compare_sides(
            self.item_ids,
            self.codes,
            before,
            after,
            self.classes,
            shared_noise=shared_noise,
            units=self.units,
            macro_over=macro_over,
            measure=self.measure,
        )

    def noise_of(self, trainings: Sequence[FoldArray]) -> TrainingNoise | None:
        """As `diagnostics.compare.noise_of`, on these items."""
        return noise_of(self.codes, trainings, self.classes, units=self.units, measure=self.measure)

    def pooled_noise(
        self, sides: Sequence[Sequence[FoldArray]], *, macro_over: Sequence[str] | None = None
    ) -> TrainingNoise | None:
        """As `diagnostics.compare.pooled_noise`, on these items."""
        return pooled_noise(
            self.codes, sides, self.classes, units=self.units, macro_over=macro_over, measure=self.measure
        )


@dataclass(frozen=True, slots=True)
class ExperimentData:
    """What an experiment is about.

    train_items : labelled train items as a training now would take them, columns TRAIN_COLUMNS
    config : how the project trains, folds and all
    single : the same for one model on all items with nothing planted, a fixed learning rate and all its epochs, so that
        trainings differ in nothing but their items and their seed, and none is chosen by the ruler; what a full trainer
        uses if not told otherwise
    known_seeds : of full trainings on all train items with `config`, those that are there already
    about : what single experiments need beside this, by name
    spare_items : labelled train items that are not trained on now and that an experiment may take in again, columns
        TRAIN_COLUMNS; None = none
    """

    train_items: pd.DataFrame
    ruler: Ruler
    task: Task
    config: TrainConfig
    single: TrainConfig
    known_seeds: tuple[int, ...] = ()
    about: Mapping[str, Any] = field(default_factory=dict)
    spare_items: pd.DataFrame | None = None

    def has(self, items: pd.DataFrame, label: str) -> BoolArray:
        """(n_items,), which items have a class; items : labelled ones, column label"""
        space, codes = self.coded(items)
        return space.has(codes, space.classes.index(label))

    def n_labels(self, items: pd.DataFrame | None = None) -> IntArray:
        """(n_classes,), how many items have each class; of the train items if not given."""
        space, codes = self.coded(self.train_items if items is None else items)
        return space.by_class(np.bincount(codes, minlength=len(space)))

    def coded(self, items: pd.DataFrame) -> tuple[LabelSpace, IntArray]:
        """What labels mean, and those of the items in it, (n_items,); items : labelled ones, column label"""
        space = self.ruler.space.with_texts(items["label"])
        return space, space.codes(items["label"])


@dataclass(frozen=True, slots=True)
class Trainers:
    """The two ways to train; None where one is not to be had or not asked for.

    why_no_quick : what stands in the way of quick trainings, a sentence; else empty
    quick_features : whose features the heads are trained on, in words
    typical_noise : of the project's newest full run, as `diagnostics.compare` takes it; None if it tells nothing
    """

    quick: Trainer | None
    full: Trainer | None
    why_no_quick: str = ""
    quick_features: str = ""
    typical_noise: TrainingNoise | None = None

    def ways(self) -> list[tuple[str, Trainer]]:
        """(QUICK or FULL, trainer), those that there are, quick first."""
        both = ((QUICK, self.quick), (FULL, self.full))
        return [(way, trainer) for way, trainer in both if trainer is not None]


@dataclass(frozen=True, slots=True)
class Trainings:
    """How often an experiment trains.

    n_quick, n_full : trainings of each kind; n_known : of the full ones, those that are there already
    n_models : of one full training
    """

    n_quick: int
    n_full: int
    n_known: int = 0
    n_models: int = 1


@dataclass(frozen=True, slots=True)
class Speed:
    """How long one training takes here, in seconds; None where nothing is known.

    quick_s : of one quick training; full_s : of one model trained whole, on all train items
    source : where full_s is from, in words; quick_source : where quick_s is from, if it was not measured here
    """

    quick_s: float | None = None
    full_s: float | None = None
    source: str = ""
    quick_source: str = ""


@dataclass(frozen=True, slots=True)
class Cost:
    """What an experiment costs, known before it starts.

    seconds : None if it is not known how long a training takes here
    source : what the seconds go by; where there are none, why
    """

    trainings: Trainings
    seconds: float | None
    source: str

    def __str__(self) -> str:
        parts = []
        if self.trainings.n_quick:
            parts.append(f"{_n(self.trainings.n_quick, 'quick training')} (heads on features)")
        if self.trainings.n_full:
            models = f" of {self.trainings.n_models} models each" if self.trainings.n_models > 1 else ""
            parts.append(f"{_n(self.trainings.n_full, 'full training')}{models}")
        n_known = self.trainings.n_known
        known = f", {n_known} more {'is' if n_known == 1 else 'are'} there already" if n_known else ""
        what = " and ".join(parts) or "no training"
        return f"{what}{known}: {self._time()}"

    def _time(self) -> str:
        if self.seconds is None:
            return f"how long is unknown: {self.source}."
        return f"about {seconds_text(self.seconds)}{f', going by {self.source}' if self.source else ''}."


def cost_of(trainings: Trainings, speed: Speed) -> Cost:
    """How long so many trainings take at this speed.

    >>> str(cost_of(Trainings(7, 7), Speed(quick_s=0.5, full_s=9.0, source="run-0001")))
    '7 quick trainings (heads on features) and 7 full trainings: about 1 min 6 s, going by run-0001.'
    """
    quick_s, full_s = trainings.n_quick * (speed.quick_s or 0.0), 0.0
    if trainings.n_full:
        if speed.full_s is None:
            return Cost(trainings, None, "nothing has been trained here yet")
        full_s = trainings.n_full * trainings.n_models * speed.full_s
    return Cost(trainings, quick_s + full_s, speed.source if trainings.n_full else speed.quick_source)


def rough_quick_s(n_items: int, n_classes: int) -> float:
    """About how long a quick training takes on one core, before one was made here.

    n_items : train items

    Measured: 0.03 s for 600 items of 10 classes and 256 features, 1.1 s for 6,767 of 77 and 512.
    """
    return 0.02 + 2.2e-6 * n_items * n_classes


@dataclass(frozen=True, slots=True)
class Action:
    """Something that a result recommends and that can be applied and taken back.

    kind : the name of the entry that carries it out, see `curation.experiments.ACTORS`
    text : what it does, as a button says it
    values : what it needs, JSON-able
    """

    kind: str
    text: str
    values: Mapping[str, Any]


@dataclass(frozen=True)
class Result:
    """What an experiment found.

    outcome : RECOMMENDED, NOT_RECOMMENDED, CANNOT_TELL, or MEASURED where nothing is to be recommended
    verdict : the answer to the experiment's question, one sentence
    why : the numbers that it goes by, in a sentence or two
    table : its numbers, one row a measurement; a column `way` says QUICK or FULL
    notes : what a reader of the numbers should know, one sentence each
    agreement : whether quick and full trainings say the same, a sentence; "" if only one way was tried
    action : what is recommended, if it can be carried out
    facts : single numbers behind the verdict, JSON-able
    """

    outcome: str
    verdict: str
    table: pd.DataFrame
    notes: tuple[str, ...] = ()
    agreement: str = ""
    action: Action | None = None
    why: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)


class ExperimentModule(Protocol):
    """What the module of an experiment has."""

    def count(self, data: ExperimentData, options: Options) -> Trainings:
        """How often it trains; raises DataError if it cannot be made with these data."""

    def run(self, data: ExperimentData, trainers: Trainers, options: Options) -> Result:
        """Train and judge."""


def ruler_of(items: pd.DataFrame, task: Task, *, rule: str) -> Ruler:
    """The labelled validation items.

    items : columns item_id, split, label, and perhaps unit
    rule : `TrainConfig.thresholds`, by which predicted sets are cut where an item has several labels
    raises : DataError if there are none
    """
    held_out = items[(items["split"] == "val") & items["label"].notna()]
    if held_out.empty:
        raise DataError(
            "An experiment is judged by the labelled validation items, and there are none. Make the project anew with "
            "some set aside: winnow init --val-fraction 0.2"
        )
    kind = label_kind_of(task.label_kind)
    space = kind.space(task.classes, held_out["label"])
    return Ruler(
        item_ids=held_out["item_id"].to_numpy(dtype=object),
        codes=space.codes(held_out["label"]),
        space=space,
        measure=kind.measure(space, rule=rule),
        units=held_out["unit"].to_numpy(dtype=object) if "unit" in held_out else None,
    )


class Watch:
    """Tells how far an experiment is and how long it still takes, going by its own trainings so far.

    How far is a share of the time, so that ten trainings of a second do not look like ten of a minute; where nothing is
    known of how long one takes, each counts the same.
    """

    def __init__(
        self,
        trainings: Trainings,
        *,
        on_progress: ProgressCallback,
        should_stop: Callable[[], bool],
        clock: Callable[[], float],
        speed: Speed | None = None,
    ) -> None:
        speed = speed or Speed()
        self._left = {QUICK: trainings.n_quick, FULL: trainings.n_full}
        self._n = trainings.n_quick + trainings.n_full
        self._seconds: dict[str, list[float]] = {QUICK: [], FULL: []}
        full_s = speed.full_s and speed.full_s * trainings.n_models
        self._expected = {QUICK: speed.quick_s, FULL: full_s}
        self._began_s: float | None = None
        self._on_progress, self.should_stop, self._clock = on_progress, should_stop, clock

    def over(self, way: str, trainer: Trainer) -> Trainer:
        """The same trainer, watched: stopped between trainings if asked to, and told of after each."""

        def watched(items: pd.DataFrame, *, seed: int, config: TrainConfig | None = None) -> FloatArray:
            if self.should_stop():
                raise Cancelled("The experiment was stopped.")
            self._began_s = self._clock()
            self._tell(way)
            found = trainer(items, seed=seed, config=config)
            self._seconds[way].append(self._running_s())
            self._began_s = None
            self.skip(way)
            return found

        return watched

    def skip(self, way: str) -> None:
        """One training fewer is left."""
        self._left[way] = max(0, self._left[way] - 1)
        self._tell(way)

    def within(self, progress: Progress) -> None:
        """Pass on how far the training is that runs now, as a part of the whole."""
        share = progress.done / progress.total if progress.total else 0.0
        self._tell(FULL, within=min(share, 1.0), detail=progress.detail)

    def seconds_each(self, way: str) -> float | None:
        """The median over this experiment's trainings; None before the first."""
        taken = self._seconds[way]
        return float(np.median(taken)) if taken else None

    def _running_s(self) -> float:
        """How long the training that runs now has taken so far, 0 between trainings."""
        return 0.0 if self._began_s is None else self._clock() - self._began_s

    def _tell(self, way: str, *, within: float = 0.0, detail: str = "") -> None:
        n_done, running_s = self._n - sum(self._left.values()), self._running_s()
        words = f"{way} training {min(n_done + 1, self._n)} of {self._n}"
        left_s = self._seconds_left(way, within, running_s)
        share, metrics = (n_done + within) / max(1, self._n), {}
        if left_s is not None:
            metrics = {"seconds_left": left_s}
            spent_s = running_s + sum(map(sum, self._seconds.values()))
            share = spent_s / (spent_s + left_s) if spent_s + left_s > 0 else share
        total = 1000 * self._n
        self._on_progress(
            Progress(
                "experiment", round(total * share), total, " · ".join(filter(None, (words, detail))), metrics
            )
        )

    def _seconds_left(self, way: str, within: float, running_s: float) -> float | None:
        left = 0.0
        for name, n_left in self._left.items():
            if n_left == 0:
                continue
            done = within if name == way else 0.0
            each = self.seconds_each(name) or self._foreseen_s(name, done, running_s)
            if each is None:
                return None
            left += each * (n_left - done)
        return left

    def _foreseen_s(self, way: str, within: float, running_s: float) -> float | None:
        """How long a training takes before the first of its kind is finished: what was expected, the more of it
        replaced by what the first has taken the further that is; None while nothing is known."""
        expected_s = self._expected[way]
        if within == 0:
            return expected_s
        return running_s / within if expected_s is None else running_s + (1 - within) * expected_s


def without(items: pd.DataFrame, item_ids: Sequence[str] | pd.Index | np.ndarray) -> pd.DataFrame:
    """The items but these."""
    return items[~are_among(items["item_id"], item_ids)]


def seconds_text(seconds: float) -> str:
    """A length of time in words.

    >>> seconds_text(75), seconds_text(4000)
    ('1 min 15 s', '1 h 6 min')
    """
    whole = max(1, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def _n(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
