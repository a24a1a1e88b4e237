"""What `winnow rank` prints, and its ranking of predictions that belong to no project."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from app.printing import IN_SAMPLE_NOTE, print_json, print_line, print_table

if TYPE_CHECKING:
    from curation.queues import QueueQuery


def rank_files(
    probs: Path,
    labels: Path | None,
    classes: Path | None,
    *,
    by: str,
    k: int,
    filter_by: str,
    limit: int,
    out: Path | None,
    json: bool,
) -> None:
    """Rank the items of an array of probabilities and a table of labels."""
    from curation.export import write_table
    from curation.other_predictions import rank_other_predictions, read_other_predictions

    if labels is None:
        raise typer.BadParameter("--probs needs the labels of its rows: --labels LABELS.csv.")
    ranking = rank_other_predictions(
        read_other_predictions(probs, labels, classes), by=by, k=k, filter_by=filter_by
    )
    if out is not None:
        write_table(ranking.table, out)
    if json:
        items = {} if out else {"items": ranking.table}
        counts = {
            "n_items": len(ranking.table),
            "n_issues": ranking.n_issues,
            "n_left_out": ranking.n_left_out,
        }
        return print_json({"by": by, "filter_by": filter_by, **counts, "out": out, **items})
    print_ranking(
        f"{len(ranking.table)} items of {probs.name} by {by}", ranking.table, by, limit, issues=True
    )
    print_line(f"{ranking.n_issues} label issues by confident learning ({filter_by}).")
    if ranking.n_left_out:
        print_line(f"{ranking.n_left_out} items without a label are left out.")
    if out is not None:
        print_line(f"Written: {out}")
    return None


def rank_project(project: Path, query: "QueueQuery", *, limit: int, out: Path | None, json: bool) -> None:
    """Rank the items of a project's run."""
    from curation.export import write_table
    from curation.project import Project
    from curation.queues import ranked_table
    from curation.runs import read_run

    opened = Project.open(project)
    run = read_run(opened, query.run_id).info
    in_sample = run.in_sample and "train" in query.splits
    ranked = ranked_table(opened, replace(query, run_id=run.run_id))
    if out is not None:
        write_table(ranked, out)
    if json:
        items = {} if out else {"items": ranked}
        about = {"run_id": run.run_id, "by": query.order, "n_items": len(ranked), "in_sample": in_sample}
        return print_json({**about, "out": out, **items})
    title = f"{len(ranked)} items of {','.join(query.splits)} by {query.order}, {run.name}"
    print_ranking(title + (IN_SAMPLE_NOTE if in_sample else ""), ranked, query.by, limit)
    if out is not None:
        print_line(f"Written: {out}")
    return None


def refuse_options(given: Mapping[str, object], reason: str) -> None:
    """Misuse, if any of these options was given; `reason` completes the sentence about them."""
    found = [name for name, value in given.items() if value not in (None, "", False)]
    if found:
        raise typer.BadParameter(f"{', '.join(found)} {reason}")


def print_ranking(title: str, ranked: Any, by: str, limit: int, *, issues: bool = False) -> None:
    """The first rows of a ranked table; `issues` adds a column that marks label issues."""
    columns = {
        "rank": "right",
        "item": "left",
        "given": "left",
        "predicted": "left",
        "p(given)": "right",
        "p(predicted)": "right",
        by: "right",
    }
    if issues:
        columns["issue"] = "left"
    print_table(title, columns, [_ranked_row(row, by) for row in ranked.head(limit).to_dict("records")])


def _ranked_row(row: dict[str, Any], by: str) -> dict[str, object]:
    def number(value: float) -> str:
        return "–" if value != value else f"{value:.4f}"

    return {
        "rank": row["rank"],
        "item": row["item_id"],
        "given": row["given_label"] if isinstance(row["given_label"], str) else "–",
        "predicted": row["predicted_label"],
        "p(given)": number(row["p_given"]),
        "p(predicted)": number(row["p_predicted"]),
        by: number(row[by]),
        "issue": "issue" if row.get("is_issue") else "",
    }
