"""The versions of formats on disk: what a newer Winnow wrote is refused, and never half understood."""

from pathlib import Path

from diagnostics.errors import RunError, WinnowError


def refuse_newer(path: Path, found: int, known: int, *, error: type[WinnowError] = RunError) -> None:
    """raises : `error` if what lies at `path` has a later format than the last one that is known here"""
    if found > known:
        raise error(f"{path} has format {found}, this Winnow reads up to {known}. Install a newer Winnow.")
