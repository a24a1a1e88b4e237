"""The filters of a queue in one compact row; the address of the page holds their state."""

from collections.abc import Callable, Mapping, Sequence

import streamlit as st

from app import context
from app.widgets.blind_check import blind_check
from app.widgets.one_class import MIXED, OF_A_CLASS
from app.widgets.page import SPLIT_NAMES, escape
from curation.cards import card_kind
from curation.project import Project
from curation.queues import NO_VERDICT, RANKERS, QueueQuery, Suspect

ANY = ""
MORE_KEY, SUSPECT_KEY, PAIR_KEY, MAX_PAIRS = "review_more", "review_suspect", "review_pair", 40
DECIDED_NAMES = {"any": "All", "open": "Open", "decided": "Decided"}
SUSPECT_HELP = (
    "What may be wrong with the labels of an item: one that it lacks, or one that it has too many, of any class or of "
    "one. Each item counts for its most suspect label."
)
WITH_NAMES = {
    "given_with": "Only items that are labelled with **{}**, too",
    "predicted_with": "Only items that are predicted to have **{}**, too",
}
VERDICT_NAMES = {
    ANY: "Any",
    NO_VERDICT: "No decision",
    "label_right": "Label is right",
    "label_wrong": "Relabelled",
    "labelled": "Labelled",
    "ambiguous": "Unsure",
    "out_of_scope": "Out of scope",
    "bad_item": "Excluded",
}
WIDTHS = {
    "split": 1.9,
    "by": 1.5,
    "k": 0.9,
    "given": 1.5,
    "predicted": 1.5,
    "suspect": 1.5,
    "decided": 1.5,
    "search": 1.2,
    "more": 1.1,
}


def queue_filters(project: Project, query: QueueQuery) -> None:
    """Draw the filters as the query sets them; a change writes the address and starts at page 1."""
    counts = context.open_view(query).counts()
    names = [name for name in WIDTHS if name not in _not_asked(query, counts)]
    with st.container(key="queue_filters"):
        row = st.columns([WIDTHS[name] for name in names], gap="xsmall", vertical_alignment="bottom")
    columns = dict(zip(names, row, strict=True))
    classes = [ANY, *project.task.classes]
    with columns["split"]:
        _select("split", "Split", list(SPLIT_NAMES), query.splits[0], counts["split"], SPLIT_NAMES)
    if "by" in columns:
        with columns["by"]:
            titles = {name: ranker.title for name, ranker in RANKERS.items()}
            _select("by", "Ranked by", list(RANKERS), query.by, {}, titles, RANKERS[query.by].explanation)
    if "k" in columns:
        with columns["k"]:
            _number("k", query.k, high=context.open_view(query).max_k)
    with columns["given"]:
        _select("given", "Given label", classes, query.given or ANY, counts["given"], {ANY: "Any"})
    with columns["predicted"]:
        _select("predicted", "Predicted", classes, query.predicted or ANY, counts["predicted"], {ANY: "Any"})
    if "suspect" in columns:
        with columns["suspect"]:
            _suspect_filter(query)
    with columns["decided"]:
        _select("decided", "Decided", list(DECIDED_NAMES), query.decided, counts["decided"], DECIDED_NAMES)
    with columns["search"]:
        key = _set("search", query.search)
        title = f"{card_kind(project).searched.capitalize()} contains"
        st.text_input(title, key=key, on_change=_write, args=("search",), placeholder="any", max_chars=200)
    with columns["more"]:
        _more_filters(project, query, counts)
    if query.pair is not None:
        _note("Only the confused pair **{} ↔ {}**", query.pair, "pair", "Show all")
    for name, text in WITH_NAMES.items():
        if (beside := getattr(query, name)) is not None:
            _note(text, (beside,), name, "Show all")
    if query.like is not None:
        _note(
            "Unlabelled items, those most like the known items of **{}** first",
            (query.like,),
            "like",
            "Rank by the model instead",
        )


def _not_asked(query: QueueQuery, counts: Mapping[str, Mapping[str, int]]) -> tuple[str, ...]:
    """The filters that have no place in this queue."""
    asked = query.suspect or query.suspect_label
    none_suspect = () if counts["suspect"] or asked else ("suspect",)
    if query.like is not None:
        return ("by", "k", *none_suspect)
    return none_suspect if query.by == "confusion" else ("k", *none_suspect)


def _more_filters(project: Project, query: QueueQuery, counts: Mapping[str, Mapping[str, int]]) -> None:
    """What is asked for less often: the verdict that stands, whose it is, and the blind check."""
    n_set = sum(bool(value) for value in (query.pair, query.verdict, query.annotator, query.blind))
    popover = st.popover(
        f"More ({n_set})" if n_set else "More", key=MORE_KEY, width="stretch", on_change="rerun"
    )
    if not popover.open:
        return  # what is in it takes a look at every decision
    with popover:
        _select(
            "verdict", "Verdict", list(VERDICT_NAMES), query.verdict or ANY, counts["verdict"], VERDICT_NAMES
        )
        _pair_filter(query)
        people = [ANY, *counts["annotator"]]
        if query.annotator is not None and query.annotator not in people:
            people.append(query.annotator)
        _select(
            "annotator", "Decided by", people, query.annotator or ANY, counts["annotator"], {ANY: "Anyone"}
        )
        st.divider()
        blind_check(project, query)


def _suspect_filter(query: QueueQuery) -> None:
    """What may be wrong with which of an item's labels, with how many items each has."""
    counts = context.open_view(query).suspect_counts()
    chosen: Suspect = (query.suspect, query.suspect_label)
    options: list[Suspect] = [(None, None), *counts]
    st.session_state[SUSPECT_KEY] = chosen
    st.selectbox(
        "Suspect",
        options if chosen in options else [*options, chosen],
        key=SUSPECT_KEY,
        format_func=lambda each: _suspect_text(each, counts.get(each, 0)),
        on_change=_write_suspect,
        help=SUSPECT_HELP,
    )


def _suspect_text(suspect: Suspect, n: int) -> str:
    """
    >>> _suspect_text(("missing", None), 31), _suspect_text(("missing", "cat"), 12), _suspect_text((None, None), 0)
    ('Missing (31)', 'cat missing (12)', 'Any')
    """
    kind, name = suspect
    text = " ".join(each for each in (name, kind) if each) if name else (kind or "any").capitalize()
    return f"{text} ({n:,})" if any(suspect) else text


def _write_suspect() -> None:
    kind, name = st.session_state[SUSPECT_KEY]
    for each in ("suspect", "suspect_label", MIXED, "page"):
        _drop(each)
    st.query_params.update(
        {key: value for key, value in (("suspect", kind), ("suspect_label", name)) if value}
    )
    if not name:
        st.query_params[MIXED] = "1"


def _pair_filter(query: QueueQuery) -> None:
    """The classes that are confused most, both ways together, with how many items each pair has."""
    found = context.open_view(query).pair_counts().head(MAX_PAIRS)
    counts = {(row["first"], row["second"]): int(row["n"]) for row in found.to_dict("records")}
    pairs: list[tuple[str, ...]] = [(), *counts]
    chosen = next((pair for pair in pairs if set(pair) == set(query.pair or ())), query.pair or ())
    st.session_state[PAIR_KEY] = chosen
    st.selectbox(
        "Confused pair",
        pairs if chosen in pairs else [*pairs, chosen],
        key=PAIR_KEY,
        format_func=lambda pair: f"{' ↔ '.join(pair)} ({counts.get(pair, 0):,})" if pair else "Any",
        on_change=_write_pair,
    )


def _write_pair() -> None:
    pair = st.session_state[PAIR_KEY]
    for name in ("pair", *OF_A_CLASS, "page"):
        _drop(name)
    if pair:
        st.query_params["pair"] = list(pair)


def _select(
    name: str,
    title: str,
    options: list[str],
    value: str,
    counts: Mapping[str, int],
    names: Mapping[str, str],
    help_text: str | None = None,
) -> None:
    key = _set(name, value)
    st.selectbox(
        title,
        options,
        key=key,
        format_func=_counted(names, counts),
        on_change=_write,
        args=(name,),
        help=help_text,
    )


def _counted(names: Mapping[str, str], counts: Mapping[str, int]) -> Callable[[str], str]:
    def text(option: str) -> str:
        shown = names.get(option, option)
        return f"{shown} ({counts[option]:,})" if option in counts else shown

    return text


def _number(name: str, value: int, *, high: int) -> None:
    key = _set(name, min(value, high))
    st.number_input(
        "k",
        2,
        high,
        key=key,
        on_change=_write,
        args=(name,),
        help="The largest minus the k-th largest probability.",
    )


def _note(text: str, labels: Sequence[str], name: str, way_out: str) -> None:
    """Say what else narrows the queue, and offer to drop it."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(text.format(*map(escape, labels)), width="content")
        st.button(
            way_out,
            key=f"review_drop_{name}",
            on_click=_drop,
            args=(name,),
            type="tertiary",
            icon=":material/close:",
        )


def _set(name: str, value: object) -> str:
    """The address is the truth: put its value into the widget before it is drawn."""
    key = f"review_{name}"
    st.session_state[key] = value
    return key


def _write(name: str) -> None:
    value = str(st.session_state[f"review_{name}"]).strip()
    _drop("page")
    if value:
        st.query_params[name] = value
    else:
        _drop(name)
    if name == "split":
        for other in ("like", "given", "given_with", "suspect", "suspect_label"):
            _drop(other)  # another split has other suspects, and unlabelled items have no given label at all
    if name == "given":
        _drop(MIXED)
        if not value:
            st.query_params[MIXED] = "1"


def _drop(name: str) -> None:
    if name in st.query_params:
        del st.query_params[name]
