"""Items on disk: found by id, read by row, made anew when the item table is another one."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation import item_index
from curation.item_index import contain, offsets_and_bytes, open_items
from curation.modalities.image import IMAGE
from curation.project import ITEMS_FILE, Project
from diagnostics.errors import ProjectError
from diagnostics.task import Task

ids = st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=4), max_size=60)


@settings(max_examples=10)
@given(known=ids, asked=ids)
def test_every_id_is_found_in_its_row_and_no_other_is(make_project, known, asked):
    names = list(dict.fromkeys([*known, "a"]))
    items = make_project([(name, "train", "cat") for name in names]).item_index
    wanted = [*asked, *names]
    expected = [names.index(name) if name in names else -1 for name in wanted]
    assert items.rows_of(wanted).tolist() == expected
    assert items._rows_of_many(wanted).tolist() == expected
    assert [int(items.rows_of([name])[0]) for name in wanted] == expected
    assert [names[row] for row in np.argsort(items.ranks_by_id())] == sorted(names)


@settings(max_examples=100)
@given(
    known=st.lists(st.text(st.sampled_from("abA/Ü漢"), max_size=6), max_size=20),
    asked=st.text(st.sampled_from("abA/Ü漢"), max_size=3),
)
def test_a_text_is_found_in_whatever_case_and_never_across_two_texts(known, asked):
    offsets, text = offsets_and_bytes(pa.array([name.lower() for name in known], pa.large_string()))
    pattern = np.frombuffer(asked.lower().encode(), dtype=np.uint8)
    assert contain(text, offsets, pattern).tolist() == [asked.lower() in name.lower() for name in known]


def test_the_item_table_is_what_was_taken_in(project):
    assert project.items["item_id"].tolist() == ["a", "b", "c", "d", "v", "t", "u", "w"]
    assert project.items["given_label"].isna().tolist() == [False] * 6 + [True] * 2
    assert project.item_index.given.tolist() == [0, 1, 2, 0, 1, 2, -1, -1]
    assert project.item_index.split.tolist() == [0, 0, 0, 0, 1, 2, 3, 3]


def test_a_change_to_a_column_that_was_read_does_not_reach_the_files(project):
    split = project.items["split"].copy()
    split.iloc[0] = "val"
    assert Project.open(project.folder).items["split"].iloc[0] == "train"
    with pytest.raises(ValueError, match="read-only"):
        project.item_index.split[0] = 1


def test_the_files_are_made_once_and_again_for_another_table(project, monkeypatch):
    built = []
    build = item_index._build
    monkeypatch.setattr(item_index, "_build", lambda *args: (built.append(args), build(*args)))
    assert len(Project.open(project.folder).items) == 8
    assert len(Project.open(project.folder).items) == 8
    project.items.iloc[:3].to_parquet(project.folder / ITEMS_FILE, index=False)
    assert len(Project.open(project.folder).items) == 3
    assert len(built) == 2
    assert len(list(project.cache_dir.glob("items-*"))) == 1


def test_a_label_that_is_no_class_is_told(project):
    with pytest.raises(ProjectError, match="none of the 1 classes: cat, dog"):
        open_items(
            project.folder / ITEMS_FILE,
            Task("image", "single", ("fox",)),
            project.cache_dir,
            searched=IMAGE.searched,
        )
    assert not [path for path in project.cache_dir.iterdir() if path.name.endswith("partial")]


def test_an_item_table_that_cannot_be_read_is_told(project):
    (project.folder / ITEMS_FILE).write_bytes(b"no table")
    with pytest.raises(ProjectError, match=r"items\.parquet cannot be read.*from a backup"):
        len(Project.open(project.folder).items)
