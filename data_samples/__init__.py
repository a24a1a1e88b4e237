"""Small datasets that ship with Winnow, and the scripts that make them again byte for byte."""

from pathlib import Path


def digits_folder() -> Path:
    """The folder of the digits, wherever Winnow is installed."""
    return Path(__file__).parent / "digits"


def queries_folder() -> Path:
    """The folder of the product search queries."""
    return Path(__file__).parent / "queries"


def biopsies_folder() -> Path:
    """The folder of the table of biopsies."""
    return Path(__file__).parent / "biopsies"


def digit_sets_folder() -> Path:
    """The folder of the pictures with several digits each."""
    return Path(__file__).parent / "digit_sets"
