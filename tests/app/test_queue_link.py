"""A queue in a link: what is written is read back, and what makes no sense is refused by name."""

from urllib.parse import parse_qs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.queue_link import encoded, query_of
from curation.queues import DECIDED, RANKERS, VERDICT_FILTERS, QueueQuery
from curation.run_index import SUSPECTS
from diagnostics.errors import ProjectError
from diagnostics.task import SPLITS

CLASSES = ("cat", "dog & fox", "ü")
maybe_class = st.none() | st.sampled_from(CLASSES)

queries = st.builds(
    QueueQuery,
    run_id=st.just("run-0001"),
    splits=st.tuples(st.sampled_from(SPLITS)),
    by=st.sampled_from(list(RANKERS)),
    k=st.integers(2, 9),
    given=maybe_class,
    predicted=maybe_class,
    given_with=maybe_class,
    predicted_with=maybe_class,
    suspect=st.none() | st.sampled_from(SUSPECTS),
    suspect_label=maybe_class,
    pair=st.none() | st.just((CLASSES[0], CLASSES[1])),
    like=maybe_class,
    decided=st.sampled_from(DECIDED),
    search=st.text(max_size=5),
    verdict=st.none() | st.sampled_from(VERDICT_FILTERS),
    annotator=st.none() | st.text(min_size=1, max_size=5),
    as_of_event=st.none() | st.integers(0, 10**9),
    blind=st.floats(0, 1),
)


@given(query=queries)
def test_a_link_is_read_back_as_the_queue_it_was_made_from(query):
    params = parse_qs(encoded(query))
    assert query_of(params, run_id="run-0001", classes=CLASSES) == query


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("verdict", "wrong"),
        ("blind", "1.5"),
        ("blind", "nan"),
        ("blind", "half"),
        ("given", "cow"),
        ("like", "cow"),
        ("suspect", "odd"),
        ("suspect_label", "cow"),
        ("as_of", "-1"),
    ],
)
def test_a_value_that_makes_no_sense_is_named(name, value):
    with pytest.raises(ProjectError, match=value):
        query_of({name: [value]}, run_id="run-0001", classes=CLASSES)
