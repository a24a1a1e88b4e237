"""What `winnow rank` prints."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from app.printing import print_line, print_table

if TYPE_CHECKING:
    from curation.other_label_sets import SetRanking


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
