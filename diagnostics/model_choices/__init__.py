"""One entry for each kind of item: the models that people are offered for it.

Other names that a modality takes, such as any of timm's, can be typed. A new modality is a module and a line here.
"""

from collections.abc import Sequence

from diagnostics.model_choices.choice import ModelChoice
from diagnostics.model_choices.image import IMAGE
from diagnostics.model_choices.tabular import TABULAR
from diagnostics.model_choices.text import TEXT

MODEL_CHOICES: dict[str, Sequence[ModelChoice]] = {"image": IMAGE, "text": TEXT, "tabular": TABULAR}
