"""A model that people can pick, told before any library of models is loaded."""

import importlib.util
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from diagnostics.training.config import NETWORK_OPTIONS

HERE = ""
FITTED_AT_ONCE_WITHOUT = (*NETWORK_OPTIONS, "focal_gamma", "mixed_precision")


def _always() -> str:
    return HERE


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """A model that the items of a modality can be trained with.

    arch : as `TrainConfig.arch` takes it; title : its name for people
    sentence : what it is and when to take it
    without : the options that it does not have, or that change nothing; they are not offered
    lacks : what of it is not on this machine, as a sentence; "" if nothing is. Looks at files only
    """

    arch: str
    title: str
    sentence: str
    lacks: Callable[[], str] = _always
    without: tuple[str, ...] = ()

    def is_meant_by(self, arch: str) -> bool:
        """Whether a name means this model, perhaps another variant of it.

        >>> ModelChoice("transformer:distilbert", "DistilBERT", "").is_meant_by("transformer:roberta")
        True
        """
        kind, has_variants, _ = self.arch.partition(":")
        return arch == self.arch or (bool(has_variants) and arch.startswith(f"{kind}:"))


def lacks_file(folder: Callable[[], Path], name: str) -> Callable[[], str]:
    """A `ModelChoice.lacks` for a model whose pretrained weights are a file or folder in a library's cache."""
    return lambda: HERE if (folder() / name).exists() else not_here(folder())


def lacks_hub_model(name: str) -> Callable[[], str]:
    """A `ModelChoice.lacks` for a model from the Hugging Face hub, which needs the extra `text`."""

    def lacks() -> str:
        if importlib.util.find_spec("transformers") is None:
            return "Not available here: it needs Winnow's extra `text` (the library transformers)."
        from huggingface_hub.constants import HF_HUB_CACHE

        folder = Path(HF_HUB_CACHE) / f"models--{name.replace('/', '--')}"
        return HERE if folder.is_dir() else not_here(Path(HF_HUB_CACHE))

    return lacks


def not_here(folder: Path) -> str:
    """That pretrained weights would have to be downloaded into a folder first."""
    return (
        f"Pretrained weights: not available here ({folder} has none); they are fetched if their host answers."
    )


def torch_checkpoints() -> Path:
    """Where torch keeps the weights that it downloaded, as `torch.hub.get_dir` finds it."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser()
    return Path(os.environ.get("TORCH_HOME", cache / "torch")).expanduser() / "hub" / "checkpoints"


def fastai_models() -> Path:
    """Where fastai keeps the models that it downloaded."""
    return Path(os.environ.get("FASTAI_HOME", "~/.fastai")).expanduser() / "models"
