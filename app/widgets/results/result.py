"""What a kind of label brings to the Performance page."""

from collections.abc import Callable
from dataclasses import dataclass

from curation.reports import ClassThresholds, LabelledPredictions


@dataclass(frozen=True, slots=True)
class Result:
    """One kind of label on the Performance page.

    thresholds_text : (the run's thresholds) -> a line on where they are from
    confusions : draws which classes are taken for which, below the table of classes
    """

    thresholds_text: Callable[[ClassThresholds], str]
    confusions: Callable[[LabelledPredictions], None]
