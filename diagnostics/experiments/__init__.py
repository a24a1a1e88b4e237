"""Experiments: questions about a dataset that are answered by training several times. One module each.

A new experiment is a module with two functions, `count` and `run` (see `diagnostics.experiments.frame`), and an entry
in EXPERIMENTS. This file loads no library, so that the command line can draw its options from it.
"""

from diagnostics.experiments.options import ExperimentOption, ExperimentSpec

FULL = ExperimentOption(
    bool, "also train whole models: takes longer, counts more than heads on features", False
)
SEEDS = ExperimentOption(int, "trainings of each kind, with other seeds", 3, low=2, high=50)

EXPERIMENTS: dict[str, ExperimentSpec] = {
    spec.name: spec
    for spec in (
        ExperimentSpec(
            name="seeds",
            title="Seeds",
            sentence="How much do the numbers move when nothing but the seed changes, and are there enough validation "
            "items for the differences you chase?",
            module="diagnostics.experiments.seeds",
            options={
                "n": ExperimentOption(
                    int, "trainings that differ in nothing but the seed", 5, low=2, high=50
                ),
                "points": ExperimentOption(
                    float,
                    "the difference in accuracy, or in micro F1 with several labels an item, that you want to see, in "
                    "points",
                    1.0,
                    low=0.1,
                    high=20.0,
                ),
                "full": ExperimentOption(
                    bool, "train whole models; without, only heads on features, which move less", True
                ),
            },
        ),
        ExperimentSpec(
            name="class-cap",
            title="Class cap",
            sentence="Does a class with many items do as well with fewer, and do the others gain from it?",
            module="diagnostics.experiments.class_cap",
            options={
                "class": ExperimentOption(
                    str,
                    "the class",
                    None,
                    is_class=True,
                    none_means="of the classes that do well, the one with most train items",
                ),
                "drop": ExperimentOption(
                    int, "per cent of its train items left out", (25, 50, 75), low=1, high=95, many=True
                ),
                "seeds": SEEDS,
                "margin": ExperimentOption(
                    float,
                    "points of F1 by which the class may be worse and still count as not worse",
                    2.0,
                    low=0.1,
                    high=20.0,
                ),
                "full": FULL,
            },
        ),
        ExperimentSpec(
            name="saturation",
            title="Saturation",
            sentence="What are the next labels of each class worth?",
            module="diagnostics.experiments.saturation",
            options={
                "more": ExperimentOption(int, "how many more labels of each class", 50, low=1, high=10_000),
                "draws": ExperimentOption(
                    int, "nested subsets of the labels that a curve is drawn through", 5, low=3, high=50
                ),
                "full": FULL,
                "classes": ExperimentOption(
                    str,
                    "the classes that whole models are trained for",
                    (),
                    many=True,
                    is_class=True,
                    none_means="a fifth of the classes, 5 at most, those that gain most by heads on features",
                ),
                "full_draws": ExperimentOption(
                    int, "draws for whole models; fewer cost less and give wider intervals", 4, low=3, high=50
                ),
            },
        ),
        ExperimentSpec(
            name="imbalance",
            title="Imbalance",
            sentence="Does oversampling, a weighted loss, weighted sampling or focal loss help the rare classes, and "
            "what does it cost the others?",
            module="diagnostics.experiments.imbalance",
            options={"seeds": SEEDS, "full": FULL},
        ),
        ExperimentSpec(
            name="edits",
            title="What the edits bought",
            sentence="What did the relabels, the removals, the additions and the caps each bring?",
            module="diagnostics.experiments.edits",
            options={
                "since": ExperimentOption(
                    int,
                    "the dataset version that the edits are counted from; 0 = the source",
                    0,
                    low=0,
                    high=100_000,
                ),
                "seeds": SEEDS,
                "full": ExperimentOption(bool, "confirm the largest group by training whole models", False),
            },
        ),
    )
}
