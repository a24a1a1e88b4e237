"""One entry for each kind of item: the models that people are offered for it.

Other names that a modality takes, such as any of timm's, can be typed. A new modality is a module and a line here.
"""

from collections.abc import Sequence

from diagnostics.model_choices.choice import ModelChoice
from diagnostics.model_choices.image import IMAGE
from diagnostics.model_choices.tabular import TABULAR
from diagnostics.model_choices.text import TEXT
from diagnostics.training.config import Option, options_for

MODEL_CHOICES: dict[str, Sequence[ModelChoice]] = {"image": IMAGE, "text": TEXT, "tabular": TABULAR}


def options_of(modality: str, label_kind: str, arch: str) -> dict[str, Option]:
    """The options that training this model on these items and labels has; of a model that was typed, all of them."""
    without = {
        name for choice in MODEL_CHOICES[modality] if choice.is_meant_by(arch) for name in choice.without
    }
    usable = options_for(modality, label_kind)
    return {name: option for name, option in usable.items() if name not in without}
