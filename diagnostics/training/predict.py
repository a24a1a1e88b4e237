"""Probabilities and embeddings of a trained model, by one's own loop, each row where its position says."""

from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn

from diagnostics.errors import Cancelled
from diagnostics.modalities import Machine, NetworkItems
from diagnostics.task import FloatArray, IntArray
from diagnostics.training.device import autocast

LARGEST_FLOAT16 = float(np.finfo(np.float16).max)


def predict(
    model: nn.Module,
    opened: NetworkItems,
    positions: IntArray,
    *,
    probabilities: FloatArray | None,
    embeddings: FloatArray,
    activation: Callable[[Tensor], Tensor],
    machine: Machine,
    batch_size: int,
    should_stop: Callable[[], bool],
    on_batch: Callable[[int], None],
) -> None:
    """Predict the items at `positions`, averaging over the views of each item, into two arrays.

    probabilities, embeddings : (n, n_classes) and (n, n_features), see `output_sizes`; row i is for positions[i];
        probabilities that are not wanted are None
    activation : logits (n, n_classes) → the probabilities that they mean
    should_stop : asked before every batch; if it says so, raises Cancelled
    on_batch : told how many items were predicted
    """
    model.eval()
    order = opened.in_order(positions)
    for start in range(0, len(positions), batch_size):
        if should_stop():
            raise Cancelled("Stopped while predicting.")
        part = order[start : start + batch_size]
        views = opened.views(positions[part])
        logits = partial(opened.logits, model)
        probs, embeddings[part] = _mean_over_views(model, logits, activation, views, machine)
        if probabilities is not None:
            probabilities[part] = probs
        on_batch(len(part))


def output_sizes(model: nn.Module) -> tuple[int, int]:
    """How many classes a model tells apart, and how many features its last layer reads."""
    linear = last_linear(model)
    return linear.out_features, linear.in_features


def last_linear(model: nn.Module) -> nn.Linear:
    """The layer whose input is the embedding of an item."""
    return [module for module in model.modules() if isinstance(module, nn.Linear)][-1]


def read_logits(
    model: nn.Module, logits: Callable[[Tensor], Tensor], view: Tensor, machine: Machine
) -> tuple[Tensor, Tensor]:
    """(n, n_classes) logits and (n, n_features) what the last layer reads, both float32.

    The layers before the last one compute in the machine's precision, the last one in float32: half precision keeps
    two or three digits, too few to tell apart items that a ranking is to tell apart.

    logits : what the model says of a view, see `diagnostics.modalities.NetworkItems.logits`
    """
    linear = last_linear(model)
    seen: list[Tensor] = []
    hook = linear.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].float()))
    try:
        with torch.inference_mode(), autocast(machine.device, machine.precision):
            logits(view)
    finally:
        hook.remove()
    (features,) = seen
    with torch.inference_mode():
        said: Tensor = linear(features)
    return said, features


def _mean_over_views(
    model: nn.Module,
    logits: Callable[[Tensor], Tensor],
    activation: Callable[[Tensor], Tensor],
    views: list[Tensor],
    machine: Machine,
) -> tuple[FloatArray, FloatArray]:
    read = [read_logits(model, logits, view, machine) for view in views]
    probabilities = torch.stack([activation(said) for said, _ in read]).mean(dim=0)
    embedding = torch.stack([features for _, features in read]).mean(dim=0)
    embedding = embedding.clamp(-LARGEST_FLOAT16, LARGEST_FLOAT16)
    return probabilities.cpu().numpy(), embedding.cpu().numpy().astype(np.float16)
