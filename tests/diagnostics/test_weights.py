import time
from pathlib import Path

import pytest
import torch
import torchvision
from safetensors.torch import save_file

from diagnostics.array_loader import ArrayItems, ArrayLoader
from diagnostics.errors import ConfigError, WeightsError
from diagnostics.modalities.architectures import find_architecture, learner_for
from diagnostics.modalities.image_quick import find_quick_features
from diagnostics.model_choices.image import IMAGENET_WEIGHTS
from diagnostics.training.augment import Normalise
from diagnostics.training.config import TrainConfig
from diagnostics.training.weights import can_reach, find_timm_weights, find_torchvision_weights


@pytest.fixture
def empty_caches(monkeypatch, tmp_path):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path


def no_network(url):
    return False


def test_weights_that_cannot_be_had_name_the_file_its_source_its_place_and_three_ways_out(empty_caches):
    with pytest.raises(WeightsError) as caught:
        find_torchvision_weights("resnet18", probe=no_network)
    text = str(caught.value)
    assert "resnet18-f37072fd.pth from https://download.pytorch.org/models/" in text
    assert str(empty_caches / "torch" / "hub" / "checkpoints") in text
    assert "fetch the file" in text
    assert "weights_file" in text
    assert "pretrained=false" in text


def test_timm_weights_that_cannot_be_had_say_the_same(empty_caches):
    with pytest.raises(WeightsError, match=r"model\.safetensors from https://huggingface\.co/timm/"):
        find_timm_weights("convnext_tiny", probe=no_network)


def test_weights_in_the_cache_are_used_without_asking_the_network(empty_caches):
    cached = empty_caches / "torch" / "hub" / "checkpoints" / "resnet18-f37072fd.pth"
    cached.parent.mkdir(parents=True)
    cached.touch()

    def probe(url):
        raise AssertionError("the network was asked")

    assert find_torchvision_weights("resnet18", probe=probe).path == cached


def test_weights_that_can_be_downloaded_are_not_an_error(empty_caches):
    assert find_torchvision_weights("resnet18", probe=lambda url: True).path is None


def test_a_weights_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(WeightsError, match=r"missing\.pth is not a file"):
        find_torchvision_weights("resnet18", tmp_path / "missing.pth")


def test_an_architecture_without_pretrained_weights_says_so():
    with pytest.raises(WeightsError, match="no pretrained weights for coatnet_0_224"):
        find_timm_weights("coatnet_0_224", probe=no_network)


def test_a_host_that_does_not_exist_is_not_waited_for():
    started_s = time.monotonic()
    assert not can_reach("https://host.invalid/file")
    assert time.monotonic() - started_s < 3


def learner(tmp_path: Path, arch: str, weights_file: Path | None):
    pixels = torch.zeros(4, 32, 32, 3, dtype=torch.uint8)
    items = ArrayItems(pixels, torch.arange(4).numpy(), torch.zeros(4, dtype=torch.int64))
    from fastai.data.core import DataLoaders

    loader = ArrayLoader(items, prepare=Normalise((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)), bs=2)
    return learner_for(
        find_architecture(arch),
        DataLoaders(loader, loader, device=torch.device("cpu")),
        n_classes=3,
        image_size_px=32,
        pretrained=weights_file is not None,
        weights_file=weights_file,
        loss_func=torch.nn.CrossEntropyLoss(),
        path=tmp_path,
    )


def test_a_local_file_fills_a_torchvision_network(tmp_path):
    source = torchvision.models.resnet18(weights=None)
    torch.save(source.state_dict(), tmp_path / "weights.pth")
    body = learner(tmp_path, "resnet18", tmp_path / "weights.pth").model[0]
    assert torch.equal(body[0].weight, source.conv1.weight)
    assert torch.equal(body[7][1].conv2.weight, source.layer4[1].conv2.weight)


def test_a_local_file_fills_a_timm_network(tmp_path):
    import timm

    source = timm.create_model("test_resnet", pretrained=False)
    save_file(source.state_dict(), tmp_path / "weights.safetensors")
    model = learner(tmp_path, "timm/test_resnet", tmp_path / "weights.safetensors").model
    loaded = dict(model[0].model.named_parameters())
    name = next(name for name, _ in source.named_parameters())
    assert torch.equal(loaded[name], source.get_parameter(name))


@pytest.mark.parametrize("arch", ["resnet18", "timm/test_resnet"])
def test_weights_of_another_network_are_refused(tmp_path, arch):
    torch.save({"layer.weight": torch.zeros(2)}, tmp_path / "weights.pth")
    with pytest.raises(WeightsError, match=r"weights\.pth does not hold weights of"):
        learner(tmp_path, arch, tmp_path / "weights.pth")


def test_an_unknown_architecture_names_near_ones():
    with pytest.raises(ConfigError, match=r"Did you mean .*resnet18"):
        find_architecture("resnet81")


@pytest.mark.parametrize(
    ("name", "library"),
    [
        ("small_cnn", "winnow"),
        ("resnet18", "torchvision"),
        ("convnext_tiny", "timm"),
        ("timm/resnet18", "timm"),
    ],
)
def test_a_name_is_found_in_its_library(name, library):
    assert find_architecture(name).library == library


@pytest.mark.parametrize(
    "arch", ["resnet18", "efficientnet_b0", "timm/vit_tiny_patch16_224", "mobilenetv3_small_050"]
)
def test_networks_of_both_libraries_give_one_logit_a_class(tmp_path, arch):
    model = learner(tmp_path, arch, None).model.eval()
    assert model(torch.zeros(2, 3, 32, 32)).shape == (2, 3)


def test_a_quick_round_uses_a_pretrained_network_that_is_in_the_cache_and_looks_nowhere_else(
    empty_caches, monkeypatch
):
    def ask(*_, **__):
        raise AssertionError("the network was asked")

    monkeypatch.setattr("urllib.request.urlopen", ask)
    assert find_quick_features(TrainConfig(), None) is None
    assert find_quick_features(TrainConfig(arch="small_cnn"), None) is None
    with pytest.raises(WeightsError, match="not on this machine"):
        find_quick_features(TrainConfig(arch="resnet18", pretrained=True), None)
    cached = empty_caches / "torch" / "hub" / "checkpoints" / IMAGENET_WEIGHTS["resnet34"]
    cached.parent.mkdir(parents=True)
    cached.touch()
    found = find_quick_features(TrainConfig(), None)
    assert (found.arch, found.weights) == ("resnet34", cached)


@pytest.mark.parametrize("name", IMAGENET_WEIGHTS)
def test_the_files_that_a_quick_round_looks_for_are_those_that_torchvision_downloads(name):
    assert torchvision.models.get_model_weights(name).DEFAULT.url.endswith(f"/{IMAGENET_WEIGHTS[name]}")
