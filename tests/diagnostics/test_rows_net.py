import numpy as np
import torch

from diagnostics.rows.net import UNKNOWN, RowNet
from diagnostics.training.checkpoint import load_weights, save_weights

NAN = np.nan
N_CODES = np.array([0, 3, 0])
"""A number, a category of three values, a number that can be missing."""
TRAIN = np.array([[1.0, 0, 5.0], [2.0, 1, NAN], [3.0, 0, 7.0], [6.0, NAN, 7.0]])


def net(values=TRAIN):
    torch.manual_seed(0)
    network = RowNet(N_CODES, flagged=np.array([2]), n_classes=2)
    network.learn_columns(values)
    return network.eval()


def logits(network, *rows):
    with torch.inference_mode():
        return network(torch.tensor(np.array(rows))).numpy()


def test_columns_are_scaled_by_what_they_are_in_the_training_rows():
    network = net()
    assert network.medians.tolist() == [2.5, 7.0]
    assert network.means.tolist() == [3.0, 6.5]
    np.testing.assert_allclose(network.deviations, [np.std([1, 2, 3, 6]), np.std([5, 7, 7, 7])])


def test_a_category_that_no_training_row_has_is_read_as_an_unknown_one():
    network = net()
    assert network.known.tolist() == [[UNKNOWN, 1, 2, UNKNOWN]]
    np.testing.assert_array_equal(logits(network, [1.0, 2, 5.0]), logits(network, [1.0, NAN, 5.0]))
    assert (logits(network, [1.0, 1, 5.0]) != logits(network, [1.0, 0, 5.0])).all()


def test_a_missing_number_is_not_read_as_the_median():
    assert (logits(net(), [1.0, 0, NAN]) != logits(net(), [1.0, 0, 7.0])).all()


def test_a_number_that_was_never_missing_in_training_is_filled_where_it_is():
    np.testing.assert_array_equal(logits(net(), [NAN, 0, 5.0]), logits(net(), [2.5, 0, 5.0]))


def test_columns_without_values_or_with_one_alone_and_wild_values_give_numbers():
    network = net(np.array([[4.0, NAN, NAN], [4.0, NAN, NAN]]))
    assert np.isfinite(logits(network, [4.0, NAN, NAN], [1e300, 2, -1e300])).all()


def test_rows_of_numbers_alone_and_of_categories_alone_are_read():
    for n_codes in (np.array([0]), np.array([2])):
        network = RowNet(n_codes, flagged=np.empty(0, dtype=np.int64), n_classes=3)
        network.learn_columns(np.array([[0.0], [1.0]]))
        assert logits(network.eval(), [1.0]).shape == (1, 3)


def test_weights_carry_what_was_learnt_of_the_columns(tmp_path):
    network = net()
    save_weights(tmp_path / "net.safetensors", network)
    other = RowNet(N_CODES, flagged=np.array([2]), n_classes=2).eval()
    load_weights(tmp_path / "net.safetensors", other)
    np.testing.assert_array_equal(logits(other, *TRAIN), logits(network, *TRAIN))
