"""The verb that puts suspects first: rank."""

from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.commands.options import AsJson, RunId, ThresholdRule, given_flags, refuse_flags, with_options
from app.commands.ranking_tables import print_ranking, print_set_ranking
from app.printing import IN_SAMPLE_NOTE, print_json, print_line

if TYPE_CHECKING:
    from curation.other_label_sets import SetRanking
    from curation.queues import QueueQuery


class Ranker(StrEnum):
    label_quality = "label_quality"
    loss = "loss"
    confusion = "confusion"
    margin = "margin"
    entropy = "entropy"


class Suspect(StrEnum):
    missing = "missing"
    superfluous = "superfluous"


class IssueFilter(StrEnum):
    prune_by_noise_rate = "prune_by_noise_rate"
    prune_by_class = "prune_by_class"
    both = "both"
    confident_learning = "confident_learning"


DEFAULT_FILTER, DEFAULT_DEVICE = IssueFilter.prune_by_noise_rate, "cpu"


@dataclass(frozen=True, slots=True)
class ItemOptions:
    """Which items of a project."""

    split: Annotated[
        str | None,
        typer.Option(help="train, val, test, unlabelled, or several with commas. Default: train."),
    ] = None
    given: Annotated[str | None, typer.Option(help="Only items labelled with this class.")] = None
    predicted: Annotated[str | None, typer.Option(help="Only items predicted as this class.")] = None
    suspect: Annotated[
        Suspect | None, typer.Option(help="Of several labels: only items of which one may be so.")
    ] = None
    suspect_label: Annotated[
        str | None, typer.Option(help="Of several labels: only items of which this one is the suspect one.")
    ] = None
    pair: Annotated[str | None, typer.Option(help="Only a confused pair of classes: A,B.")] = None
    like: Annotated[
        str | None,
        typer.Option(help="Unlabelled items, those most like the known items of this class first."),
    ] = None
    search: Annotated[str, typer.Option(help="Only paths that contain this text.")] = ""
    undecided: Annotated[bool, typer.Option("--undecided", help="Only items nobody has decided on.")] = False
    run: RunId = None


@dataclass(frozen=True, slots=True)
class OrderOptions:
    """By what items are ranked, and where the ranking goes."""

    by: Annotated[Ranker, typer.Option(help="What makes an item suspect.")] = Ranker.label_quality
    k: Annotated[
        int, typer.Option(min=2, help="confusion: the largest minus the k-th largest probability.")
    ] = 2
    limit: Annotated[int, typer.Option(min=1, help="Rows of the table on the screen.")] = 20
    out: Annotated[Path | None, typer.Option(help="Write the whole ranking to this CSV.")] = None


@dataclass(frozen=True, slots=True)
class FileOptions:
    """Probabilities of any model, which belong to no project."""

    probs: Annotated[
        Path | None,
        typer.Option(metavar="PROBS.npy", help="Rank these probabilities (n_items, n_classes) of any model."),
    ] = None
    labels: Annotated[
        Path | None,
        typer.Option(metavar="LABELS.csv", help="--probs: the label, perhaps the id, of each row."),
    ] = None
    classes: Annotated[
        Path | None, typer.Option(help="--probs: the names of its columns. Default: from the labels.")
    ] = None
    filter_by: Annotated[
        IssueFilter | None,
        typer.Option(help="--probs: how label issues are found. Default: prune_by_noise_rate."),
    ] = None
    device: Annotated[
        str | None, typer.Option(help="--probs: where scores are computed: cpu (default), cuda, cuda:1, …")
    ] = None


@dataclass(frozen=True, slots=True)
class SetOptions:
    """The same of items with any number of labels."""

    multilabel: Annotated[
        bool,
        typer.Option("--multilabel", help="--probs: an item has any number of labels, also (none)."),
    ] = False
    separator: Annotated[
        str | None,
        typer.Option(help="--multilabel: between labels in the label column. Default: |, as in cat|dog."),
    ] = None
    threshold: Annotated[
        ThresholdRule | None,
        typer.Option(help="--multilabel: when a label counts as predicted. Default: 0.5."),
    ] = None
    out_pairs: Annotated[
        Path | None, typer.Option(help="--multilabel: write the most suspect labels of items to this CSV.")
    ] = None


@with_options
def rank(
    project: Annotated[
        Path | None, typer.Argument(metavar="[PROJECT]", help="The project's folder; not with --probs.")
    ] = None,
    *,
    items: ItemOptions,
    order: OrderOptions,
    files: FileOptions,
    sets: SetOptions,
    json: AsJson = False,
) -> None:
    """Rank items, most suspect first: those of a project, or the rows of any model's probabilities."""
    if files.probs is None:
        refuse_flags([*given_flags(files), *given_flags(sets)], "can only be used with --probs.")
        if project is None:
            raise typer.BadParameter("Give a PROJECT, or --probs PROBS.npy with --labels LABELS.csv.")
        return _rank_project(project, items, order, json=json)
    of_project = ["PROJECT"] if project is not None else []
    refuse_flags([*of_project, *given_flags(items)], "cannot be used with --probs, which has no project.")
    if files.labels is None:
        raise typer.BadParameter("--probs needs the labels of its rows: --labels LABELS.csv.")
    if sets.multilabel:
        refuse_flags(["--device"] if files.device else [], "cannot be used with --multilabel.")
        return _rank_set_files(files.probs, files.labels, files, sets, order, json=json)
    refuse_flags(given_flags(sets), "can only be used with --multilabel.")
    return _rank_files(files.probs, files.labels, files, order, json=json)


def _rank_project(project: Path, items: ItemOptions, order: OrderOptions, *, json: bool) -> None:
    from curation.export import write_table
    from curation.project import Project
    from curation.queues import ranked_table
    from curation.runs import read_run

    query = _query(items, order)
    opened = Project.open(project)
    run = read_run(opened, query.run_id).info
    in_sample = run.in_sample and "train" in query.splits
    ranked = ranked_table(opened, replace(query, run_id=run.run_id))
    if order.out is not None:
        write_table(ranked, order.out)
    if json:
        rows = {} if order.out else {"items": ranked}
        about = {"run_id": run.run_id, "by": query.order, "n_items": len(ranked), "in_sample": in_sample}
        return print_json({**about, "out": order.out, **rows})
    title = f"{len(ranked)} items of {','.join(query.splits)} by {query.order}, {run.name}"
    print_ranking(title + (IN_SAMPLE_NOTE if in_sample else ""), ranked, query.by, order.limit)
    return _print_written(order.out)


def _query(items: ItemOptions, order: OrderOptions) -> "QueueQuery":
    from curation.queues import QueueQuery

    return QueueQuery(
        run_id=items.run,
        splits=_splits(items.split or ("unlabelled" if items.like else "train")),
        by=order.by.value,
        k=order.k,
        given=items.given,
        predicted=items.predicted,
        suspect=items.suspect.value if items.suspect else None,
        suspect_label=items.suspect_label,
        pair=_pair(items.pair),
        like=items.like,
        decided="open" if items.undecided else "any",
        search=items.search,
    )


def _rank_files(probs: Path, labels: Path, files: FileOptions, order: OrderOptions, *, json: bool) -> None:
    from curation.export import write_table
    from curation.other_predictions import rank_other_predictions, read_other_predictions

    by, filter_by = order.by.value, (files.filter_by or DEFAULT_FILTER).value
    found = read_other_predictions(probs, labels, files.classes)
    ranking = rank_other_predictions(
        found, by=by, k=order.k, filter_by=filter_by, device=files.device or DEFAULT_DEVICE
    )
    if order.out is not None:
        write_table(ranking.table, order.out)
    if json:
        rows = {} if order.out else {"items": ranking.table}
        counts = {
            "n_items": len(ranking.table),
            "n_issues": ranking.n_issues,
            "n_left_out": ranking.n_left_out,
        }
        return print_json({"by": by, "filter_by": filter_by, **counts, "out": order.out, **rows})
    title = f"{len(ranking.table)} items of {probs.name} by {by}"
    print_ranking(title, ranking.table, by, order.limit, issues=True)
    print_line(f"{ranking.n_issues} label issues by confident learning ({filter_by}).")
    if ranking.n_left_out:
        print_line(f"{ranking.n_left_out} items without a label are left out.")
    return _print_written(order.out)


def _rank_set_files(
    probs: Path, labels: Path, files: FileOptions, sets: SetOptions, order: OrderOptions, *, json: bool
) -> None:
    from curation.export import write_table
    from curation.other_label_sets import rank_other_set_predictions, read_other_set_predictions
    from diagnostics.multilabel.label_sets import SEPARATOR

    if order.by is Ranker.confusion:
        raise typer.BadParameter("--by confusion needs classes of which an item has one; try entropy.")
    by, filter_by = order.by.value, (files.filter_by or DEFAULT_FILTER).value
    threshold = (sets.threshold or ThresholdRule.half).value
    separator = SEPARATOR if sets.separator is None else sets.separator
    found = read_other_set_predictions(probs, labels, files.classes, separator=separator)
    ranking = rank_other_set_predictions(found, by=by, filter_by=filter_by, threshold=threshold)
    for path, table in ((order.out, ranking.items), (sets.out_pairs, ranking.pairs)):
        if path is not None:
            write_table(table, path)
    if json:
        about = {"by": by, "filter_by": filter_by, "threshold": threshold, **_counts(ranking)}
        items = {} if order.out else {"items": ranking.items}
        pairs = {} if sets.out_pairs else {"pairs": ranking.pairs}
        return print_json({**about, "out": order.out, "out_pairs": sets.out_pairs, **items, **pairs})
    print_set_ranking(ranking, f"{probs.name} by {by}", by, order.limit)
    return _print_written(order.out, sets.out_pairs)


def _counts(ranking: "SetRanking") -> dict[str, int]:
    return {
        "n_items": len(ranking.items),
        "n_pairs": ranking.n_pairs,
        "n_item_issues": ranking.n_item_issues,
        "n_pair_issues": ranking.n_pair_issues,
        "n_left_out": ranking.n_left_out,
    }


def _print_written(*paths: Path | None) -> None:
    for path in paths:
        if path is not None:
            print_line(f"Written: {path}")


def _splits(text: str) -> tuple[str, ...]:
    from diagnostics.task import SPLITS

    names = tuple(name.strip() for name in text.split(",") if name.strip())
    unknown = [name for name in names if name not in SPLITS]
    if unknown or not names:
        raise typer.BadParameter(
            f"--split takes train, val, test, unlabelled or several with commas; found {text!r}."
        )
    return names


def _pair(text: str | None) -> tuple[str, str] | None:
    if text is None:
        return None
    first, comma, second = text.partition(",")
    if not comma:
        raise typer.BadParameter(f"--pair takes two classes with a comma between them; found {text!r}.")
    return first.strip(), second.strip()
