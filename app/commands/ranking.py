"""What `winnow rank` prints, and its ranking of predictions that belong to no project."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from app.printing import IN_SAMPLE_NOTE, print_json, print_line, print_table

if TYPE_CHECKING:
    from curation.other_label_sets import SetRanking
    from curation.queues import QueueQuery


def rank_files(
    probs: Path,
    labels: Path | None,
    classes: Path | None,
    *,
    by: str,
    k: int,
    filter_by: str,
    device: str,
    limit: int,
    out: Path | None,
    json: bool,
) -> None:
    """Rank the items of an array of probabilities and a table of labels."""
    from curation.export import write_table
    from curation.other_predictions import rank_other_predictions, read_other_predictions

    ranking = rank_other_predictions(
        read_other_predictions(probs, _needed(labels), classes),
        by=by,
        k=k,
        filter_by=filter_by,
        device=device,
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


def rank_set_files(
    probs: Path,
    labels: Path | None,
    classes: Path | None,
    *,
    separator: str,
    by: str,
    filter_by: str,
    threshold: str,
    limit: int,
    out: Path | None,
    out_pairs: Path | None,
    json: bool,
) -> None:
    """Rank the items, and the single labels, of an array of probabilities and a table of sets of labels."""
    from curation.export import write_table
    from curation.other_label_sets import rank_other_set_predictions, read_other_set_predictions

    found = read_other_set_predictions(probs, _needed(labels), classes, separator=separator)
    ranking = rank_other_set_predictions(found, by=by, filter_by=filter_by, threshold=threshold)
    written = {path: table for path, table in ((out, ranking.items), (out_pairs, ranking.pairs)) if path}
    for path, table in written.items():
        write_table(table, path)
    if json:
        items = {} if out else {"items": ranking.items}
        pairs = {} if out_pairs else {"pairs": ranking.pairs}
        counts = {
            "n_items": len(ranking.items),
            "n_pairs": ranking.n_pairs,
            "n_item_issues": ranking.n_item_issues,
            "n_pair_issues": ranking.n_pair_issues,
            "n_left_out": ranking.n_left_out,
        }
        about = {"by": by, "filter_by": filter_by, "threshold": threshold, **counts}
        return print_json({**about, "out": out, "out_pairs": out_pairs, **items, **pairs})
    print_set_ranking(ranking, f"{probs.name} by {by}", by, limit)
    for path in written:
        print_line(f"Written: {path}")
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


def _needed(labels: Path | None) -> Path:
    if labels is None:
        raise typer.BadParameter("--probs needs the labels of its rows: --labels LABELS.csv.")
    return labels


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
    if "suspect" in ranked.columns:
        columns["suspect"] = "left"
    print_table(title, columns, [_ranked_row(row, by) for row in ranked.head(limit).to_dict("records")])


def print_set_ranking(ranking: "SetRanking", title: str, by: str, limit: int) -> None:
    """The first pairs and the first items of a ranking of sets of labels."""
    n_ranked = len(ranking.pairs)
    some = (
        f"the first {n_ranked:,} of {ranking.n_pairs:,} pairs" if n_ranked < ranking.n_pairs else "all pairs"
    )
    headings = {"rank": "right", "item": "left", "label": "left", "is": "left", "p(label)": "right"}
    pairs = [_pair_row(row, by) for row in ranking.pairs.head(limit).to_dict("records")]
    print_table(f"Labels of items of {title} ({some})", {**headings, by: "right", "issue": "left"}, pairs)
    headings = {"rank": "right", "item": "left", "given": "left", "predicted": "left", "suspect": "left"}
    items = [_set_row(row, by) for row in ranking.items.head(limit).to_dict("records")]
    print_table(f"{len(ranking.items)} items of {title}", {**headings, by: "right", "issue": "left"}, items)
    print_line(
        f"{ranking.n_pair_issues} label issues in {ranking.n_item_issues} items by confident learning, each class "
        "against the rest."
    )
    if ranking.n_left_out:
        print_line(f"{ranking.n_left_out} items that nobody labelled are left out.")


def _pair_row(row: Mapping[Any, Any], by: str) -> dict[str, object]:
    return {
        "rank": row["rank"],
        "item": row["item_id"],
        "label": row["label"],
        "is": row["kind"],
        "p(label)": _number(row["probability"]),
        by: _number(row[by]),
        "issue": _issue(row),
    }


def _set_row(row: Mapping[Any, Any], by: str) -> dict[str, object]:
    suspect = f"{row['suspect_label']} {row['kind']}" if isinstance(row["kind"], str) else "–"
    return {
        "rank": row["rank"],
        "item": row["item_id"],
        "given": row["given_labels"] or "–",
        "predicted": row["predicted_labels"],
        "suspect": suspect,
        by: _number(row[by]),
        "issue": _issue(row),
    }


def _number(value: float) -> str:
    return "–" if value != value else f"{value:.4f}"


def _issue(row: Mapping[Any, Any]) -> str:
    return "issue" if row.get("is_issue") else ""


def _ranked_row(row: dict[str, Any], by: str) -> dict[str, object]:
    return {
        "rank": row["rank"],
        "item": row["item_id"],
        "given": row["given_label"] if isinstance(row["given_label"], str) else "–",
        "predicted": row["predicted_label"],
        "p(given)": _number(row["p_given"]),
        "p(predicted)": _number(row["p_predicted"]),
        by: _number(row[by]),
        "issue": _issue(row),
        "suspect": f"{row['suspect_label']} {row['suspect']}" if row.get("suspect") else "",
    }
