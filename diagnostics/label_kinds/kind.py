"""What there is to know of a kind of label."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from diagnostics.label_space import LabelSpace, Texts


@dataclass(frozen=True, slots=True)
class LabelKind:
    """How many of the classes an item has, and what follows from it.

    space : what labels can be, of these classes, those of some texts among them
    """

    key: str
    space: Callable[[Sequence[str], Texts], LabelSpace]
