"""The grid's own logic is tested by Node's test runner; this makes it part of the one test command."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

SUITES = sorted(Path(__file__).parent.glob("*.test.mjs"))


def test_the_logic_of_the_grid_holds_outside_a_browser():
    node = shutil.which("node")
    if node is None and not os.environ.get("WINNOW_REQUIRE_BROWSER"):
        pytest.skip("Node is not installed")
    assert node, "Node is required here and not installed"
    assert len(SUITES) >= 3
    done = subprocess.run([node, "--test", *map(str, SUITES)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
