"""The databases that a project's tables can be in: one file each."""

from curation.backends.backend import Backend
from curation.backends.postgresql import POSTGRESQL
from curation.backends.sqlite import SQLITE

BACKENDS: dict[str, Backend] = {backend.name: backend for backend in (SQLITE, POSTGRESQL)}
