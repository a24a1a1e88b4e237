"""Find pretrained weights before anything tries to download them, and say what to do if they cannot be had.

Libraries fail late and in their own ways without a network (timm after 46 s of retries). Here the caches are looked
into first; only if a file is in none of them, its host is probed for 2 seconds. Random weights are never used in place
of pretrained ones.
"""

import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import huggingface_hub
import timm
import torch
import torchvision.models
from huggingface_hub.constants import HF_HUB_CACHE
from safetensors.torch import load_file

from diagnostics.errors import WeightsError

PROBE_TIMEOUT_S = 2.0
HUB_FILES = ("model.safetensors", "pytorch_model.bin")

Probe = Callable[[str], bool]


@dataclass(frozen=True)
class WeightsFile:
    """Where weights are. path : the local file, None if `url` can be downloaded and nothing is here yet."""

    path: Path | None
    url: str

    def read(self) -> Mapping[str, torch.Tensor]:
        """The weights by name, downloaded into the library's cache first if need be."""
        if self.path is None:
            downloaded: Mapping[str, torch.Tensor] = torch.hub.load_state_dict_from_url(
                self.url, map_location="cpu", progress=False, weights_only=True
            )
            return downloaded
        if self.path.suffix == ".safetensors":
            stored: Mapping[str, torch.Tensor] = load_file(self.path)
            return stored
        loaded: Mapping[str, torch.Tensor] = torch.load(self.path, map_location="cpu", weights_only=True)
        return loaded


def can_reach(url: str) -> bool:
    """Whether the host of `url` answers within 2 seconds; names that do not resolve count as no answer."""
    answered = threading.Event()

    def ask() -> None:
        request = urllib.request.Request(url, method="HEAD")
        try:
            urllib.request.urlopen(request, timeout=PROBE_TIMEOUT_S).close()
        except urllib.error.HTTPError:
            answered.set()
        except OSError:
            return
        else:
            answered.set()

    threading.Thread(target=ask, daemon=True).start()
    return answered.wait(PROBE_TIMEOUT_S)


def find_torchvision_weights(
    name: str, weights_file: Path | None = None, *, probe: Probe = can_reach
) -> WeightsFile:
    """Weights of a torchvision model: the given file, else the cache, else a download that is known to be possible.

    raises : WeightsError naming file, source, destination and the ways out
    """
    if weights_file is not None:
        return _given(weights_file)
    url: str = torchvision.models.get_model_weights(name).DEFAULT.url
    folder = Path(torch.hub.get_dir()) / "checkpoints"
    path = folder / url.rsplit("/", 1)[-1]
    if path.is_file():
        return WeightsFile(path, url)
    if probe(url):
        return WeightsFile(None, url)
    raise cannot_be_had(name, file_name=path.name, url=url, folder=folder)


def find_timm_weights(
    name: str, weights_file: Path | None = None, *, probe: Probe = can_reach
) -> WeightsFile:
    """Weights of a timm model; looks for them, and raises, as `find_torchvision_weights`."""
    if weights_file is not None:
        return _given(weights_file)
    source = timm.get_pretrained_cfg(name)
    if source is None or not source.has_weights:
        raise WeightsError(
            f"There are no pretrained weights for {name}. Choose an architecture that has some, give a local file "
            "with weights_file, or train from scratch with pretrained=false."
        )
    if source.hf_hub_id:
        return find_on_hub(name, str(source.hf_hub_id), probe)
    folder = Path(torch.hub.get_dir()) / "checkpoints"
    path = folder / str(source.url).rsplit("/", 1)[-1]
    if path.is_file():
        return WeightsFile(path, str(source.url))
    if probe(str(source.url)):
        return WeightsFile(None, str(source.url))
    raise cannot_be_had(name, file_name=path.name, url=str(source.url), folder=folder)


def find_on_hub(name: str, hub_id: str, probe: Probe) -> WeightsFile:
    """Weights of a model on the Hugging Face hub: in the cache, else to be fetched.

    name : what messages call the model
    raises : WeightsError if they are not here and the hub cannot be reached
    """
    url = f"{huggingface_hub.constants.ENDPOINT}/{hub_id}/resolve/main/{HUB_FILES[0]}"
    for file_name in HUB_FILES:
        cached = huggingface_hub.try_to_load_from_cache(hub_id, file_name)
        if isinstance(cached, str):
            return WeightsFile(Path(cached), url)
    if probe(url):
        return WeightsFile(None, url)
    folder = Path(HF_HUB_CACHE) / f"models--{hub_id.replace('/', '--')}"
    raise cannot_be_had(name, file_name=HUB_FILES[0], url=url, folder=folder)


def _given(weights_file: Path) -> WeightsFile:
    if not weights_file.is_file():
        raise WeightsError(
            f"weights_file {weights_file} is not a file. Give the path of a downloaded weights file."
        )
    return WeightsFile(weights_file, url="")


def cannot_be_had(name: str, *, file_name: str, url: str, folder: Path) -> WeightsError:
    """Says which file is wanted, from where, where it was looked for, and the three ways out."""
    return WeightsError(
        f"The pretrained weights of {name} are not on this machine and cannot be downloaded now. Wanted: {file_name} "
        f"from {url}, looked for in {folder}. Three ways out: (1) fetch the file on a machine with a network and put "
        "it there; (2) give a local file with weights_file; (3) train without pretrained weights, pretrained=false."
    )
