"""Folders of derived files: whole or not there, one for each source, and nothing left of older ones."""

import threading

import pytest

from curation.derived_files import derived_folder, stamp_of


def fill(folder):
    (folder / "part").write_text("whole")


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_folder_is_made_once_for_a_source_and_replaces_that_of_an_older_one(tmp_path):
    calls = []

    def build(folder):
        calls.append(folder)
        fill(folder)

    first = derived_folder(tmp_path, "items", {"n": 1}, build)
    assert derived_folder(tmp_path, "items", {"n": 1}, build) == first
    other = derived_folder(tmp_path, "items", {"n": 2}, build)
    assert len(calls) == 2
    assert names(tmp_path) == [other.name]


def test_folders_of_other_names_stay(tmp_path):
    one, two = (derived_folder(tmp_path, name, {}, fill) for name in ("run-0001", "run-0001-b"))
    derived_folder(tmp_path, "run-0001", {"n": 2}, fill)
    assert not one.exists()
    assert (two / "part").read_text() == "whole"


def test_what_cannot_be_built_leaves_nothing(tmp_path):
    def build(folder):
        fill(folder)
        raise ValueError("no table")

    with pytest.raises(ValueError, match="no table"):
        derived_folder(tmp_path, "items", {}, build)
    assert names(tmp_path) == []


def test_several_that_build_the_same_at_once_get_one_whole_folder(tmp_path):
    start, found = threading.Barrier(4), []

    def work():
        def build(folder):
            start.wait()
            fill(folder)

        found.append(derived_folder(tmp_path, "items", {}, build))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 1
    assert len(found) == 4
    assert names(tmp_path) == [found[0].name]


def test_what_an_ended_process_left_half_built_is_removed(tmp_path):
    folder = derived_folder(tmp_path, "items", {"n": 1}, fill)
    left = tmp_path / f".{folder.name}.999999999.0badcafe.partial"
    left.mkdir()
    derived_folder(tmp_path, "items", {"n": 2}, fill)
    assert not left.exists()


def test_a_file_that_is_written_anew_has_another_stamp(tmp_path):
    path = tmp_path / "scores"
    path.write_text("a")
    before = stamp_of(path)
    path.write_text("ab")
    assert stamp_of(path) != before
