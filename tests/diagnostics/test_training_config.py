import json

import pytest

from diagnostics.errors import ConfigError
from diagnostics.training.config import (
    LATER_OPTIONS,
    OPTIONS,
    TrainConfig,
    check_fits,
    options_for,
    refuse_options,
)


def test_the_defaults_need_no_thinking():
    assert TrainConfig().folds == 5


def test_every_field_has_its_option():
    assert list(OPTIONS) == list(TrainConfig().to_json())


def test_a_configuration_survives_json():
    config = TrainConfig(arch="resnet18", epochs=4, lr=0.001, flip=True)
    assert TrainConfig.from_json(json.loads(json.dumps(config.to_json()))) == config


def test_an_unknown_option_names_the_near_one():
    with pytest.raises(ConfigError, match=r"'epoch' \(did you mean 'epochs'"):
        TrainConfig.from_json({"epoch": 3})


def test_all_wrong_values_are_listed_together():
    with pytest.raises(ConfigError) as caught:
        TrainConfig(epochs=0, label_smoothing=0.9, augment="wild", folds="5")
    text = str(caught.value)
    assert "epochs must lie between 1 and 1000, found 0" in text
    assert "label_smoothing" in text
    assert "augment must be one of none, light, standard" in text
    assert "folds must be a whole number, found '5'" in text


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"folds": 1}, "at least 2"),
        ({"weights_file": "w.pth"}, "pretrained must be true"),
        ({"arch": "small_cnn", "pretrained": True}, "no pretrained weights"),
        ({"epochs": 2, "frozen_epochs": 3}, "must not exceed"),
        ({"seed": True}, "whole number"),
        ({"folds": None}, "must have a value"),
        ({"imbalance": "focal_loss", "label_smoothing": 0.1}, "leave label_smoothing out or set it to 0"),
        ({"imbalance": "oversample", "focal_gamma": 1.0}, "imbalance must be focal_loss"),
        ({"imbalance": "smote"}, "none, oversample, weighted_loss, weighted_sampling, focal_loss"),
    ],
)
def test_options_that_contradict_each_other_are_refused(options, text):
    with pytest.raises(ConfigError, match=text):
        TrainConfig(**options)


def test_a_configuration_from_before_there_was_an_option_reads_and_keeps_its_identity():
    values = TrainConfig(epochs=4, label_smoothing=0.1).to_json()
    old = {name: value for name, value in values.items() if name not in LATER_OPTIONS}
    assert TrainConfig.from_json(old).imbalance == "none"
    assert TrainConfig.from_json(old).identity() == old
    assert TrainConfig(epochs=4).identity() == old


def test_an_option_that_is_used_is_part_of_the_identity():
    assert TrainConfig(imbalance="oversample").identity()["imbalance"] == "oversample"


def test_options_for_other_items_are_refused():
    check_fits(TrainConfig(flip=True, folds=3), "image")
    with pytest.raises(
        ConfigError, match=r"not for text items: image_size_px \(for image\), flip \(for image\)"
    ):
        check_fits(TrainConfig(flip=True, image_size_px=32), "text")
    assert "flip" not in options_for("tabular")
    assert set(OPTIONS) - set(options_for("image")) == {"lm_epochs", "thresholds"}
    assert set(options_for("image", "multi")) - set(options_for("image")) == {"thresholds"}


def test_options_that_a_model_does_not_have_are_refused():
    with pytest.raises(ConfigError, match="lr, epochs cannot be set: it has none"):
        refuse_options(TrainConfig(lr=0.1, epochs=3), ("lr", "epochs", "keep_best"), why="it has none")
