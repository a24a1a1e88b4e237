"""Features of texts for quick rounds: the texts' own, or those of the fold models of a run that trained networks."""

from diagnostics.modalities import QuickFeatures
from diagnostics.run_folder import WEIGHTS_FOLDER, Run
from diagnostics.training.config import TrainConfig


def find_quick_features(config: TrainConfig, base: Run | None) -> QuickFeatures | None:
    """The texts' own, which are always there; None if the base run's models are networks, which know more of them."""
    if base is not None and (base.folder / WEIGHTS_FOLDER / "model.json").is_file():
        return None
    from diagnostics.texts.quick import TextFeatures

    return TextFeatures()
