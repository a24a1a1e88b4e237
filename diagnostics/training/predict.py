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
    linear = last_linear(model)
    model.eval()
    order = opened.in_order(positions)
    for start in range(0, len(positions), batch_size):
        if should_stop():
            raise Cancelled("Stopped while predicting.")
        part = order[start : start + batch_size]
        views = opened.views(positions[part])
        logits = partial(opened.logits, model)
        probs, embeddings[part] = _mean_over_views(logits, activation, linear, views, machine)
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


def _mean_over_views(
    logits: Callable[[Tensor], Tensor],
    activation: Callable[[Tensor], Tensor],
    linear: nn.Linear,
    views: list[Tensor],
    machine: Machine,
) -> tuple[FloatArray, FloatArray]:
    seen: list[Tensor] = []
    hook = linear.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].float()))
    try:
        with torch.inference_mode(), autocast(machine.device, machine.precision):
            probabilities = torch.stack([activation(logits(view).float()) for view in views]).mean(dim=0)
    finally:
        hook.remove()
    embedding = torch.stack(seen).mean(dim=0).clamp(-LARGEST_FLOAT16, LARGEST_FLOAT16)
    return probabilities.cpu().numpy(), embedding.cpu().numpy().astype(np.float16)
