"""The models that people are offered: each can be trained, and what is not on this machine is said."""

from pathlib import Path

import pytest
import torch

from diagnostics.modalities.architectures import find_architecture
from diagnostics.model_choices import MODEL_CHOICES, options_of
from diagnostics.model_choices.choice import torch_checkpoints
from diagnostics.model_choices.image import IMAGENET_WEIGHTS
from diagnostics.training.config import TrainConfig, options_for


@pytest.mark.parametrize("modality", MODEL_CHOICES)
def test_the_first_choice_is_what_is_taken_if_nobody_chooses(modality):
    assert MODEL_CHOICES[modality][0].arch == TrainConfig().arch
    assert all(choice.title and choice.sentence.endswith(".") for choice in MODEL_CHOICES[modality])


def test_every_model_for_images_is_one_that_is_known():
    for choice in MODEL_CHOICES["image"][1:]:
        assert find_architecture(choice.arch).name == choice.arch


def test_weights_that_are_not_here_are_said_with_where_they_were_looked_for(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    resnet18 = next(choice for choice in MODEL_CHOICES["image"] if choice.arch == "resnet18")
    assert resnet18.lacks().startswith(f"Pretrained weights: not available here ({tmp_path}")
    torch_checkpoints().mkdir(parents=True)
    (torch_checkpoints() / IMAGENET_WEIGHTS["resnet18"]).touch()
    assert resnet18.lacks() == ""


def test_weights_are_looked_for_where_torch_keeps_them(monkeypatch):
    monkeypatch.delenv("TORCH_HOME", raising=False)
    assert torch_checkpoints() == Path(torch.hub.get_dir()) / "checkpoints"


@pytest.mark.parametrize(
    ("modality", "arch", "lacking"),
    [
        ("text", "auto", {"lr", "epochs", "lm_epochs"}),
        ("tabular", "gradient_boosting", {"lr", "batch_size"}),
        ("text", "transformer:roberta-base", {"lm_epochs"}),
    ],
)
def test_a_model_is_offered_no_option_that_it_does_not_have(modality, arch, lacking):
    options = options_of(modality, "single", arch)
    assert not lacking & set(options)
    assert {"folds", "seed", "imbalance"} <= set(options)


def test_a_model_that_was_typed_is_offered_every_option_of_its_items():
    assert options_of("image", "single", "regnet_y_400mf") == options_for("image", "single")
