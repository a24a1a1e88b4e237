"""Models for table rows."""

from diagnostics.model_choices.choice import FITTED_AT_ONCE_WITHOUT, ModelChoice

TABULAR = (
    ModelChoice(
        "auto",
        "Chosen for you",
        "Gradient boosting: the right start nearly always.",
        without=FITTED_AT_ONCE_WITHOUT,
    ),
    ModelChoice(
        "gradient_boosting",
        "Gradient boosting",
        "Many small decision trees: seconds, takes missing values as they are.",
        without=FITTED_AT_ONCE_WITHOUT,
    ),
    ModelChoice(
        "tabular_net",
        "Neural network",
        "A network with an embedding for each category; slower, worth a try with many rows.",
    ),
)
