import numpy as np
import pandas as pd
import pytest

from app.figures import (
    MAX_DIFFERENCES,
    class_difference_figure,
    confusion_matrix_figure,
    edits_figure,
    image_sizes_figure,
    imbalance_figure,
    learning_curves_figure,
    loss_curves_figure,
    lr_finder_figure,
    saturation_figure,
    together_figure,
)
from diagnostics.confusion import confusion_matrix_table

CLASSES = ("cat", "<b>dog</b>")


def matrix_table():
    return confusion_matrix_table(np.array([0, 0, 1]), np.array([0, 1, 1]), CLASSES)


def test_every_cell_of_the_matrix_can_be_clicked_and_names_its_pair():
    squares = confusion_matrix_figure(matrix_table(), CLASSES).data[1]
    pairs = {(cell[0], cell[1]): cell[2] for cell in squares.customdata}
    assert pairs == {
        ("cat", "cat"): 1,
        ("cat", "<b>dog</b>"): 1,
        ("<b>dog</b>", "cat"): 0,
        ("<b>dog</b>", "<b>dog</b>"): 1,
    }


def test_a_class_name_with_markup_is_shown_as_it_is():
    figure = confusion_matrix_figure(matrix_table(), CLASSES)
    assert figure.layout.xaxis.ticktext == ("cat", "&lt;b&gt;dog&lt;/b&gt;")


def test_the_matrix_has_labels_in_rows_and_predictions_in_columns():
    heatmap = confusion_matrix_figure(matrix_table(), CLASSES).data[0]
    assert heatmap.z.tolist() == [[0.5, 0.5], [0.0, 1.0]]


def test_every_cell_of_the_labels_that_go_together_can_be_clicked_and_names_both_and_the_side():
    table = pd.DataFrame(
        [["<b>dog</b>", "cat", 5, 4, 3.0]],
        columns=["first_label", "second_label", "n_given", "n_predicted", "n_by_chance"],
    )
    heatmap, squares = together_figure(table, CLASSES).data
    cells = [(one, other, side) for one, other, side in squares.customdata]
    assert cells == [
        ("cat", "cat", "given"),
        ("cat", "<b>dog</b>", "predicted"),
        ("<b>dog</b>", "cat", "given"),
        ("<b>dog</b>", "<b>dog</b>", "given"),
    ]
    assert heatmap.z.tolist() == [[0, 4], [5, 0]]
    assert (squares.x.tolist(), squares.y.tolist()) == ([0, 1, 0, 1], [0, 0, 1, 1])


def test_loss_curves_have_two_lines_a_fold():
    history = pd.DataFrame(
        {"fold": [0, 0, 1], "epoch": [1, 2, 1], "train_loss": [2.0, 1.0, 2.0], "valid_loss": [2.1, 1.2, 2.2]}
    )
    figure = loss_curves_figure(history)
    assert [len(line.x) for line in figure.data] == [2, 2, 1, 1]


def test_the_chosen_learning_rate_is_marked():
    curve = pd.DataFrame({"lr": [1e-4, 1e-3], "loss": [2.0, 1.0], "chosen": [False, True]})
    assert "0.001" in lr_finder_figure(curve).layout.annotations[0].text


def test_the_biggest_gain_stands_on_top_and_bars_are_the_intervals_of_the_differences():
    table = pd.DataFrame(
        {
            "label": ["cat", "dog", "owl"],
            "f1_before": [0.5, 0.5, np.nan],
            "f1_after": [0.6, 0.9, 0.5],
            "f1_difference": [0.1, 0.4, np.nan],
            "f1_low": [-0.1, 0.2, np.nan],
            "f1_high": [0.3, 0.7, np.nan],
            "verdict": ["cannot tell", "improved", "cannot tell"],
        }
    )
    figure = class_difference_figure(table, "f1")
    assert figure.layout.yaxis.categoryarray == ("cat", "dog")
    improved = next(trace for trace in figure.data if trace.name.startswith("improved"))
    assert list(improved.y) == ["dog"]
    assert list(improved.error_x.array) == pytest.approx([0.3])
    assert list(improved.error_x.arrayminus) == pytest.approx([0.2])


def test_of_many_classes_the_largest_and_the_smallest_differences_are_drawn():
    n = MAX_DIFFERENCES + 6
    table = pd.DataFrame({"label": [f"c{i:02d}" for i in range(n)], "verdict": "cannot tell"})
    for part in ("before", "after", "difference", "low", "high"):
        table[f"f1_{part}"] = np.linspace(-0.3, 0.3, n)
    drawn = class_difference_figure(table, "f1").layout.yaxis.categoryarray
    assert len(drawn) == MAX_DIFFERENCES
    assert (drawn[0], drawn[-1]) == ("c00", f"c{n - 1}")
    assert "c15" not in drawn


def test_images_of_one_size_are_one_point():
    items = pd.DataFrame({"width": [8, 8, 16], "height": [8, 8, 8]})
    assert image_sizes_figure(items).data[0].customdata.tolist() == [2, 1]


def test_one_peak_does_not_press_the_loss_curves_flat():
    losses = [2.0, 2500.0, *[1.0] * 8]
    history = pd.DataFrame({"fold": 0, "epoch": range(10), "train_loss": [1.0] * 10, "valid_loss": losses})
    assert loss_curves_figure(history).layout.yaxis.range[1] < 3


def test_gains_stand_with_their_intervals_the_largest_on_top_and_unjudged_classes_are_left_out():
    table = pd.DataFrame(
        {
            "label": ["<b>hat</b>", "coat", "tie"],
            "n_labels": [40, 90, 3],
            "gain": [0.03, 0.001, np.nan],
            "gain_low": [0.01, -0.002, np.nan],
            "gain_high": [0.06, 0.004, np.nan],
            "verdict": ["more labels help", "saturated", "too few to judge"],
        }
    )
    (points,) = saturation_figure(table.assign(way="quick")).data
    assert list(points.y) == ["coat (90 labels)", "&lt;b&gt;hat&lt;/b&gt; (40 labels)"]
    assert list(points.error_x.array) == pytest.approx([0.3, 3.0])
    assert points.marker.color[0] != points.marker.color[1]
    (both,) = saturation_figure(table.assign(way=["full", "quick", "quick"])).data
    assert list(both.y) == ["coat (90 labels) · heads", "&lt;b&gt;hat&lt;/b&gt; (40 labels) · whole models"]


def test_learning_curves_are_those_of_the_classes_that_whole_models_were_trained_for():
    curve = {"sizes": [10, 40], "measured": [0.5, 0.75], "low": [0.25, 0.5], "high": [0.625, 1.0]}
    figure = learning_curves_figure({"quick": {"hat": curve, "coat": curve}, "full": {"hat": curve}})
    assert [line.name for line in figure.data] == ["hat · whole models", "hat · heads"]
    assert list(figure.data[0].y) == [50.0, 75.0]
    assert list(figure.data[0].error_y.array) == [12.5, 25.0]


def test_remedies_and_groups_of_edits_without_numbers_are_left_out_of_their_figures():
    numbers = {"difference": [0.02, np.nan], "low": [-0.01, np.nan], "high": [0.05, np.nan]}
    verdicts = {"verdict": ["cannot tell", "none made"]}
    remedies = {"imbalance": ["weighted_loss", "focal_loss"], "metric": ["macro F1", "accuracy"]}
    (points,) = imbalance_figure(pd.DataFrame(remedies | numbers | verdicts)).data
    assert list(points.y) == ["weighted loss · macro F1"]
    groups = {"group": ["relabels", "caps"], "n_edits": [3, 0], "metric": ["macro_f1", ""]}
    (points,) = edits_figure(pd.DataFrame(groups | numbers | verdicts)).data
    assert list(points.y) == ["relabels (3)"]
    assert list(points.x) == pytest.approx([2.0])
