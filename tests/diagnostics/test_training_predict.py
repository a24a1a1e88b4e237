import numpy as np
import torch
from torch import nn

from diagnostics.modalities import Machine
from diagnostics.training.device import autocast
from diagnostics.training.predict import read_logits

HALF_PRECISION = Machine(torch.device("cpu"), "bf16", n_threads=1)


def test_half_precision_does_not_round_what_models_say_of_items():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 2))
    items = torch.randn(500, 6)
    logits, features = read_logits(model, model, items, HALF_PRECISION)
    assert logits.dtype == features.dtype == torch.float32
    assert len(np.unique(logits[:, 0].numpy())) > 490
    with torch.inference_mode(), autocast(HALF_PRECISION.device, HALF_PRECISION.precision):
        rounded = model(items).float()
    assert len(np.unique(rounded[:, 0].numpy())) < 450
    torch.testing.assert_close(logits, rounded, atol=0.02, rtol=0.02)
    with torch.inference_mode():
        torch.testing.assert_close(logits, model[2](features))
