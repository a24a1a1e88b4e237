from diagnostics import environment
from diagnostics.environment import NOT_AVAILABLE, OK, PROBLEM, check_environment


def test_every_check_gives_one_of_three_outcomes():
    findings = check_environment()
    assert len({finding.name for finding in findings}) == len(findings)
    assert {finding.outcome for finding in findings} <= {OK, PROBLEM, NOT_AVAILABLE}


def test_torch_and_torchvision_of_this_environment_fit():
    assert environment.check_torchvision_pairing().outcome == OK


def test_a_torchvision_that_does_not_fit_is_a_problem_with_a_remedy(monkeypatch):
    def broken(name):
        raise RuntimeError("operator torchvision::nms does not exist")

    monkeypatch.setattr(environment.importlib, "import_module", broken)
    finding = environment.check_torchvision_pairing()
    assert finding.outcome == PROBLEM
    assert "nms does not exist" in finding.detail
    assert "one index" in finding.remedy


def test_weights_in_a_cache_are_counted(monkeypatch, tmp_path):
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    (folder / "resnet18-f37072fd.pth").touch()
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    assert f"{folder}: 1 files" in environment.check_weight_caches().detail
