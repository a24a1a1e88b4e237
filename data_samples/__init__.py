"""Small datasets that ship with Winnow, and the scripts that make them again byte for byte."""

from pathlib import Path


def digits_folder() -> Path:
    """The folder of the digits, wherever Winnow is installed."""
    return Path(__file__).parent / "digits"
