"""Models for texts."""

from diagnostics.model_choices.choice import ModelChoice, fastai_models, lacks_file, lacks_hub_model

TRANSFORMER = "distilbert-base-uncased"

TEXT = (
    ModelChoice("auto", "The words themselves, tfidf: the right start nearly always."),
    ModelChoice("tfidf", "Counts words and weighs them with a linear model: seconds, and it can say why."),
    ModelChoice(
        "awd_lstm",
        "A recurrent network that reads words in order, from scratch or pretrained; slow without a GPU.",
        lacks_file(fastai_models, "wt103-fwd"),
    ),
    ModelChoice(
        f"transformer:{TRANSFORMER}",
        "A pretrained transformer, the strongest where wording differs much; any name or folder of one will do.",
        lacks_hub_model(TRANSFORMER),
    ),
)
