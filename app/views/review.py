"""Review: a ranked queue as a grid of items, to confirm labels, put them right, or set items aside."""

from dataclasses import replace

import streamlit as st

from app import context
from app.grid import GridData, label_grid
from app.queue_link import encoded, query_of
from app.widgets.gold import gold_banner
from app.widgets.one_class import class_row, pick_class, show_class
from app.widgets.page import empty_state, heading
from app.widgets.queue_filters import queue_filters
from app.widgets.what_if import what_if_line
from curation.cards import card_kind
from curation.project import Project
from curation.queues import RANKERS, Queue, QueueQuery

FROZEN_KEY = "review_frozen"


def show() -> None:
    """The page."""
    project = context.current_project()
    heading(
        "Review",
        "The most suspect items first. Confirm the label, pick the right one, or set the item aside.",
    )
    run_id = context.reviewed_run_id()
    if run_id is None:
        empty_state(
            "There is no finished run yet, so nothing is ranked.",
            page="train",
            action="Train a first model",
            icon=":material/model_training:",
        )
        return
    params = {name: st.query_params.get_all(name) for name in st.query_params}
    query = query_of(
        params, run_id=run_id, classes=project.classes.names, former=project.classes.former_names
    )
    query = pick_class(project, query, params)
    queue_filters(project, query)
    next_class = class_row(project, query)
    what_if_line(project, run_id)
    locked = gold_banner(project) if "test" in query.splits else False
    _grid(project, _frozen(project, query), locked=locked, next_class=next_class)


def _frozen(project: Project, query: QueueQuery) -> QueueQuery:
    """The query as of the moment it was asked for, so that items do not leave the page while they are decided."""
    asked = (context.annotator(), query)
    kept = st.session_state.get(FROZEN_KEY)
    if kept is None or kept[0] != asked:
        kept = (asked, project.decisions.last_event())
        st.session_state[FROZEN_KEY] = kept
    changes_while_deciding = (
        query.decided != "any" or query.verdict is not None or query.annotator is not None
    )
    return replace(query, as_of_event=kept[1]) if changes_while_deciding else query


def _grid(project: Project, query: QueueQuery, *, locked: bool, next_class: str) -> None:
    queue = context.open_view(query)
    if queue.n_left_out and len(queue):
        st.caption(f"{queue.n_left_out:,} items {_left_out(query)}.")
    view = encoded(query)
    label_grid(
        GridData(
            project=context.project_key(),
            token=context.token(),
            classes=project.task.classes,
            card=card_kind(project).name,
            labels=project.label_kind.key,
            view=view,
            query=view,
            by=query.by,
            annotator=context.annotator(),
            subject=_subject(query),
            queue=f"{query.run_id} {query.splits[0]} by {query.order}",
            next_class=next_class,
            locked=locked,
            empty_text=_empty_text(queue),
        ),
        key="label_grid",
        on_renew=lambda: None,
        on_next_class=lambda: show_class(project, next_class),
        on_show_run=_show_newest,
    )


def _subject(query: QueueQuery) -> tuple[str, ...]:
    """The classes that the queue is about."""
    named = query.pair or (query.suspect_label, query.given, query.given_with)
    return tuple(name for name in named if name)


def _show_newest() -> None:
    """The newest run's queue, of what is still to be decided."""
    context.review_newest()
    st.query_params["decided"] = "open"


def _empty_text(queue: Queue) -> str:
    if queue.n_left_out:
        why = _left_out(queue.query)
        return f"{queue.n_left_out:,} items {why}. Rank them by confusion or entropy instead."
    return "No item fits these filters. Widen them above."


def _left_out(query: QueueQuery) -> str:
    if query.like is not None:
        return (
            f"are left out: this run kept no embeddings that say how like the items of {query.like} they are"
        )
    return (
        f"without a label are left out: {RANKERS[query.by].title.lower()} needs a given label to compare with"
    )


if __name__ == "__main__":
    show()
