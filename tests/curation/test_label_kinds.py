"""Each kind of label has an entry wherever one is looked up, and names only what there is."""

import numpy as np
import pytest

from curation import bulk
from curation.label_kinds import LABEL_KINDS
from curation.label_kinds.multi import SEVERAL_LABELS
from curation.queues import CLASS_FILTERS, PAGE_COLUMNS
from diagnostics.label_kinds import LABEL_KINDS as LEARNT_KINDS
from diagnostics.metric_names import METRICS
from diagnostics.task import NO_LABEL
from diagnostics.training.label_choices import LABEL_CHOICES


def test_every_kind_can_be_chosen_learnt_and_reviewed():
    assert list(LABEL_CHOICES) == list(LEARNT_KINDS) == list(LABEL_KINDS)


@pytest.mark.parametrize("kind", LABEL_KINDS.values(), ids=list(LABEL_KINDS))
def test_a_kind_names_only_what_there_is(kind):
    assert set(kind.changes) <= set(bulk.OF_A_CLASS)
    assert set(kind.own_columns) <= set(PAGE_COLUMNS)
    assert kind.class_filter in CLASS_FILTERS
    space = LEARNT_KINDS[kind.key].space(("cat", "dog"), ["cat", "dog"])
    codes = np.array([0, 1, NO_LABEL])
    assert set(kind.compared) <= set(kind.totals(space, codes, codes)) <= set(METRICS)


def test_a_class_is_added_to_a_set_and_removed_from_it_once():
    classes = ("cat", "dog", "fox")
    add, remove = (SEVERAL_LABELS.changes[choice] for choice in (bulk.ADD, bulk.REMOVE))
    assert [add(label, "cat", classes) for label in (None, "(none)", "dog", "cat|dog")] == [
        "cat",
        "cat",
        "cat|dog",
        None,
    ]
    assert [remove(label, "cat", classes) for label in (None, "dog", "cat", "cat|fox")] == [
        None,
        None,
        "(none)",
        "fox",
    ]
