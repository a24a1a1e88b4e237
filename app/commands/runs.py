"""Verbs about models: train, jobs, report, rank, compare."""

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.commands.looks import look_at_test
from app.commands.options import (
    AsJson,
    ProjectFolder,
    RunId,
    Split,
    ThresholdRule,
    now,
    with_train_options,
)
from app.commands.ranking import rank_files, rank_project, rank_set_files, refuse_options
from app.printing import (
    IN_SAMPLE_NOTE,
    difference_with_interval,
    plain,
    print_json,
    print_line,
    print_table,
    progress_bar,
    share,
    with_interval,
)

if TYPE_CHECKING:
    from curation.advice import ClassAdvice
    from curation.reports import RunComparison
    from curation.test_looks import LooksAtTest


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


@with_train_options
def train(
    project: ProjectFolder,
    resume: Annotated[str | None, typer.Option(metavar="RUN", help="Go on with an unfinished run.")] = None,
    quick: Annotated[
        bool,
        typer.Option(
            "--quick",
            help="Train only heads on features that are there, on the decisions up to now. Seconds.",
        ),
    ] = False,
    seeds: Annotated[
        int,
        typer.Option(
            min=1,
            help="So many trainings, with --seed and the seeds after it; those that are there are kept.",
        ),
    ] = 1,
    job: Annotated[str | None, typer.Option(hidden=True)] = None,
    json: AsJson = False,
    **options: Any,
) -> None:
    """Train on the newest dataset version, predict every item, score it."""
    from curation.jobs import running_job
    from curation.project import Project
    from curation.replicates import train_seeds
    from curation.runs import read_run, train_project
    from diagnostics.training.config import TrainConfig

    if seeds > 1 and (quick or resume is not None):
        raise typer.BadParameter(
            "--seeds is for full trainings and goes on by itself with those that are not finished; "
            "leave out --quick and --resume."
        )

    opened = Project.open(project)
    config = TrainConfig.from_json({name: value for name, value in options.items() if value is not None})
    argv = [str(opened.folder) if argument == str(project) else argument for argument in sys.argv[1:]]
    with progress_bar(quiet=json) as show, running_job(opened, "train", argv, job_id=job) as watched:
        if seeds > 1:
            run_ids = train_seeds(opened, config, seeds, job=watched, on_progress=show, now=now)
        else:
            run_ids = [
                train_project(
                    opened, config, job=watched, on_progress=show, resume_run_id=resume, quick=quick
                )
            ]
    infos = [read_run(opened, run_id).info for run_id in run_ids]
    if json:
        last = infos[-1]
        return print_json(
            {"run_id": last.run_id, "run_ids": run_ids, "seconds": last.seconds, "info": plain(last)}
        )
    for info in infos:
        print_line(f"{info.name} finished in {info.seconds:.0f} s on {info.device}.")
        if info.quick is not None:
            print_line(f"Features of {info.quick.embeddings}. The numbers are an estimate.")
    print_line(f"Next: winnow report {project}, winnow rank {project}, winnow app {project}")
    return None


def jobs(
    project: ProjectFolder,
    cancel: Annotated[str | None, typer.Option(metavar="JOB", help="Stop a job.")] = None,
    resume: Annotated[
        str | None, typer.Option(metavar="JOB", help="Go on with a lost or cancelled job.")
    ] = None,
    json: AsJson = False,
) -> None:
    """List background jobs; cancel or resume one."""
    from curation.jobs import cancel_job, list_jobs, resume_job
    from curation.project import Project

    opened = Project.open(project)
    if cancel is not None:
        cancel_job(opened, cancel, now=now())
    if resume is not None:
        resume_job(opened, resume, now=now())
    rows = list_jobs(opened, now=now())
    if json:
        return print_json({"jobs": rows})
    columns = {"job": "left", "verb": "left", "state": "left", "run": "left", "started": "left", "": "left"}
    print_table("Jobs, newest first", columns, [_job_row(row) for row in rows])
    return None


def report(
    project: ProjectFolder,
    split: Annotated[Split, typer.Option(help="Which items.")] = Split.val,
    run_id: RunId = None,
    advice: Annotated[
        bool, typer.Option("--advice", help="What to do next about each class, and why.")
    ] = False,
    annotator: Annotated[str, typer.Option("--as", help="Who looks; kept for looks at test.")] = "",
    json: AsJson = False,
) -> None:
    """Precision, recall and F1 of each class, worst first, each with its 95 % interval."""
    from curation.advice import class_advice
    from curation.project import Project
    from curation.reports import labelled_predictions
    from diagnostics.compare import METRIC_NAMES
    from diagnostics.metrics import UNDERPERFORMING_RULE

    opened = Project.open(project)
    found = labelled_predictions(opened, split.value, run_id)
    measured, totals = found.class_report(), found.totals()
    looks = look_at_test(opened, [found.run_id], "report", annotator) if split is Split.test else None
    lines = class_advice(opened, found.run_id) if advice else []
    if json:
        return print_json(
            {
                **({} if looks is None else {"looks_at_test": looks}),
                **({"advice": lines} if advice else {}),
                "run_id": found.run_id,
                "quick": found.quick,
                "split": found.split,
                "dataset_version": found.version,
                "in_sample": found.in_sample,
                "n_items": measured.n_items,
                "n_without_prediction": found.n_without_prediction,
                **{
                    key: value
                    for name, each in totals.items()
                    for key, value in _estimate(name, each).items()
                },
                "classes": measured.worst_first(),
            }
        )
    print_line(
        f"{found.run_name}, {found.split} ({measured.n_items} items), labels of dataset version {found.version}"
        + (IN_SAMPLE_NOTE if found.in_sample else "")
    )
    for name, estimate in totals.items():
        print_line(f"{METRIC_NAMES[name]}: {with_interval(estimate.value, estimate.low, estimate.high)}")
    columns = {
        "class": "left",
        "precision": "right",
        "recall": "right",
        "F1": "right",
        "items": "right",
        "": "left",
    }
    print_table(
        "Classes, worst first", columns, [_class_row(row) for row in _records(measured.worst_first())]
    )
    print_line(UNDERPERFORMING_RULE)
    if looks is not None:
        print_line(str(looks))
    if advice:
        headings = {"class": "left", "next": "left", "why": "left"}
        print_table(
            "What to do next, measured on validation", headings, [_advice_row(line) for line in lines]
        )
    return None


def rank(
    project: Annotated[
        Path | None, typer.Argument(metavar="[PROJECT]", help="The project's folder; not with --probs.")
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(help="train, val, test, unlabelled, or several with commas. Default: train."),
    ] = None,
    by: Annotated[Ranker, typer.Option(help="What makes an item suspect.")] = Ranker.label_quality,
    k: Annotated[
        int, typer.Option(min=2, help="confusion: the largest minus the k-th largest probability.")
    ] = 2,
    given: Annotated[str | None, typer.Option(help="Only items labelled with this class.")] = None,
    predicted: Annotated[str | None, typer.Option(help="Only items predicted as this class.")] = None,
    suspect: Annotated[
        Suspect | None, typer.Option(help="Of several labels: only items of which one may be so.")
    ] = None,
    suspect_label: Annotated[
        str | None, typer.Option(help="Of several labels: only items of which this one is the suspect one.")
    ] = None,
    pair: Annotated[str | None, typer.Option(help="Only a confused pair of classes: A,B.")] = None,
    search: Annotated[str, typer.Option(help="Only paths that contain this text.")] = "",
    like: Annotated[
        str | None,
        typer.Option(help="Unlabelled items, those most like the known items of this class first."),
    ] = None,
    undecided: Annotated[bool, typer.Option("--undecided", help="Only items nobody has decided on.")] = False,
    limit: Annotated[int, typer.Option(min=1, help="Rows of the table on the screen.")] = 20,
    out: Annotated[Path | None, typer.Option(help="Write the whole ranking to this CSV.")] = None,
    run_id: RunId = None,
    probs: Annotated[
        Path | None,
        typer.Option(metavar="PROBS.npy", help="Rank these probabilities (n_items, n_classes) of any model."),
    ] = None,
    labels: Annotated[
        Path | None,
        typer.Option(metavar="LABELS.csv", help="--probs: the label, perhaps the id, of each row."),
    ] = None,
    classes: Annotated[
        Path | None, typer.Option(help="--probs: the names of its columns. Default: from the labels.")
    ] = None,
    filter_by: Annotated[
        IssueFilter | None,
        typer.Option(help="--probs: how label issues are found. Default: prune_by_noise_rate."),
    ] = None,
    device: Annotated[
        str | None, typer.Option(help="--probs: where scores are computed: cpu (default), cuda, cuda:1, …")
    ] = None,
    multilabel: Annotated[
        bool,
        typer.Option("--multilabel", help="--probs: an item has any number of labels, also (none)."),
    ] = False,
    separator: Annotated[
        str | None,
        typer.Option(help="--multilabel: between labels in the label column. Default: |, as in cat|dog."),
    ] = None,
    threshold: Annotated[
        ThresholdRule | None,
        typer.Option(help="--multilabel: when a label counts as predicted. Default: 0.5."),
    ] = None,
    out_pairs: Annotated[
        Path | None, typer.Option(help="--multilabel: write the most suspect labels of items to this CSV.")
    ] = None,
    json: AsJson = False,
) -> None:
    """Rank items, most suspect first: those of a project, or the rows of any model's probabilities."""
    from curation.queues import QueueQuery

    narrowing = {
        "--given": given,
        "--predicted": predicted,
        "--suspect": suspect,
        "--suspect-label": suspect_label,
        "--pair": pair,
        "--like": like,
        "--search": search,
    }
    of_sets = {"--separator": separator, "--threshold": threshold, "--out-pairs": out_pairs}
    of_project = {"--split": split, **narrowing, "--undecided": undecided, "--run": run_id}
    if probs is not None:
        refuse_options(
            {"PROJECT": project, **of_project}, "cannot be used with --probs, which has no project."
        )
        chosen = (filter_by or IssueFilter.prune_by_noise_rate).value
        if not multilabel:
            refuse_options(of_sets, "can only be used with --multilabel.")
            return rank_files(
                probs,
                labels,
                classes,
                by=by.value,
                k=k,
                filter_by=chosen,
                device=device or "cpu",
                limit=limit,
                out=out,
                json=json,
            )
        refuse_options({"--device": device}, "cannot be used with --multilabel.")
        if by is Ranker.confusion:
            raise typer.BadParameter("--by confusion needs classes of which an item has one; try entropy.")
        return rank_set_files(
            probs,
            labels,
            classes,
            separator="|" if separator is None else separator,
            by=by.value,
            filter_by=chosen,
            threshold=(threshold or ThresholdRule.half).value,
            limit=limit,
            out=out,
            out_pairs=out_pairs,
            json=json,
        )
    of_files = {"--labels": labels, "--classes": classes, "--filter-by": filter_by, "--device": device}
    refuse_options({**of_files, "--multilabel": multilabel, **of_sets}, "can only be used with --probs.")
    if project is None:
        raise typer.BadParameter("Give a PROJECT, or --probs PROBS.npy with --labels LABELS.csv.")
    query = QueueQuery(
        run_id=run_id,
        splits=_splits(split or ("unlabelled" if like else "train")),
        by=by.value,
        k=k,
        given=given,
        predicted=predicted,
        suspect=suspect.value if suspect else None,
        suspect_label=suspect_label,
        pair=_pair(pair),
        like=like,
        decided="open" if undecided else "any",
        search=search,
    )
    return rank_project(project, query, limit=limit, out=out, json=json)


def compare(
    project: ProjectFolder,
    split: Annotated[Split, typer.Option(help="Which items.")] = Split.val,
    before: Annotated[
        str | None, typer.Option(help="A run. Default: the newest on an earlier version.")
    ] = None,
    after: Annotated[str | None, typer.Option(help="A run. Default: the newest.")] = None,
    annotator: Annotated[str, typer.Option("--as", help="Who looks; kept for looks at test.")] = "",
    json: AsJson = False,
) -> None:
    """Improved, worse, or cannot tell: two runs on the same items and labels, whole, per class and item by item."""
    from curation.project import Project
    from curation.reports import compare_runs
    from diagnostics.compare import BROKEN, FIXED, STILL_WRONG

    opened = Project.open(project)
    found = compare_runs(opened, split.value, before, after)
    looked_at = (*found.runs_before, *found.runs_after)
    looks = look_at_test(opened, looked_at, "compare", annotator) if split is Split.test else None
    flips = {change: found.comparison.n_flips(change) for change in (FIXED, BROKEN, STILL_WRONG)}
    if json:
        return print_json(_comparison_json(found, flips, looks))
    return _print_comparison(found, flips, looks)


def _comparison_json(
    found: "RunComparison", flips: dict[str, int], looks: "LooksAtTest | None"
) -> dict[str, Any]:
    from diagnostics.compare import verdict_text

    result = found.comparison
    return {
        "verdict": result.verdict,
        "text": verdict_text(result),
        "before": {"run_id": found.run_before, "trainings": found.runs_before},
        "after": {"run_id": found.run_after, "trainings": found.runs_after},
        "split": found.split,
        "dataset_version": found.version,
        "n_items": result.n_items,
        "n_corrected": found.n_corrected,
        "n_taken_out": found.n_taken_out,
        "in_sample": found.in_sample,
        "noise": {
            "before": result.noise.before,
            "after": result.noise.after,
            "text": result.noise.text,
        },
        "notes": found.notes,
        "whole": result.whole,
        "n_flips": flips,
        "classes": result.classes,
        "flips": result.flips,
        **({} if looks is None else {"looks_at_test": looks}),
    }


def _print_comparison(found: "RunComparison", flips: dict[str, int], looks: "LooksAtTest | None") -> None:
    from diagnostics.compare import VERDICT_RULE, verdict_text

    result = found.comparison
    print_line(verdict_text(result))
    print_line(
        f"{found.name_before} → {found.name_after} on {found.split} ({result.n_items:,} items)"
        + (IN_SAMPLE_NOTE if found.in_sample else "")
    )
    for text in (found.ruler_text, result.noise.text, *found.notes):
        print_line(text)
    if looks is not None:
        print_line(str(looks))
    whole = {"": "left", "before": "right", "after": "right", "points": "right", "verdict": "left"}
    print_table("Whole, differences in points with their 95 % interval", whole, _whole_rows(result.whole))
    columns = {
        "class": "left",
        "items": "right",
        "F1 before": "right",
        "F1 after": "right",
        "points": "right",
        "verdict": "left",
        "items for 1 point": "right",
    }
    rows = result.classes.sort_values(["f1_difference", "label"], ignore_index=True)
    print_table("Classes, largest loss first", columns, [_difference_row(row) for row in _records(rows)])
    print_line(", ".join(f"{n} {change}" for change, n in flips.items()))
    print_line(VERDICT_RULE)


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


def _records(table: Any) -> list[dict[str, Any]]:
    records: list[dict[str, Any]] = table.to_dict("records")
    return records


def _estimate(name: str, estimate: Any) -> dict[str, float]:
    return {name: estimate.value, f"{name}_low": estimate.low, f"{name}_high": estimate.high}


def _class_row(row: dict[str, Any]) -> dict[str, object]:
    shares = {
        heading: with_interval(row[key], row[f"{key}_low"], row[f"{key}_high"])
        for heading, key in (("precision", "precision"), ("recall", "recall"), ("F1", "f1"))
    }
    return {"class": row["label"], **shares, "items": row["support"], "": row["mark"]}


def _advice_row(line: "ClassAdvice") -> dict[str, object]:
    also = f" Also: {', '.join(line.also)}." if line.also else ""
    return {"class": line.label, "next": line.advice, "why": line.text + also}


def _whole_rows(whole: Any) -> list[dict[str, object]]:
    from diagnostics.compare import METRIC_NAMES

    return [
        {
            "": METRIC_NAMES[row["metric"]],
            "before": share(row["before"]),
            "after": share(row["after"]),
            "points": difference_with_interval(row["difference"], row["low"], row["high"]),
            "verdict": row["verdict"],
        }
        for row in _records(whole)
    ]


def _difference_row(row: dict[str, Any]) -> dict[str, object]:
    needed = row["n_needed"]
    return {
        "class": row["label"],
        "items": row["support"],
        "F1 before": share(row["f1_before"]),
        "F1 after": share(row["f1_after"]),
        "points": difference_with_interval(row["f1_difference"], row["f1_low"], row["f1_high"]),
        "verdict": row["verdict"],
        "items for 1 point": "–" if needed != needed else f"{needed:,.0f}",
    }


def _job_row(row: Any) -> dict[str, object]:
    return {
        "job": row.job_id,
        "verb": row.verb,
        "state": row.state,
        "run": row.run_id or "–",
        "started": f"{row.started_at:%Y-%m-%d %H:%M}" if row.started_at else "–",
        "": row.error or "",
    }
