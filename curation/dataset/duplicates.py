"""Which items belong together - one content, nearly one content, one group - and where that crosses splits."""

import numpy as np
import pandas as pd

from curation.dataset.near_duplicates import PLAIN, Likeness
from diagnostics.task import IntArray

EXACT, NEAR, MIRRORED, GROUP = "exact", "near", "mirrored", "group"
LEAK_KINDS = (EXACT, NEAR, MIRRORED, GROUP)
COPY_KINDS = (EXACT, NEAR, MIRRORED)
HELD_OUT = ("val", "test")
GROUP_PREFIX = " group "  # sorts before content hashes
LEAK_COLUMNS = ("item_id", "split", "other_id", "other_split", "kind", "likeness", "group")


def units_of(items: pd.DataFrame, likeness: Likeness | None) -> pd.Series:
    """The unit of each item: items of one unit must be on one side of every split, and in one fold.

    items : columns content_hash, group; likeness : of these items, None = not looked for
    returns : (n_items,) texts; the content hash of an item that belongs with no other

    Items of one group, of one content, or of contents that look nearly the same are of one unit, and so are items that
    are connected by a chain of such others. A unit is named after the first of its groups, else of its contents.
    """
    content, group = items["content_hash"].astype(object), items["group"]
    nodes = [pd.factorize(content)[0]]
    edges = [_edges_to_first(nodes[0])]
    if group.notna().any():
        edges.append(_edges_to_first(pd.factorize(group)[0]))
    if likeness is not None:
        edges += [_edges_to_first(likeness.look), _edges_between_looks(likeness)]
    named_after = content.where(group.isna(), GROUP_PREFIX + group.astype(object).fillna(""))
    units = named_after.to_numpy(dtype=object, copy=True)
    component = _components(np.concatenate(edges, axis=1), len(items))
    table = pd.DataFrame({"component": component, "name": units, "row": np.arange(len(items))})
    shared = table[table["component"].duplicated(keep=False)].sort_values(["component", "name"])
    first = ~shared["component"].duplicated().to_numpy()
    units[shared["row"]] = shared["name"].to_numpy(dtype=object)[first][np.cumsum(first) - 1]
    return pd.Series(units, index=items.index, dtype="str")


def leaks_of(items: pd.DataFrame, likeness: Likeness | None) -> pd.DataFrame:
    """Each item that belongs with one of the validation or test set, beside the one it is most like: LEAK_COLUMNS.

    items : columns item_id, split, content_hash, group; likeness : of these items, None = only equal files and groups
    likeness in the table : in [0, 1], 1 for equal files; NaN for items that share no more than their group

    An item of train or of the unlabelled ones can be in two rows, one for validation and one for test; an item of
    validation can be in one, for test. The kinds come in the order of LEAK_KINDS, the most alike first.
    """
    table = items[["item_id", "split", "content_hash", "group"]].reset_index(drop=True)
    found = [_sharing(table, table["content_hash"], EXACT, 1.0)]
    if likeness is not None:
        look = pd.Series(likeness.look).where(likeness.look != PLAIN)
        found += [_sharing(table, look, NEAR, 1.0), _across_looks(table, likeness)]
    found.append(_sharing(table, table["group"], GROUP, np.nan))
    pairs = pd.concat(found, ignore_index=True)
    rank = pairs["kind"].map({kind: number for number, kind in enumerate(LEAK_KINDS)})
    pairs = pairs.assign(rank=rank).sort_values(
        ["rank", "likeness", "row", "other"], ascending=[True, False, True, True], kind="stable"
    )
    other_split = table["split"].to_numpy(dtype=object)[pairs["other"]]
    pairs = pairs.assign(other_split=other_split).drop_duplicates(["row", "other_split"])
    row, other = pairs["row"].to_numpy(), pairs["other"].to_numpy()
    columns = {
        "item_id": table["item_id"].to_numpy(dtype=object)[row],
        "split": table["split"].to_numpy(dtype=object)[row],
        "other_id": table["item_id"].to_numpy(dtype=object)[other],
        "other_split": pairs["other_split"].to_numpy(),
        "kind": pairs["kind"].to_numpy(dtype=object),
        "likeness": pairs["likeness"].to_numpy(dtype=np.float64),
        "group": table["group"].where(table["group"].notna(), None).to_numpy(dtype=object)[other],
    }
    texts = dict.fromkeys((name for name in LEAK_COLUMNS if name != "likeness"), "str")
    return pd.DataFrame(columns, columns=list(LEAK_COLUMNS)).astype(texts)


SAID = {
    EXACT: "the same {noun} as {other}",
    NEAR: "nearly the same {noun} as {other}",
    MIRRORED: "nearly the mirror image of {other}",
    GROUP: "of group {group!r}, like {other}",
}


def said_of_leak(kind: str, other_id: str, other_split: str, group: str | None, *, noun: str) -> str:
    """What an item is to the held-out one that it belongs with, as the end of a sentence. noun : of one item

    >>> said_of_leak("near", "te/1.png", "test", None, noun="image")
    'nearly the same image as te/1.png (test)'
    """
    return SAID[kind].format(other=f"{other_id} ({other_split})", group=group, noun=noun)


def barred_by(leaks: pd.DataFrame, noun: str) -> dict[str, str]:
    """The unlabelled items that may not join the training set, and what they are to a held-out item.

    leaks : LEAK_COLUMNS; noun : what one item is called
    """
    unlabelled = leaks[leaks["split"] == "unlabelled"].drop_duplicates("item_id")
    columns = (unlabelled[name] for name in ("item_id", "kind", "other_id", "other_split", "group"))
    return {item_id: said_of_leak(*rest, noun=noun) for item_id, *rest in zip(*columns, strict=True)}


def _components(edges: IntArray, n: int) -> IntArray:
    """(n,), equal for rows that edges connect, directly or through others. edges : (2, n_edges)"""
    first, second = edges[:, edges[0] != edges[1]]
    if not len(first):
        return np.arange(n)
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    graph = coo_array((np.ones(len(first), dtype=np.int8), (first, second)), shape=(n, n))
    component: IntArray = connected_components(graph, directed=False)[1]
    return component


def _edges_to_first(numbers: IntArray) -> IntArray:
    """(2, n) edges from each row to the first row of its number; rows with numbers below 0 have none."""
    rows = np.flatnonzero(numbers >= 0)
    _, first, place = np.unique(numbers[rows], return_index=True, return_inverse=True)
    return np.stack([rows, rows[first[place]]])


def _edges_between_looks(likeness: Likeness) -> IntArray:
    looks, first_row = np.unique(likeness.look, return_index=True)
    row_of = dict(zip(looks.tolist(), first_row.tolist(), strict=True))
    pairs = (likeness.first.tolist(), likeness.second.tolist())
    edges: IntArray = np.array([[row_of[look] for look in side] for side in pairs], dtype=np.int64)
    return edges.reshape(2, -1)


def _sharing(table: pd.DataFrame, key: pd.Series, kind: str, likeness: float) -> pd.DataFrame:
    """Items beside the first validation and test item with the same key; columns row, other, likeness, kind."""
    keyed = pd.DataFrame({"key": key, "split": table["split"], "row": np.arange(len(table))})
    keyed = keyed[keyed["key"].notna() & keyed["key"].duplicated(keep=False)]
    return _beside_held_out(keyed, keyed.assign(likeness=likeness, kind=kind), "key")


def _across_looks(table: pd.DataFrame, likeness: Likeness) -> pd.DataFrame:
    """The same for items whose looks are nearly the same."""
    both = pd.DataFrame(
        {
            "look": np.concatenate([likeness.first, likeness.second]),
            "other_look": np.concatenate([likeness.second, likeness.first]),
            "likeness": np.tile(likeness.cosine.astype(np.float64), 2),
            "kind": np.tile(np.where(likeness.mirrored, MIRRORED, NEAR), 2).astype(object),
        }
    )
    shown = pd.DataFrame({"look": likeness.look, "split": table["split"], "row": np.arange(len(table))})
    asking = shown.merge(both, on="look")
    return _beside_held_out(shown.rename(columns={"look": "other_look"}), asking, "other_look")


def _beside_held_out(known: pd.DataFrame, asking: pd.DataFrame, on: str) -> pd.DataFrame:
    held_out = known[known["split"].isin(HELD_OUT)].drop_duplicates([on, "split"])
    held_out = held_out.rename(columns={"row": "other", "split": "other_split"})
    pairs = asking[asking["split"] != "test"].merge(held_out[[on, "other", "other_split"]], on=on)
    return pairs.loc[pairs["split"] != pairs["other_split"], ["row", "other", "likeness", "kind"]]
