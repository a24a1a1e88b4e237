"""The scores by torch against those of the kernels, on the CPU: torch computes there with the same operations."""

from dataclasses import fields

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from diagnostics.errors import ConfigError, DataError
from diagnostics.label_issues import FILTERS, find_label_issues
from diagnostics.scores import ItemScores, score_items
from diagnostics.torch_scores import as_array, named_device

ON_TORCH = "cpu:0"
"""To torch the same as "cpu", which goes to the kernels."""

EXACT = tuple(field.name for field in fields(ItemScores) if field.name != "entropy")


@st.composite
def predictions(draw):
    """Labels, some missing, and probabilities with ties and zeros, of one class or more."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    n_items, n_classes = draw(st.integers(0, 60)), draw(st.integers(1, 20))
    parts = rng.integers(0, draw(st.sampled_from([3, 1000])), (n_items, n_classes))
    parts[np.arange(n_items), rng.integers(0, n_classes, n_items)] += 1
    probs = parts / parts.sum(axis=1, keepdims=True)
    return rng.integers(-1, n_classes, n_items), probs.astype(
        draw(st.sampled_from(["f2", "f4", ">f4", "f8"]))
    )


@given(predictions(), st.integers(2, 5), st.integers(1, 61))
@settings(max_examples=60)
def test_torch_gives_the_scores_of_the_kernels(predicted, k, chunk_rows):
    codes, probs = predicted
    expected = score_items(codes, probs, k=k)
    found = score_items(codes, probs, k=k, chunk_rows=chunk_rows, device=ON_TORCH)
    for name in EXACT:
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name), err_msg=name)
        assert getattr(found, name).dtype == getattr(expected, name).dtype
    np.testing.assert_allclose(found.entropy, expected.entropy, rtol=2e-6, atol=2e-6)


def uncertain(n_items: int, n_classes: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    probs = rng.dirichlet(np.full(n_classes, 0.5), size=n_items).astype(np.float32)
    return rng.integers(-1, n_classes, n_items), probs


@pytest.mark.parametrize("filter_by", FILTERS)
def test_label_issues_of_a_tensor_are_those_of_its_values(filter_by):
    codes, probs = uncertain(500, 6)
    tensor = as_array(torch.from_numpy(probs))
    scores = score_items(codes, tensor, device=ON_TORCH)
    found = find_label_issues(
        codes, tensor, filter_by=filter_by, scores=scores, rank_by="confidence_weighted_entropy"
    )
    expected = find_label_issues(codes, probs, filter_by=filter_by, rank_by="confidence_weighted_entropy")
    assert len(expected.rows) > 0
    np.testing.assert_array_equal(found.rows, expected.rows)
    np.testing.assert_array_equal(found.confident_joint, expected.confident_joint)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_a_tensor_of_any_float_type_is_scored_by_its_values(dtype):
    codes, probs = uncertain(100, 3)
    tensor = torch.from_numpy(probs).to(dtype)
    found = score_items(codes, as_array(tensor), device=ON_TORCH)
    np.testing.assert_array_equal(found.p_predicted, tensor.double().numpy().max(axis=1))
    assert found.p_predicted.dtype == (np.float64 if dtype == torch.float64 else np.float32)


def test_the_tensor_is_not_changed():
    codes, probs = uncertain(100, 3)
    tensor = torch.from_numpy(probs.copy())
    score_items(codes, as_array(tensor), device=ON_TORCH)
    np.testing.assert_array_equal(tensor.numpy(), probs)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ([np.nan, 1.0], r"Row 7 of the probabilities.*class 0 has no number \(NaN\)"),
        ([3.0, -2.0], "Row 7 .*If these are logits, give their softmax"),
        ([0.9, 0.9], "Row 7 .*sum 1.8"),
    ],
)
def test_what_is_no_distribution_is_refused_on_every_device(bad, message):
    probs = np.full((20, 2), 0.5)
    probs[[7, 12]] = bad
    with pytest.raises(DataError, match=message):
        score_items(np.zeros(20, dtype=np.int64), probs, chunk_rows=5, device=ON_TORCH)


def test_a_tensor_of_whole_numbers_is_refused():
    with pytest.raises(DataError, match=r"numbers of a float type; found a tensor of torch\.int64"):
        as_array(torch.ones((2, 1), dtype=torch.int64))


@pytest.mark.parametrize("name", ["gpu", "cuda:99"])
def test_a_device_that_is_not_there_is_refused(name):
    with pytest.raises(ConfigError, match=f"cannot compute on the device '{name}'.*Use cpu"):
        named_device(name)
