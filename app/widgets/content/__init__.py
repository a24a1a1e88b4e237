"""What the Data page shows of the content of the items: one entry for each kind of item.

A new modality is a module with a function that draws its section, and a line in SECTIONS.
"""

from collections.abc import Callable

from app.widgets.content.image import image_section
from app.widgets.content.tabular import tabular_section
from app.widgets.content.text import text_section
from curation.project import Project

SECTIONS: dict[str, Callable[[Project], None]] = {
    "image": image_section,
    "text": text_section,
    "tabular": tabular_section,
}


def content_section(project: Project) -> None:
    """Draw the section of the project's kind of items."""
    SECTIONS[project.info.modality](project)
