"""What the options of a training know of each kind of label. `winnow --help` reads it: nothing slow is imported.

All else is in `diagnostics.label_kinds`, which takes its keys and remedies from here.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from diagnostics.multilabel.imbalance import SET_REMEDIES
from diagnostics.training.imbalance import IMBALANCE, Remedy


@dataclass(frozen=True, slots=True)
class LabelChoices:
    """What can be chosen where labels are of one kind.

    key : as `diagnostics.task.Task.label_kind` names it
    title : the kind, in words
    remedies : what can be done about classes of different sizes, by their names in the configuration
    """

    key: str
    title: str
    remedies: Mapping[str, Remedy]


ONE_LABEL = LabelChoices("single", "one label an item", IMBALANCE)
SEVERAL_LABELS = LabelChoices("multi", "several labels an item", SET_REMEDIES)
LABEL_CHOICES: dict[str, LabelChoices] = {each.key: each for each in (ONE_LABEL, SEVERAL_LABELS)}
