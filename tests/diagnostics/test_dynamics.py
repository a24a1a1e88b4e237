import json

import numpy as np
import pytest
import torch

from diagnostics.dynamics import Dynamics, read_dynamics, write_dynamics
from diagnostics.errors import RunError
from diagnostics.training.logit_record import LogitRecord
from diagnostics.training.planting import mean_of_unplanted, plant_labels


@pytest.fixture
def dynamics():
    probs = np.array([[0.25, 0.75], [np.nan, np.nan]])
    return Dynamics(probs, np.array([1]), np.array([0]), np.array([2]), np.array([[0.5, 0.5]]))


def test_dynamics_come_back_as_they_were_written(tmp_path, dynamics):
    write_dynamics(tmp_path, dynamics)
    write_dynamics(tmp_path, dynamics)
    read = read_dynamics(tmp_path)
    for name in ("probs", "planted_rows", "planted_codes", "planted_models", "planted_probs"):
        np.testing.assert_array_equal(getattr(read, name), getattr(dynamics, name))


def test_a_run_of_before_has_none_and_damaged_or_newer_ones_are_refused(tmp_path, dynamics):
    assert read_dynamics(tmp_path) is None
    write_dynamics(tmp_path, dynamics)
    about = tmp_path / "dynamics" / "dynamics.json"
    about.write_text(json.dumps({"format_version": 9}))
    with pytest.raises(RunError, match="Install a newer Winnow"):
        read_dynamics(tmp_path)
    about.write_text(json.dumps({"format_version": 1}))
    (tmp_path / "dynamics" / "planted.npz").unlink()
    with pytest.raises(RunError, match="Train again"):
        read_dynamics(tmp_path)


def test_logits_are_averaged_over_the_epochs_in_which_an_item_was_seen():
    record = LogitRecord(3, 2)
    record.add(np.array([0, 2]), torch.tensor([[1.0, 2.0], [3.0, 4.0]]))
    resumed = LogitRecord(3, 2)
    resumed.load_state(*record.state())
    resumed.add(np.array([2]), torch.tensor([[5.0, 6.0]]))
    np.testing.assert_array_equal(resumed.means(), [[1, 2], [np.nan, np.nan], [4, 5]])


def planted_labels(share=0.05):
    codes = np.arange(400) % 4
    codes[codes == 3] = -1
    labelled = np.flatnonzero(codes >= 0)
    trained_on = [labelled[labelled % 5 != model] for model in range(5)]
    return codes, trained_on, plant_labels(trained_on, codes, share=share, seed=0)


def test_each_model_learns_a_share_of_wrong_labels_of_classes_that_occur():
    codes, trained_on, planted = planted_labels()
    assert [len(labels.positions) for labels in planted] == [round(0.05 * len(seen)) for seen in trained_on]
    for labels, seen in zip(planted, trained_on, strict=True):
        assert set(labels.positions) <= set(seen)
        assert set(labels.codes) <= {0, 1, 2}
        assert (labels.codes != codes[labels.positions]).all()


def test_no_item_is_planted_in_two_models_and_the_data_keep_their_labels():
    codes, _, planted = planted_labels()
    positions = np.concatenate([labels.positions for labels in planted])
    assert len(np.unique(positions)) == len(positions)
    learnt = planted[0].in_place_of(codes)
    assert (learnt != codes).sum() == len(planted[0].positions)
    np.testing.assert_array_equal(codes, planted_labels()[0])


def test_nothing_is_planted_where_the_share_is_0():
    assert all(len(labels.positions) == 0 for labels in planted_labels(share=0.0)[2])


def test_what_a_model_says_of_a_planted_label_is_not_taken_for_the_items_own():
    _, trained_on, planted = planted_labels()
    values = [np.full((400, 1), np.nan, dtype=np.float32) for _ in trained_on]
    for model, seen in enumerate(trained_on):
        values[model][seen] = 1
        values[model][planted[model].positions] = 100
    means = mean_of_unplanted(values, planted)
    assert np.nanmax(means) == 1
    assert np.isnan(means[3])
