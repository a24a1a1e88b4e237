"""Leaks between splits: which items belong with held-out ones, and leaving the training copies out of training.

What is left out is a decision like any other, kept under a name of its own: it is counted, shows with its reason, and
can be taken back at any time without touching what people have decided since.
"""

from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pandas as pd

from curation.dataset.duplicates import LEAK_COLUMNS, LEAK_KINDS, said_of_leak
from curation.decisions.events import ADDED, BAD_ITEM, EXCLUDED, Decision, ItemState
from curation.decisions.store import ActResult
from curation.project import Project
from curation.rounds import dataset_version, decide_at_import, is_untouched
from diagnostics.errors import DecisionError
from diagnostics.task import SPLITS

GUARD = "leak guard"
QUEUE = "leaks between splits"
MOST_AT_IMPORT = 0.5
PAIR_COLUMNS = (*LEAK_COLUMNS, "said", "in_training", "left_out")
COUNT_COLUMNS = ("kind", "split", "other_split", "n_items", "n_in_training", "meaning")
MEANINGS = {
    ("train", "val"): "The model learns what validation asks: validation looks better than it is.",
    ("train", "test"): "The model learns what the gold test set asks: the test looks better than it is.",
    ("val", "test"): "Nothing is learnt from either; but the two agree more than two independent sets would.",
    ("unlabelled", "val"): "No harm as long as they are not trained on: labelling one is refused.",
    ("unlabelled", "test"): "No harm as long as they are not trained on: labelling one is refused.",
}


@dataclass(frozen=True)
class LeakReport:
    """What is known of leaks, as of now.

    pairs : PAIR_COLUMNS; `said` is what the item is to the other one, in_training : it is trained on as decided now,
        left_out : the leak guard's decision stands
    counts : COUNT_COLUMNS, by kind and pair of splits, those that occur; n_items of the first split
    n_items : among how many items was looked; near_looked_for : False for a project of an older Winnow
    n_waiting : items that are left out, but not yet in the newest dataset version, because their round is open
    """

    pairs: pd.DataFrame
    counts: pd.DataFrame
    n_items: int
    near_looked_for: bool
    n_waiting: int

    @property
    def n_in_training(self) -> int:
        """How many items are trained on although validation or test hold out what they belong with."""
        return int(self.pairs.loc[self.pairs["in_training"], "item_id"].nunique())

    def meaning(self, split: str, other_split: str) -> str:
        """What it means that items of one split belong with items of the other."""
        return MEANINGS[split, other_split]

    @property
    def n_left_out(self) -> int:
        """How many items the leak guard leaves out."""
        return int(self.pairs.loc[self.pairs["left_out"], "item_id"].nunique())


def read_leaks(project: Project) -> LeakReport:
    """The leaks of a project, and which of them concern the next training."""
    leaks = project.leaks
    states = project.decisions.states(leaks["item_id"].drop_duplicates().tolist())
    of_pair = [states[item_id] for item_id in leaks["item_id"]]
    columns = (leaks[name] for name in ("kind", "other_id", "other_split", "group"))
    pairs = leaks.assign(
        said=[said_of_leak(*row, noun=project.modality.noun) for row in zip(*columns, strict=True)],
        in_training=[
            _in_training(split, state) for split, state in zip(leaks["split"], of_pair, strict=True)
        ],
        left_out=[state.annotator == GUARD and state.status == EXCLUDED for state in of_pair],
    )
    pairs = pairs.astype({"said": "str", "in_training": "bool", "left_out": "bool"})
    fixed = dataset_version(project).event
    left_out = pairs.loc[pairs["left_out"], "item_id"].drop_duplicates()
    return LeakReport(
        pairs[list(PAIR_COLUMNS)],
        _counts(pairs),
        len(project.item_index),
        project.near_looked_for,
        n_waiting=sum(states[item_id].event > fixed for item_id in left_out),
    )


def leave_out(project: Project, *, annotator: str, now: datetime) -> ActResult:
    """Leave the training items that leak out of training, as one act that `take_back` undoes.

    Where nothing was decided or trained yet, this belongs to version 0 of the dataset; else to the open round.
    annotator : who asked for it; kept with every decision
    raises : DecisionError if nobody is named
    """
    if not annotator.strip():
        raise DecisionError("Leaving items out names who does it; the annotator is empty.")
    pairs = read_leaks(project).pairs
    leaking = pairs[pairs["in_training"]].groupby("item_id", sort=False)["said"].agg(" and ".join)
    decisions = [
        Decision(
            str(item_id),
            BAD_ITEM,
            note=f"Left out of training: it is {said}. Asked for by {annotator.strip()}.",
            queue=QUEUE,
        )
        for item_id, said in leaking.items()
    ]
    if decisions and is_untouched(project):
        return decide_at_import(project, decisions, annotator=GUARD, now=now)
    return project.decisions.decide(decisions, annotator=GUARD, now=now)


def leave_out_at_import(project: Project, *, annotator: str, now: datetime) -> ActResult | None:
    """`leave_out` for a new project; None, and nothing is done, if that were MOST_AT_IMPORT of the training items.

    With so many, it is the split that is wrong, and a person must decide.
    """
    n_train = int(np.count_nonzero(project.item_index.split == SPLITS.index("train")))
    if read_leaks(project).n_in_training > MOST_AT_IMPORT * n_train:
        return None
    return leave_out(project, annotator=annotator, now=now)


def take_back(project: Project, *, now: datetime) -> int:
    """Undo everything the leak guard has done; returns how many items can be trained on again.

    An item that a person has decided on since is left as they decided.
    """
    n_changed = 0
    while (result := project.decisions.undo(GUARD, now)) is not None:
        n_changed += result.n_changed
    return n_changed


def _in_training(split: str, state: ItemState) -> bool:
    return state.status != EXCLUDED and (split == "train" or state.status == ADDED)


def _counts(pairs: pd.DataFrame) -> pd.DataFrame:
    counted = pairs.groupby(["kind", "split", "other_split"], sort=False)
    counts = counted.agg(n_items=("item_id", "nunique"), n_in_training=("in_training", "sum")).reset_index()
    meanings = [MEANINGS[pair] for pair in zip(counts["split"], counts["other_split"], strict=True)]
    order = {kind: number for number, kind in enumerate(LEAK_KINDS)} | {
        split: number for number, split in enumerate(SPLITS)
    }
    counts = counts.assign(meaning=pd.Series(meanings, dtype="str"))[list(COUNT_COLUMNS)]
    return counts.sort_values(
        ["split", "other_split", "kind"], key=lambda column: column.map(order), ignore_index=True
    )
