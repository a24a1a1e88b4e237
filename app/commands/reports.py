"""Verbs that say how good models are: report, compare."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.commands.looks import look_at_test
from app.commands.options import AsJson, ProjectFolder, RunId, Split
from app.printing import (
    IN_SAMPLE_NOTE,
    difference_with_interval,
    print_json,
    print_line,
    print_table,
    share,
    with_interval,
)

if TYPE_CHECKING:
    from curation.advice import ClassAdvice
    from curation.reports import LabelledPredictions, RunComparison
    from curation.test_looks import LooksAtTest


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

    opened = Project.open(project)
    found = labelled_predictions(opened, split.value, run_id)
    looks = look_at_test(opened, [found.run_id], "report", annotator) if split is Split.test else None
    lines = class_advice(opened, found.run_id) if advice else None
    if json:
        return print_json(_report_json(found, lines, looks))
    return _print_report(found, lines, looks)


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


def _report_json(
    found: "LabelledPredictions", advice: "list[ClassAdvice] | None", looks: "LooksAtTest | None"
) -> dict[str, Any]:
    measured = found.class_report()
    return {
        **({} if looks is None else {"looks_at_test": looks}),
        **({} if advice is None else {"advice": advice}),
        "run_id": found.run_id,
        "quick": found.quick,
        "split": found.split,
        "dataset_version": found.version,
        "in_sample": found.in_sample,
        "n_items": measured.n_items,
        "n_without_prediction": found.n_without_prediction,
        **{
            key: value
            for name, each in found.totals().items()
            for key, value in _estimate(name, each).items()
        },
        "classes": measured.worst_first(),
    }


def _print_report(
    found: "LabelledPredictions", advice: "list[ClassAdvice] | None", looks: "LooksAtTest | None"
) -> None:
    from diagnostics.metric_names import METRICS
    from diagnostics.metrics import UNDERPERFORMING_RULE

    measured = found.class_report()
    print_line(
        f"{found.run_name}, {found.split} ({measured.n_items} items), labels of dataset version {found.version}"
        + (IN_SAMPLE_NOTE if found.in_sample else "")
    )
    for name, estimate in found.totals().items():
        print_line(f"{METRICS[name].name}: {with_interval(estimate.value, estimate.low, estimate.high)}")
    columns = {
        "class": "left",
        "precision": "right",
        "recall": "right",
        "F1": "right",
        "items": "right",
        "": "left",
    }
    rows = [_class_row(row) for row in _records(measured.worst_first())]
    print_table("Classes, worst first", columns, rows)
    print_line(UNDERPERFORMING_RULE)
    if looks is not None:
        print_line(str(looks))
    if advice is not None:
        headings = {"class": "left", "next": "left", "why": "left"}
        print_table(
            "What to do next, measured on validation", headings, [_advice_row(line) for line in advice]
        )


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
    from diagnostics.metric_names import METRICS

    return [
        {
            "": METRICS[row["metric"]].name,
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
