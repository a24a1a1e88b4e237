"""Imbalance: does any way to train in spite of rare classes help them, and what does it cost the others?

Each remedy that the kind of label has is trained against none, on the same items and with the same seeds. The rule: one
is recommended only if macro F1, in which a rare class counts as much as a common one, improves, corrected over the
remedies by Holm's method, and no other number of all classes gets worse: accuracy, or with several labels an item
subset accuracy and micro F1. What it does to the rare classes stands beside it.

Heads are trained to their minimum, where drawing items with weights comes to the same as weighing their losses; where
two remedies weigh alike they are trained once for both. Focal loss needs whole models.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from diagnostics.compare import IMPROVED, WORSE, Comparison
from diagnostics.errors import ConfigError
from diagnostics.experiments.families import corrected_together, points_text
from diagnostics.experiments.frame import (
    CANNOT_TELL,
    FULL,
    NOT_RECOMMENDED,
    QUICK,
    RECOMMENDED,
    ExperimentData,
    Result,
    Trainer,
    Trainers,
    Trainings,
)
from diagnostics.experiments.options import Options
from diagnostics.label_kinds import label_kind_of
from diagnostics.metric_names import METRICS
from diagnostics.task import FloatArray
from diagnostics.training.config import TrainConfig
from diagnostics.training.imbalance import FOCAL_LOSS, IMBALANCE, NO_REMEDY, Remedy

ONE_POINT = 0.01
MACRO_F1, RARE_F1, CLASS_F1 = METRICS["macro_f1"].name, "mean F1 of rare classes", "F1"
NOT_BY_HEADS, SAME_BY_HEADS = "not available in the quick estimate", "as {other} in the quick estimate"
NOT_BY_MODEL = "this model cannot be trained so"
TABLE_COLUMNS = (
    "way", "imbalance", "metric", "label", "n_labels", "support", "before", "after", "difference", "low", "high",
    "p_adjusted", "verdict", "n_needed",
)  # fmt: skip


def count(data: ExperimentData, options: Options) -> Trainings:
    """Each remedy and none once a seed."""
    seeds: int = options["seeds"]
    return Trainings(
        n_quick=seeds * len(_by_heads(data)), n_full=seeds * len(_remedies(data)) if options["full"] else 0
    )


def run(data: ExperimentData, trainers: Trainers, options: Options) -> Result:
    """Train with every remedy in each way, compare with none, and say what follows."""
    rare = rare_classes(data)
    named, missing = (
        {QUICK: _by_heads(data), FULL: list(_remedies(data))},
        {QUICK: _not_by_heads(data), FULL: {}},
    )
    tables = []
    for way, trainer in trainers.ways():
        trainings = _train(data, trainer, named[way], options["seeds"])
        tables.append(comparison_table(data, trainings, rare, missing=missing[way]).assign(way=way))
    table = pd.concat(tables, ignore_index=True)[list(TABLE_COLUMNS)]
    helping = {str(way): _helping(rows) for way, rows in table.groupby("way", sort=False)}
    outcome, verdict, why = _verdict(table, helping)
    return Result(
        outcome=outcome,
        verdict=verdict,
        why=why,
        table=table,
        notes=tuple(_notes(data, rare, trainers)),
        agreement=_agreement(helping),
        facts={"rare_classes": rare, "helping": helping},
    )


def rare_classes(data: ExperimentData) -> list[str]:
    """The classes with validation items and fewer train labels than the average class, the rarest first."""
    classes = data.task.classes
    counts, support = data.n_labels(), data.ruler.support
    average = counts.sum() / max(1, (counts > 0).sum())
    order = np.argsort(counts, kind="stable")
    return [classes[code] for code in order if 0 < counts[code] < average and support[code]]


def comparison_table(
    data: ExperimentData,
    trainings: Mapping[str, Sequence[FloatArray]],
    rare: Sequence[str],
    *,
    missing: Mapping[str, str],
) -> pd.DataFrame:
    """TABLE_COLUMNS but `way`: for each remedy the whole, the rare classes together and each of them.

    trainings : by remedy, "none" among them; those that there are not get a row that says so
    missing : why, by remedy

    p_adjusted is corrected by Holm's method: over the remedies for the whole and the rare classes together, over the
    classes of one comparison for single classes.
    """
    compared = _comparer(data, trainings, None)
    compared_rare = _comparer(data, trainings, rare) if rare else None
    n_labels = dict(zip(data.ruler.classes, data.n_labels().tolist(), strict=True))
    whole, main = data.ruler.metrics.whole, METRICS[data.ruler.metrics.main].name
    rows: list[dict[str, Any]] = []
    for name in _remedies(data):
        if name == NO_REMEDY:
            continue
        if name not in trainings:
            rows.append({"imbalance": name, "metric": main, "verdict": missing.get(name, NOT_BY_MODEL)})
            continue
        found = compared(name)
        n_items = len(data.train_items), found.n_items
        rows += [_row(name, METRICS[metric].name, found.of(metric), *n_items) for metric in whole]
        if compared_rare is None:
            continue
        own = found.classes.set_index("label").loc[list(rare)]
        together = compared_rare(name).of("macro_f1")
        n_rare, support = sum(n_labels[label] for label in rare), int(own["support"].sum())
        rows.append(_row(name, RARE_F1, together, n_rare, support))
        for label, row in own.iterrows():
            renamed = row.rename(lambda column: column.removeprefix("f1_"))
            of_class = _row(name, CLASS_F1, renamed, n_labels[str(label)], row["support"])
            rows.append(of_class | {"label": label})
    table = pd.DataFrame(rows).reindex(columns=list(TABLE_COLUMNS[1:]))
    families = [*(METRICS[metric].name for metric in whole), RARE_F1]
    return corrected_together(table.assign(label=table["label"].fillna("")), families)


def _comparer(
    data: ExperimentData, trainings: Mapping[str, Sequence[FloatArray]], macro_over: Sequence[str] | None
) -> Callable[[str], Comparison]:
    """Compares one remedy with none; the noise of training is that of all remedies."""
    noise = data.ruler.pooled_noise(list(trainings.values()), macro_over=macro_over)

    def compared(name: str) -> Comparison:
        return data.ruler.compare(
            trainings[NO_REMEDY], trainings[name], shared_noise=noise, macro_over=macro_over
        )

    return compared


def _row(name: str, metric: str, found: pd.Series, n_labels: int, support: int) -> dict[str, Any]:
    """p_adjusted is still the one of this comparison alone where it is to be corrected over the remedies."""
    columns = ("before", "after", "difference", "low", "high", "verdict", "n_needed")
    return {
        "imbalance": name,
        "metric": metric,
        "n_labels": n_labels,
        "support": support,
        "p_adjusted": found["p_adjusted" if metric == CLASS_F1 else "p_value"],
        **{column: found[column] for column in columns},
    }


# ------------------------------------------------------------ training


def _remedies(data: ExperimentData) -> Mapping[str, Remedy]:
    """Those of the kind of label, none among them."""
    return label_kind_of(data.task.label_kind).remedies


def _by_heads(data: ExperimentData) -> list[str]:
    """The remedies for which heads are trained, none among them."""
    missing = _not_by_heads(data)
    return [name for name in _remedies(data) if name not in missing]


def _not_by_heads(data: ExperimentData) -> dict[str, str]:
    """Why heads are not trained with the others, by their names."""
    missing: dict[str, str] = {}
    known: dict[object, str] = {}
    for name, remedy in _remedies(data).items():
        if remedy.weights is None:
            missing[name] = NOT_BY_HEADS
        elif remedy.weights in known:
            missing[name] = SAME_BY_HEADS.format(other=known[remedy.weights])
        else:
            known[remedy.weights] = name
    return missing


def _train(
    data: ExperimentData, trainer: Trainer, names: Sequence[str], n_seeds: int
) -> dict[str, list[FloatArray]]:
    """Remedies that the model cannot be trained with are left out."""
    trained = {}
    for name in names:
        config = with_remedy(data.single, name)
        try:
            trained[name] = [trainer(data.train_items, seed=seed, config=config) for seed in range(n_seeds)]
        except ConfigError:
            if name == NO_REMEDY:
                raise
    return trained


def with_remedy(config: TrainConfig, name: str) -> TrainConfig:
    """The configuration with another remedy, and nothing that contradicts it."""
    plain = TrainConfig()
    smoothing = 0.0 if name == FOCAL_LOSS else config.label_smoothing
    gamma = config.focal_gamma if name == FOCAL_LOSS else plain.focal_gamma
    return replace(config, imbalance=name, label_smoothing=smoothing, focal_gamma=gamma)


# ------------------------------------------------------------ what follows


def _helping(table: pd.DataFrame) -> list[str]:
    """The remedies that the rule lets through, the largest gain first."""
    macro = table[(table["metric"] == MACRO_F1) & (table["verdict"] == IMPROVED)]
    is_of_others = ~table["metric"].isin([MACRO_F1, RARE_F1, CLASS_F1])
    costly = table.loc[is_of_others & (table["verdict"] == WORSE), "imbalance"]
    found = macro[~macro["imbalance"].isin(costly)].sort_values("difference", ascending=False)
    return [str(name) for name in found["imbalance"]]


def _verdict(table: pd.DataFrame, helping: Mapping[str, list[str]]) -> tuple[str, str, str]:
    """Outcome, verdict, and the numbers it goes by."""
    way = FULL if FULL in helping else QUICK
    rows = table[table["way"] == way]
    macro = rows[rows["metric"] == MACRO_F1].sort_values("difference", ascending=False)
    best = helping[way][0] if helping[way] else str(macro["imbalance"].iloc[0])
    changes = f"{IMBALANCE[best].title} changes {_changes(rows, best)}."
    if not helping[way] and (macro["high"] >= ONE_POINT).any():
        return CANNOT_TELL, "It cannot be told whether a remedy for imbalance helps.", changes
    if not helping[way]:
        return NOT_RECOMMENDED, "No remedy for imbalance helps by a point or more.", changes
    if way == QUICK:
        verdict = f"By heads alone {IMBALANCE[best].title.lower()} helps: train whole models to confirm it."
        return CANNOT_TELL, verdict, changes
    return RECOMMENDED, f"Use --imbalance {best} for the next training.", changes


def _changes(rows: pd.DataFrame, name: str) -> str:
    """What a remedy does to the whole and to the rare classes, macro F1 first."""
    own = rows[(rows["imbalance"] == name) & (rows["metric"] != CLASS_F1)]
    metrics = sorted(own["metric"], key=[MACRO_F1].count, reverse=True)
    return ", ".join(f"{metric} by {points_text(own[own['metric'] == metric].iloc[0])}" for metric in metrics)


def _agreement(helping: Mapping[str, list[str]]) -> str:
    if len(helping) < 2:
        return ""
    said = {way: _titles(names) for way, names in helping.items()}
    if set(helping[QUICK]) & set(helping[FULL]) or not (helping[QUICK] or helping[FULL]):
        return f"Heads and whole models agree: {said[FULL]}."
    return f"Heads and whole models disagree: by heads {said[QUICK]}, by whole models {said[FULL]}. Whole models count."


def _titles(names: Sequence[str]) -> str:
    if not names:
        return "no remedy is shown to help"
    return f"{', '.join(IMBALANCE[name].title.lower() for name in names)} {'helps' if len(names) == 1 else 'help'}"


def _notes(data: ExperimentData, rare: Sequence[str], trainers: Trainers) -> list[str]:
    counts = {label: int(n) for label, n in zip(data.ruler.classes, data.n_labels(), strict=True) if n}
    notes = []
    if rare:
        named = ", ".join(f"{label} ({counts[label]:,})" for label in rare)
        average = sum(counts.values()) / len(counts)
        notes.append(f"Rare means fewer train labels than the average class ({average:,.0f}): {named}.")
    else:
        notes.append(f"No class is rare: each has {min(counts.values()):,} train labels.")
    notes.append(
        "Verdicts on the whole and on the rare classes together are corrected over the remedies (Holm)."
    )
    if trainers.quick is not None:
        notes += [f"{IMBALANCE[name].title}: {why}." for name, why in _not_by_heads(data).items()]
        notes.append(
            "Heads are trained to their minimum, where drawing items with weights comes to the same as weighing their "
            "losses. A loss that changes with what the model says needs whole models."
        )
    elif trainers.why_no_quick:
        notes.append(f"Heads were not tried first. {trainers.why_no_quick}")
    return notes
