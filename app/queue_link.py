"""A queue as query parameters: the address of the Review page and the requests of the grid name queues the same way."""

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from urllib.parse import urlencode

from curation.queues import CLASS_FILTERS, DECIDED, RANKERS, VERDICT_FILTERS, QueueQuery
from curation.run_index import SUSPECTS
from diagnostics.errors import ProjectError
from diagnostics.task import SPLITS

DEFAULT_SPLIT, DEFAULT_RANKER, DEFAULT_K = "train", "label_quality", 2
UNLABELLED = "unlabelled"
DEFAULT_RANKER_UNLABELLED = "confusion"  # there is no given label that a loss could be measured against

NO_NAMES: Mapping[str, str] = MappingProxyType({})

Params = Mapping[str, Sequence[str]]


def query_of(
    params: Params, *, run_id: str, classes: Sequence[str], former: Mapping[str, str] = NO_NAMES
) -> QueueQuery:
    """The queue that the parameters name; what is not named has its default.

    former : the present name for each name that was a class before, so that an older link still leads
        somewhere; two classes that were merged are no pair any more, and the link shows all pairs

    params : split, by, k, given, predicted, given_with, predicted_with, suspect, suspect_label, pair (twice), like,
        decided, verdict, annotator, search, as_of, blind
    raises : ProjectError naming a value that is unknown
    """
    asked = tuple(params.get("pair", ()))
    if len(asked) not in (0, 2):
        raise ProjectError(f"A confused pair is two classes; the link names {len(asked)}.")
    pair = tuple(former.get(label, label) for label in asked)
    if len(set(asked)) > len(set(pair)):
        pair = ()
    named = {name: _class(params, name, former) for name in CLASS_FILTERS}
    for label in (*pair, *named.values()):
        if label:
            _one_of("class", label, classes)
    split = _one_of("split", _first(params, "split", UNLABELLED if named["like"] else DEFAULT_SPLIT), SPLITS)
    as_of, verdict, suspect = (_first(params, name, "") for name in ("as_of", "verdict", "suspect"))
    return QueueQuery(
        run_id=run_id,
        splits=(split,),
        by=_one_of("ranking", _first(params, "by", _default_ranker(split)), tuple(RANKERS)),
        k=_whole("k", _first(params, "k", str(DEFAULT_K)), low=2),
        suspect=_one_of("filter", suspect, SUSPECTS) if suspect else None,
        pair=(pair[0], pair[1]) if pair else None,
        decided=_one_of("filter", _first(params, "decided", "any"), DECIDED),  # type: ignore[arg-type]
        search=_first(params, "search", ""),
        verdict=_one_of("verdict", verdict, VERDICT_FILTERS) if verdict else None,
        annotator=_first(params, "annotator", "") or None,
        as_of_event=_whole("as_of", as_of, low=0) if as_of else None,
        blind=_share("blind", _first(params, "blind", "0")),
        **{name: label or None for name, label in named.items()},
    )


def params_of(query: QueueQuery) -> dict[str, str | list[str]]:
    """The parameters that `query_of` reads back, without those that have their default, the run and the event."""
    named: dict[str, str | list[str]] = {
        "split": query.splits[0],
        "by": query.by,
        "k": str(query.k),
        "suspect": query.suspect or "",
        "pair": list(query.pair or ()),
        "decided": query.decided,
        "verdict": query.verdict or "",
        "annotator": query.annotator or "",
        "search": query.search,
        "blind": str(query.blind) if query.blind else "",
        **{name: getattr(query, name) or "" for name in CLASS_FILTERS},
    }
    defaults = {
        "split": UNLABELLED if query.like else DEFAULT_SPLIT,
        "by": _default_ranker(query.splits[0]),
        "k": str(DEFAULT_K),
        "decided": "any",
    }
    return {name: value for name, value in named.items() if value and value != defaults.get(name)}


def encoded(query: QueueQuery) -> str:
    """The whole query, with its run and event, as the query string of a request."""
    params = params_of(query) | {"run": query.run_id}
    if query.as_of_event is not None:
        params["as_of"] = str(query.as_of_event)
    return urlencode(params, doseq=True)


def _default_ranker(split: str) -> str:
    return DEFAULT_RANKER_UNLABELLED if split == UNLABELLED else DEFAULT_RANKER


def _class(params: Params, name: str, former: Mapping[str, str]) -> str:
    label = _first(params, name, "")
    return former.get(label, label)


def _first(params: Params, name: str, default: str) -> str:
    values = params.get(name, ())
    return values[0] if values else default


def _one_of(what: str, value: str, known: Sequence[str]) -> str:
    if value not in known:
        raise ProjectError(f"The link names the {what} {value!r}; known are: {', '.join(known)}.")
    return value


def _share(name: str, text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = math.nan
    if not 0 <= share <= 1:
        raise ProjectError(f"The link's {name} must be a share between 0 and 1, found {text!r}.")
    return share


def _whole(name: str, text: str, *, low: int) -> int:
    if not text.isdecimal() or int(text) < low:
        raise ProjectError(f"The link's {name} must be a whole number of at least {low}, found {text!r}.")
    return int(text)
