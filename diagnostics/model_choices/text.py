"""Models for texts."""

from diagnostics.model_choices.choice import (
    FITTED_AT_ONCE_WITHOUT,
    ModelChoice,
    fastai_models,
    lacks_file,
    lacks_hub_model,
)

TRANSFORMER = "distilbert-base-uncased"
AWD_LSTM_WITHOUT = ("frozen_epochs",)  # it is unfrozen layer by layer
TRANSFORMER_WITHOUT = ("frozen_epochs", "lm_epochs", "weights_file")  # its name names its weights

TEXT = (
    ModelChoice(
        "auto",
        "Chosen for you",
        "The words themselves: the right start nearly always.",
        without=FITTED_AT_ONCE_WITHOUT,
    ),
    ModelChoice(
        "tfidf",
        "Counts of words",
        "Counts words (tf-idf) and weighs them with a linear model: seconds, and it can say why.",
        without=FITTED_AT_ONCE_WITHOUT,
    ),
    ModelChoice(
        "awd_lstm",
        "Recurrent network",
        "An AWD-LSTM, which reads words in order, from scratch or pretrained; slow without a GPU.",
        lacks_file(fastai_models, "wt103-fwd"),
        AWD_LSTM_WITHOUT,
    ),
    ModelChoice(
        f"transformer:{TRANSFORMER}",
        "Transformer (DistilBERT)",
        "A pretrained transformer, the strongest where wording differs much; any name or folder of one will do.",
        lacks_hub_model(TRANSFORMER),
        TRANSFORMER_WITHOUT,
    ),
)
