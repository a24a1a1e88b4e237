"""Everything that decides how a model is trained, as one frozen, JSON-able value."""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from diagnostics.errors import ConfigError
from diagnostics.training.imbalance import FOCAL_LOSS, NO_REMEDY, Remedy
from diagnostics.training.label_choices import LABEL_CHOICES, ONE_LABEL, SEVERAL_LABELS

THRESHOLDS = ("best_f1", "0.5", "0.2")  # names of `diagnostics.multilabel.thresholds.THRESHOLD_RULES`
STANDARD_FOCAL_GAMMA, STANDARD_LABEL_SMOOTHING = 2.0, 0.1


@dataclass(frozen=True, slots=True)
class Option:
    """What one field of TrainConfig may hold; the command line and the pages take their help from here.

    kind : bool, int, float or str
    low, high : inclusive bounds of a number
    none_means : what is chosen when the field is None; "" if None is not allowed
    modalities : of the items that it is for; () = of all
    label_kinds : of the labels that it is for; () = of all
    """

    kind: type
    help: str
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    none_means: str = ""
    modalities: tuple[str, ...] = ()
    label_kinds: tuple[str, ...] = ()

    @property
    def labels(self) -> list[str]:
        """The `label_kinds` in words."""
        return [LABEL_CHOICES[kind].title for kind in self.label_kinds]


def _imbalance(remedies: Mapping[str, Remedy]) -> Option:
    helps = "; ".join(f"{name}: {remedy.help}" for name, remedy in remedies.items())
    return Option(str, f"what to do about rare classes. {helps}", choices=tuple(remedies))


OPTIONS: dict[str, Option] = {
    "arch": Option(
        str,
        "the model, or auto. Images: small_cnn, any torchvision or timm name; auto: small_cnn unless pretrained. "
        "Texts: tfidf (auto), awd_lstm, transformer:NAME. Rows: gradient_boosting (auto), tabular_net",
    ),
    "pretrained": Option(
        bool,
        "start from pretrained weights; an error if they cannot be had",
        modalities=("image", "text"),
    ),
    "weights_file": Option(
        str,
        "local file with the pretrained weights",
        none_means="the library's cache",
        modalities=("image", "text"),
    ),
    "image_size_px": Option(
        int,
        "side of the square images that the model sees",
        8,
        1024,
        none_means="from the images' own size",
        modalities=("image",),
    ),
    "resize": Option(
        str,
        "how an image becomes square: squish (nothing cut), crop (middle square) or pad (grey bars)",
        choices=("squish", "crop", "pad"),
        modalities=("image",),
    ),
    "lm_epochs": Option(
        int,
        "awd_lstm: passes over all texts, without their labels, to learn the language before any label; 0 = none",
        0,
        100,
        modalities=("text",),
    ),
    "epochs": Option(int, "passes over the training items", 1, 1000, none_means="from the number of items"),
    "frozen_epochs": Option(
        int,
        "of these, passes with the body frozen",
        0,
        1000,
        none_means="1 if pretrained, else 0",
        modalities=("image", "text"),
    ),
    "lr": Option(
        float,
        "largest learning rate",
        1e-7,
        10.0,
        none_means="that of the first run with these options, else from the finder",
    ),
    "batch_size": Option(int, "items a step", 2, 4096, none_means="from the number of items"),
    "weight_decay": Option(float, "weight decay", 0.0, 1.0),
    "label_smoothing": Option(
        float, "share of a label spread over all classes", 0.0, 0.5, none_means="0.1, with focal loss 0"
    ),
    "imbalance": _imbalance(ONE_LABEL.remedies),
    "focal_gamma": Option(
        float, "focal loss: how much less sure items count; 0 = as much as others", 0.0, 10.0
    ),
    "augment": Option(
        str,
        "none; light: small shifts; standard: shifts, small zooms, turns and changes of light",
        choices=("none", "light", "standard"),
        modalities=("image",),
    ),
    "flip": Option(
        bool,
        "mirror images at random, and average predictions over both",
        none_means="yes for colour photos, no for grey images such as digits and text",
        modalities=("image",),
    ),
    "seed": Option(int, "of folds, weights, order and augmentation", 0, 2**31 - 1),
    "folds": Option(int, "models for out-of-fold predictions; 0 = one model on all items", 0, 50),
    "early_stopping_patience": Option(
        int, "stop after so many epochs without a better loss; 0 = never", 0, 1000
    ),
    "keep_best": Option(bool, "keep the epoch with the lowest loss on the validation items"),
    "mixed_precision": Option(
        str, "fp16 on a GPU, bf16 on a CPU that has it", choices=("auto", "off", "fp16", "bf16")
    ),
    "planted": Option(
        float,
        "share of each fold model's training labels changed on purpose, in its training alone, to learn how wrong "
        "labels look; 0 = none",
        0.0,
        0.2,
    ),
    "thresholds": Option(
        str,
        "from which probability on an item is predicted to have a label. best_f1: of each class the one with the best "
        "F1 where the items are held out; or the same for all classes",
        choices=THRESHOLDS,
        label_kinds=(SEVERAL_LABELS.key,),
    ),
    "n_threads": Option(int, "CPU threads of the model", 1, 1024, none_means="all cores"),
}

LATER_OPTIONS = {"imbalance", "focal_gamma", "lm_epochs", "thresholds"}


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """How to train. A field that is None, and an `arch` of "auto", is chosen from the data: see OPTIONS."""

    arch: str = "auto"
    pretrained: bool = False
    weights_file: str | None = None
    image_size_px: int | None = None
    resize: str = "squish"
    lm_epochs: int = 0
    epochs: int | None = None
    frozen_epochs: int | None = None
    lr: float | None = None
    batch_size: int | None = None
    weight_decay: float = 0.05
    label_smoothing: float | None = None
    imbalance: str = NO_REMEDY
    focal_gamma: float = STANDARD_FOCAL_GAMMA
    augment: str = "light"
    flip: bool | None = None
    seed: int = 0
    folds: int = 5
    early_stopping_patience: int = 0
    keep_best: bool = False
    mixed_precision: str = "auto"
    planted: float = 0.02
    thresholds: str = THRESHOLDS[0]
    n_threads: int | None = None

    def __post_init__(self) -> None:
        problems = [text for name in OPTIONS if (text := _problem(name, getattr(self, name)))]
        if not problems:
            problems = _contradictions(self)
        if problems:
            raise ConfigError("These training options cannot be used: " + "; ".join(problems) + ".")

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "TrainConfig":
        """The configuration with these fields; the others keep their defaults.

        raises : ConfigError for unknown names, naming the nearest known one, and for values out of range
        """
        known = [field.name for field in fields(cls)]
        unknown = [name for name in values if name not in known]
        if unknown:
            raise ConfigError(
                "Unknown training options: " + "; ".join(_near(name, known) for name in unknown) + "."
            )
        return cls(**values)

    def to_json(self) -> dict[str, Any]:
        """A plain dict that json.dumps takes and `from_json` reads back."""
        return asdict(self)

    @property
    def smoothing(self) -> float:
        """The label smoothing that is trained with: fastai's focal loss knows none."""
        if self.label_smoothing is not None:
            return self.label_smoothing
        return 0.0 if self.imbalance == FOCAL_LOSS else STANDARD_LABEL_SMOOTHING

    def identity(self) -> dict[str, Any]:
        """What a run is known by: `to_json` with the label smoothing that is trained with, without later options that
        are not used. A run that was begun before there was an option has the same identity after.
        """
        unused = {field.name for field in fields(self) if getattr(self, field.name) == field.default}
        values = self.to_json() | {"label_smoothing": self.smoothing}
        return {name: value for name, value in values.items() if name not in unused & LATER_OPTIONS}


def options_for(modality: str, label_kind: str = ONE_LABEL.key) -> dict[str, Option]:
    """The options that training on these items and labels has, with the choices that these labels have."""
    return {
        name: option
        for name, option in (OPTIONS | {"imbalance": _imbalance(LABEL_CHOICES[label_kind].remedies)}).items()
        if (not option.modalities or modality in option.modalities)
        and (not option.label_kinds or label_kind in option.label_kinds)
    }


def check_fits(config: TrainConfig, modality: str, label_kind: str = ONE_LABEL.key) -> None:
    """raises : ConfigError if options are set that training on these items and labels does not have"""
    usable, usual = options_for(modality, label_kind), TrainConfig()
    strange = [
        f"{name} (for {', '.join((*option.modalities, *option.labels))})"
        for name, option in OPTIONS.items()
        if name not in usable and getattr(config, name) != getattr(usual, name)
    ]
    if strange:
        raise ConfigError(
            f"These options are not for {modality} items: {', '.join(strange)}. Leave them out."
        )


def refuse_options(config: TrainConfig, names: Sequence[str], *, why: str) -> None:
    """raises : ConfigError if one of these options is set. why : they cannot be, the rest of a sentence"""
    usual = TrainConfig()
    given = [name for name in names if getattr(config, name) != getattr(usual, name)]
    if given:
        raise ConfigError(
            f"{', '.join(given)} cannot be set: {why}. Leave {'it' if len(given) == 1 else 'them'} out."
        )


NETWORK_OPTIONS = (
    "pretrained",
    "weights_file",
    "epochs",
    "frozen_epochs",
    "lm_epochs",
    "lr",
    "batch_size",
    "weight_decay",
    "label_smoothing",
    "early_stopping_patience",
    "keep_best",
)


def _near(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"{name!r} (did you mean {near[0]!r}?)" if near else f"{name!r} (known: {', '.join(known)})"


def _problem(name: str, value: object) -> str:
    """What is wrong with one value; "" if nothing is."""
    option = OPTIONS[name]
    if value is None:
        return "" if option.none_means else f"{name} must have a value"
    if not _is_kind(value, option.kind):
        return f"{name} must be {_KIND_NAMES[option.kind]}, found {value!r}"
    if option.choices and value not in option.choices:
        return f"{name} must be one of {', '.join(option.choices)}, found {value!r}"
    if option.kind is str and not str(value).strip():
        return f"{name} must not be empty"
    if not isinstance(value, int | float) or option.low is None or option.high is None:
        return ""
    if option.low <= value <= option.high:
        return ""
    return f"{name} must lie between {option.low:g} and {option.high:g}, found {value:g}"


_KIND_NAMES = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}


def _is_kind(value: object, kind: type) -> bool:
    if kind is bool or isinstance(value, bool):
        return kind is bool and isinstance(value, bool)
    return isinstance(value, int | float) if kind is float else isinstance(value, kind)


def _contradictions(config: TrainConfig) -> list[str]:
    problems = []
    if config.weights_file is not None and not config.pretrained:
        problems.append("weights_file is given, so pretrained must be true")
    if config.pretrained and config.arch == "small_cnn":
        problems.append("small_cnn has no pretrained weights; choose another arch or pretrained=false")
    if config.folds == 1:
        problems.append("folds must be 0 (one model) or at least 2, found 1")
    if config.frozen_epochs and config.epochs and config.frozen_epochs > config.epochs:
        problems.append(f"frozen_epochs ({config.frozen_epochs}) must not exceed epochs ({config.epochs})")
    if config.imbalance == FOCAL_LOSS and config.label_smoothing:
        problems.append("focal_loss knows no smoothed labels; leave label_smoothing out or set it to 0")
    if config.imbalance != FOCAL_LOSS and config.focal_gamma != STANDARD_FOCAL_GAMMA:
        problems.append("focal_gamma is given, so imbalance must be focal_loss")
    return problems
