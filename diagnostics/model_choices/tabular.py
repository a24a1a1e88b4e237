"""Models for table rows."""

from diagnostics.model_choices.choice import ModelChoice
from diagnostics.training.config import NETWORK_OPTIONS

TABULAR = (
    ModelChoice("auto", "Gradient boosting: the right start nearly always.", without=NETWORK_OPTIONS),
    ModelChoice(
        "gradient_boosting",
        "Many small decision trees: seconds, takes missing values as they are.",
        without=NETWORK_OPTIONS,
    ),
    ModelChoice(
        "tabular_net", "A network with an embedding for each category; slower, worth a try with many rows."
    ),
)
