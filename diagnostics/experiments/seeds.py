"""Seeds: the same data trained several times, to see how much of a difference is chance.

The smallest difference d that can be seen is the one that `diagnostics.compare` finds with 80 % power between n
trainings and n others, at the 5 % level and in one number looked at by itself:

    d = (t[0.975] + t[0.8]) · sqrt(items + training) + u

with Student's t at Satterthwaite's degrees of freedom, as there. `training` is 2 / n of what a single training adds on
all items alike. `items` is 2 / n of what trainings differ in on single items, and d u for the change itself: a change
of d turns at least d / u items, where u is how far one item moves the number. Corrected labels turn more items than
that, so that this is the best that can be hoped for.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from diagnostics.compare import ALPHA, POWER
from diagnostics.experiments.frame import (
    FULL,
    MEASURED,
    QUICK,
    ExperimentData,
    Result,
    Ruler,
    Trainers,
    Trainings,
)
from diagnostics.experiments.options import Options
from diagnostics.influence import CLASS_METRICS
from diagnostics.measures import AnyMetrics
from diagnostics.metric_names import METRICS
from diagnostics.task import FloatArray

TABLE_COLUMNS = (
    "way", "metric", "label", "support", "n_trainings", "mean", "sd", "se",
    "item_sd", "training_sd", "smallest_difference", "n_items_needed",
)  # fmt: skip
WIDE = 2.0
ROUNDS = 30
MOST_ITEMS = 20.0


@dataclass(frozen=True)
class Spread:
    """How far apart trainings of one kind come out; arrays (n_columns,), see `diagnostics.measures.AnyMetrics`.

    values : (n_trainings, n_columns)
    total : the variance of one training; by_items : the part of it that the sample of items makes
    step : how far one item moves each number
    df : degrees of freedom behind `total`
    n_items : that they are measured on
    """

    metrics: AnyMetrics
    values: FloatArray
    total: FloatArray
    by_items: FloatArray
    step: FloatArray
    df: float
    n_items: int

    @property
    def training(self) -> FloatArray:
        """The part of the variance of one training that it adds on all items alike."""
        return np.maximum(self.total - self.by_items, 0)

    def smallest_difference(self, share: FloatArray | float = 1.0) -> FloatArray:
        """See the head of this module, for as many trainings on each side as there are.

        share : with so many times fewer items, 0.5 = with twice as many; a number, or one a column
        """
        n, step = len(self.values), self.step * share
        own, training = 2 * self.by_items * share / n, 2 * self.training / n
        of_side = (self.by_items * share + self.training) / n
        found = np.zeros(len(self.step))
        for _ in range(ROUNDS):
            items = np.maximum(own + found * step, step**2)
            doubt = items**2 * share / self.n_items + 2 * of_side**2 / self.df
            df = np.maximum((items + training) ** 2 / np.where(doubt > 0, doubt, np.inf), 1)
            reach = stats.t.ppf(1 - ALPHA / 2, df) + stats.t.ppf(POWER, df)
            found = reach * np.sqrt(items + training) + step
        return found

    def n_needed(self, difference: float, n_items: FloatArray) -> FloatArray:
        """Items with which `difference` would be seen; NaN where none do, because training moves the number too much.

        n_items : (n_columns,), that there are
        """
        low, high = np.full(len(self.step), -MOST_ITEMS), np.full(len(self.step), MOST_ITEMS)
        possible = self.smallest_difference(2.0**-MOST_ITEMS) <= difference
        for _ in range(ROUNDS):
            middle = (low + high) / 2
            seen = self.smallest_difference(2.0**-middle) <= difference
            low, high = np.where(seen, low, middle), np.where(seen, middle, high)
        return np.where(possible, np.ceil(n_items * 2.0**high), np.nan)


def count(data: ExperimentData, options: Options) -> Trainings:
    """How often it trains; finished runs that differ in the seed alone need not be trained again."""
    n: int = options["n"]
    if not options["full"]:
        return Trainings(n_quick=n, n_full=0)
    n_known = min(n, len(data.known_seeds))
    return Trainings(n_quick=n, n_full=n - n_known, n_known=n_known, n_models=data.config.folds or 1)


def run(data: ExperimentData, trainers: Trainers, options: Options) -> Result:
    """Train so often and measure how far the numbers spread."""
    tables = {}
    for way, trainer in trainers.ways():
        seeds = seeds_of(data, options["n"]) if way == FULL else list(range(options["n"]))
        config = data.config if way == FULL else None
        trainings = [trainer(data.train_items, seed=seed, config=config) for seed in seeds]
        spread = spread_of(data.ruler, trainings)
        tables[way] = spread_table(data.ruler, spread, chased=options["points"] / 100).assign(way=way)
    deciding = FULL if FULL in tables else QUICK
    main = _main(tables[deciding], data.ruler)
    return Result(
        outcome=MEASURED,
        verdict=_verdict(main, options["points"]),
        why=_why(main, deciding, options["points"]),
        table=pd.concat(tables.values(), ignore_index=True)[list(TABLE_COLUMNS)],
        notes=tuple(_notes(trainers, deciding)),
        agreement=_agreement(tables, data.ruler),
        facts={
            "decided_by": deciding,
            "points": options["points"],
            "large_enough": _is_enough(main, options["points"]),
        },
    )


def seeds_of(data: ExperimentData, n: int) -> list[int]:
    """So many seeds, those first of which a training is there already."""
    known = list(data.known_seeds[:n])
    others = (seed for seed in range(data.config.seed, data.config.seed + 2 * n) if seed not in known)
    return known + [next(others) for _ in range(n - len(known))]


def spread_of(ruler: Ruler, trainings: Sequence[FloatArray]) -> Spread:
    """Measure at least two trainings of the same data.

    trainings : each (n_models, n_ruler_items, n_classes)
    """
    metrics, noise = ruler.metrics, ruler.noise_of(trainings)
    if noise is None:
        raise ValueError("One training with one model has no spread.")
    read = ruler.read(trainings)
    ratios = [metrics.ratios(ruler.codes, training.predicted) for training in read]
    share = float(np.mean([1 / training.n_models for training in read]))
    return Spread(
        metrics=metrics,
        values=np.array([each.values() for each in ratios]),
        total=share * noise.spread,
        by_items=share * noise.by_items,
        step=metrics.one_item(np.mean([each.totals()[1] for each in ratios], axis=0)),
        df=noise.df,
        n_items=len(ruler),
    )


def spread_table(ruler: Ruler, spread: Spread, *, chased: float) -> pd.DataFrame:
    """TABLE_COLUMNS but `way`: the numbers of all classes together, then each metric of each class.

    chased : the difference that n_items_needed is for, in (0, 1]
    item_sd, training_sd : the standard deviation of one training by the two parts; smallest_difference : see the head
        of this module. Numbers that are not defined for some training are NaN.
    """
    names, support = _columns(ruler, spread.metrics)
    n = len(spread.values)
    sd = spread.values.std(axis=0, ddof=1)
    known = np.isfinite(sd)
    return names.assign(
        n_trainings=n,
        mean=spread.values.mean(axis=0),
        sd=sd,
        se=sd / np.sqrt(n),
        item_sd=np.where(known, np.sqrt(spread.by_items), np.nan),
        training_sd=np.where(known, np.sqrt(spread.training), np.nan),
        smallest_difference=np.where(known, np.minimum(spread.smallest_difference(), 1), np.nan),
        n_items_needed=np.where(known, spread.n_needed(chased, support), np.nan),
    )


def _columns(ruler: Ruler, metrics: AnyMetrics) -> tuple[pd.DataFrame, FloatArray]:
    """metric, label and support of each column, and the support by itself."""
    rows = [(metric, "", len(ruler)) for metric in metrics.whole]
    for metric in CLASS_METRICS:
        rows += [(metric, label, int(n)) for label, n in zip(ruler.classes, ruler.support, strict=True)]
    table = pd.DataFrame(rows, columns=["metric", "label", "support"])
    return table, table["support"].to_numpy(dtype=float)


# ------------------------------------------------------------ in words


def _main(table: pd.DataFrame, ruler: Ruler) -> dict[Any, Any]:
    """The row of the number that the verdict is on."""
    return table[table["metric"] == ruler.metrics.main].iloc[0].to_dict()


def _is_enough(main: Mapping[Any, Any], points: float) -> bool:
    return bool(main["smallest_difference"] <= points / 100)


def _verdict(main: Mapping[Any, Any], points: float) -> str:
    answer = "large enough" if _is_enough(main, points) else "too small"
    name = METRICS[main["metric"]].name
    return f"The validation set is {answer} for differences of {_points(points)} of {name}."


def _why(main: Mapping[Any, Any], way: str, points: float) -> str:
    return (
        f"With {main['support']:,} items and {main['n_trainings']} trainings on each side, "
        f"{100 * main['smallest_difference']:.1f} points is the smallest that can be seen (80 % power). "
        f"From seed to seed {METRICS[main['metric']].name} moves by {100 * main['sd']:.2f} points (standard deviation) "
        f"around {100 * main['mean']:.1f} %{' with heads alone' if way == QUICK else ''}."
        f"{'' if _is_enough(main, points) else _remedy(main, points)}"
    )


def _remedy(main: Mapping[Any, Any], points: float) -> str:
    needed = main["n_items_needed"]
    if needed != needed:
        return f" More items alone do not show {_points(points)}: training moves it too much. Train with more seeds."
    return f" For {_points(points)} about {needed:,.0f} validation items are needed."


def _points(points: float) -> str:
    return "1 point" if points == 1 else f"{points:g} points"


def _notes(trainers: Trainers, deciding: str) -> list[str]:
    notes = [
        "item_sd is how far trainings differ on single items, training_sd how far one is better on all items alike. "
        "smallest_difference is for as many trainings on each side as here, in one number by itself; a change of the "
        "labels turns more items than another seed does, so that it is the best that can be hoped for.",
    ]
    if deciding == QUICK:
        notes.append(
            "Only heads on fixed features were trained; they move less than whole models. Train whole models to know."
        )
    elif trainers.quick is None:
        notes.append(f"Heads were not tried first. {trainers.why_no_quick}")
    return notes


def _agreement(tables: dict[str, pd.DataFrame], ruler: Ruler) -> str:
    if len(tables) < 2:
        return ""
    quick, full = (_main(tables[way], ruler)["sd"] for way in (QUICK, FULL))
    name = METRICS[ruler.metrics.main].name
    words = f"{name} moves by {100 * quick:.2f} points with heads and by {100 * full:.2f} with whole models"
    if full > WIDE * quick:
        return f"Heads and whole models disagree: {words}. Whole models count."
    return f"Heads and whole models agree: {words}."
