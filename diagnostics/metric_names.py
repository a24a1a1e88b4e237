"""What the metrics of all classes together are called and mean, on pages, in printed tables and in sentences."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MetricName:
    """How one metric is named.

    name : within a sentence, and on the command line
    title : over a number or beside a point of a figure
    meaning : a sentence for who does not know it
    """

    name: str
    title: str
    meaning: str


METRICS: dict[str, MetricName] = {
    "accuracy": MetricName("accuracy", "Accuracy", "Share of items predicted as labelled."),
    "macro_f1": MetricName("macro F1", "Macro F1", "Mean of the classes' F1, each counting the same."),
    "subset_accuracy": MetricName(
        "share of sets right",
        "Sets right",
        "Share of items whose labels are all predicted, and no others; elsewhere called subset accuracy.",
    ),
    "micro_f1": MetricName(
        "micro F1",
        "Micro F1",
        "F1 over all pairs of an item and a class together: frequent classes count most.",
    ),
    "hamming_loss": MetricName(
        "wrong labels of all",
        "Wrong labels of all",
        "Share of all pairs of an item and a class that are predicted wrong.",
    ),
}
