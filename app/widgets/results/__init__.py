"""What the Performance page shows of one kind of label: an entry for each.

A new kind of label is a module with a value of this kind, and a line in RESULTS.
"""

from app.widgets.results.multi import several_labels
from app.widgets.results.result import Result
from app.widgets.results.single import one_label

RESULTS: dict[str, Result] = {"single": one_label, "multi": several_labels}
