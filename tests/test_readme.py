"""The README's example is run as it stands."""

import re
import shlex
from pathlib import Path

README = Path(__file__).parents[1] / "README.md"


def example_commands() -> list[list[str]]:
    block = re.search(r"<!-- example -->\n```sh\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    assert block, "the README has lost its example"
    return [shlex.split(line) for line in block.group(1).splitlines()]


def test_every_command_of_the_example_works_in_order(tmp_path, run_winnow, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for program, *arguments in example_commands():
        assert program == "winnow"
        run_winnow(*arguments)
    assert (tmp_path / "curated.csv").is_file()
    assert (tmp_path / "changes.csv").is_file()
