"""Seeds: the same data trained several times, to see how much of a difference is chance."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from diagnostics.experiments.frame import (
    FULL,
    MEASURED,
    ExperimentData,
    Result,
    Ruler,
    Trainers,
    Trainings,
)
from diagnostics.experiments.options import Options
from diagnostics.metrics import class_report
from diagnostics.task import FloatArray

TABLE_COLUMNS = ("way", "metric", "label", "support", "n_trainings", "mean", "sd", "se")


def count(data: ExperimentData, options: Options) -> Trainings:
    """How often it trains; finished runs that differ in the seed alone need not be trained again."""
    n: int = options["n"]
    if not options["full"]:
        return Trainings(n_quick=n, n_full=0)
    n_known = min(n, len(data.known_seeds))
    return Trainings(n_quick=n, n_full=n - n_known, n_known=n_known, n_models=data.config.folds or 1)


def run(data: ExperimentData, trainers: Trainers, options: Options) -> Result:
    """Train so often and measure how far the numbers spread."""
    tables = []
    for way, trainer in trainers.ways():
        seeds = seeds_of(data, options["n"]) if way == FULL else list(range(options["n"]))
        config = data.config if way == FULL else None
        trainings = [trainer(data.train_items, seed=seed, config=config) for seed in seeds]
        tables.append(spread_table(data.ruler, trainings).assign(way=way))
    table = pd.concat(tables, ignore_index=True)[list(TABLE_COLUMNS)]
    whole = table[(table["way"] == table["way"].iloc[-1]) & (table["metric"] == "accuracy")].iloc[0]
    return Result(
        outcome=MEASURED,
        verdict=f"Accuracy moves by {100 * whole['sd']:.1f} points (standard deviation) from seed to seed.",
        table=table,
    )


def seeds_of(data: ExperimentData, n: int) -> list[int]:
    """So many seeds, those first of which a training is there already."""
    known = list(data.known_seeds[:n])
    others = (seed for seed in range(data.config.seed, data.config.seed + 2 * n) if seed not in known)
    return known + [next(others) for _ in range(n - len(known))]


def spread_table(ruler: Ruler, trainings: Sequence[FloatArray]) -> pd.DataFrame:
    """Mean, standard deviation and standard error of each metric over trainings, one row a metric and class.

    trainings : each (n_models, n_ruler_items, n_classes)
    """
    reports = [
        class_report(ruler.codes, training.mean(axis=0).argmax(axis=1).astype(np.int64), ruler.classes)
        for training in trainings
    ]
    n = len(reports)
    columns = [("accuracy", "", len(ruler), [report.accuracy.value for report in reports])]
    columns.append(("macro_f1", "", len(ruler), [report.macro_f1.value for report in reports]))
    for row, label in enumerate(ruler.classes):
        support = int((ruler.codes == row).sum())
        for metric in ("precision", "recall", "f1"):
            values = [float(report.table[metric].iloc[row]) for report in reports]
            columns.append((metric, label, support, values))
    rows = []
    for metric, label, support, values in columns:
        known = np.array(values)[~np.isnan(values)]
        sd = float(known.std(ddof=1)) if len(known) > 1 else np.nan
        mean = float(known.mean()) if len(known) else np.nan
        rows.append((metric, label, support, n, mean, sd, sd / np.sqrt(len(known)) if len(known) else np.nan))
    return pd.DataFrame(rows, columns=list(TABLE_COLUMNS[1:]))
