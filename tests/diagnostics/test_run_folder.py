import json
from datetime import UTC, datetime

import pytest

from diagnostics.errors import RunError
from diagnostics.run_folder import RunInfo, read_run_folder, write_run_info
from diagnostics.training.config import TrainConfig

INFO = RunInfo(
    run_id="run-0001",
    created_at=datetime(2026, 11, 1, 12, 0, tzinfo=UTC),
    finished_at=datetime(2026, 11, 1, 12, 1, tzinfo=UTC),
    seconds=60.0,
    config=TrainConfig(),
    resolved=TrainConfig(arch="small_cnn", epochs=3),
    classes=("cat", "dog"),
    dataset_version={"number": 0, "fingerprint": "abc", "event": 0},
    device="cpu",
    n_threads=2,
    versions={"torch": "2"},
    n_train=10,
    n_folds=5,
    in_sample=False,
    arch="small_cnn",
    pretrained=False,
    notes=("A note.",),
)


def test_what_a_run_was_comes_back_from_its_folder(tmp_path):
    write_run_info(tmp_path, INFO)
    assert read_run_folder(tmp_path).info == INFO


def test_a_folder_without_run_json_is_not_a_finished_run(tmp_path):
    with pytest.raises(RunError, match=r"no run\.json"):
        read_run_folder(tmp_path)


def test_a_run_of_a_newer_winnow_is_refused(tmp_path):
    (tmp_path / "run.json").write_text(json.dumps(INFO.to_json() | {"format_version": 99}))
    with pytest.raises(RunError, match="newer Winnow"):
        read_run_folder(tmp_path)


def test_a_missing_field_is_named(tmp_path):
    values = INFO.to_json()
    del values["device"]
    (tmp_path / "run.json").write_text(json.dumps(values))
    with pytest.raises(RunError, match="device"):
        read_run_folder(tmp_path)


def test_a_run_with_a_learning_rate_set_by_hand_has_an_empty_finder_curve(tmp_path):
    write_run_info(tmp_path, INFO)
    assert list(read_run_folder(tmp_path).lr_finder.columns) == ["lr", "loss", "chosen"]
