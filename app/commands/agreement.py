"""The verb that holds validation against the gold test set."""

from typing import Annotated, Any

import typer

from app.commands.looks import look_at_test
from app.commands.options import AsJson, ProjectFolder
from app.printing import difference_with_interval, print_json, print_line, print_table, with_interval


def agreement(
    project: ProjectFolder,
    annotator: Annotated[str, typer.Option("--as", help="Who looks; every look at test is kept.")] = "",
    json: AsJson = False,
) -> None:
    """Do validation and the gold test set move together over all full runs? A look at test, and counted as one."""
    from curation.agreement import validation_against_test, validation_alarm
    from curation.project import Project
    from diagnostics.metric_names import METRICS

    opened = Project.open(project)
    found, alarm = validation_against_test(opened), validation_alarm(opened)
    looks = look_at_test(opened, found.runs["run_id"], "agreement", annotator)
    if json:
        return print_json(
            {
                "verdict": found.verdict,
                "alarm": alarm and {"text": alarm.text, "found": alarm},
                "runs": found.runs,
                "metrics": found.metrics,
                "looks_at_test": looks,
            }
        )
    if alarm is not None:
        print_line(f"ALARM: validation rises and test does not. {alarm.text}")
    names = {metric: METRICS[metric].name for metric in found.metrics}
    titles = {metric: f"{name[0].upper()}{name[1:]}" for metric, name in names.items()}
    headings = {"run": "left", "version": "right"} | {
        f"{title} {split}": "right" for title in titles.values() for split in ("val", "test")
    }
    print_table("Full runs", headings, [_row(row, titles) for row in found.runs.to_dict("records")])
    print_line(found.verdict)
    for metric, of_metric in found.metrics.items():
        if of_metric.enough:
            same, gap = of_metric.same_way, of_metric.gap_trend
            print_line(
                f"{titles[metric]}: {of_metric.n_agreeing} of {of_metric.n_steps} steps in the same direction "
                f"({with_interval(same.value, same.low, same.high)}); validation minus test changes by "
                f"{difference_with_interval(gap.value, gap.low, gap.high)} points a run"
            )
    print_line(str(looks))
    return None


def _row(row: dict[Any, Any], titles: dict[str, str]) -> dict[str, object]:
    shown: dict[str, object] = {"run": row["run_id"], "version": row["version"]}
    for metric, title in titles.items():
        for split in ("val", "test"):
            name = f"{split}_{metric}"
            shown[f"{title} {split}"] = with_interval(row[name], row[f"{name}_low"], row[f"{name}_high"])
    return shown
