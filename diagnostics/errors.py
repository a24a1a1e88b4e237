"""Every error that Winnow raises on purpose.

    WinnowError
    ├── DataError          the source data cannot be taken in as it is
    │   └── ImageError     one file is not a usable image
    ├── ProjectError       a folder is not a project, or the project cannot do this now
    │   ├── StaleTextError a text that a person wants to change was changed by someone else since they read it
    │   └── StorageError   the project's database cannot be read or written: locked, full, read-only, damaged or away
    ├── DecisionError      a decision names an unknown item or class, or a locked item
    ├── ClassError         a class cannot be added, renamed or merged in this way
    ├── RunError           a run is missing, unfinished or unreadable
    │   └── RunGoneError   a run was there and has been removed
    ├── ConfigError        a training option is unknown or out of range
    ├── WeightsError       pretrained weights were asked for and cannot be had
    └── Cancelled          a person stopped the work; nothing is wrong

The command line shows a `WinnowError` as one line on stderr and exits with 1; pages show it once, with its text.
The message says what, where, what was expected, what was found and what to do.
"""


class WinnowError(Exception):
    """Something a person can put right; the text says how."""


class DataError(WinnowError):
    """The source data cannot be taken in as it is."""


class ImageError(DataError):
    """One file is not a usable image. `code` is the stable name of the finding it becomes."""

    def __init__(self, message: str, *, code: str) -> None:
        super().__init__(message)
        self.code = code

    def __reduce__(self) -> tuple[object, ...]:
        return _image_error, (str(self), self.code)


def _image_error(message: str, code: str) -> ImageError:
    return ImageError(message, code=code)


class ProjectError(WinnowError):
    """A folder is not a project, or the project cannot do this now."""


class StaleTextError(ProjectError):
    """A text that a person wants to change was changed by someone else since they read it; theirs is not kept."""


class StorageError(ProjectError):
    """The project's database cannot be read or written; nothing of what was asked for is kept."""


class DecisionError(WinnowError):
    """A decision names an unknown item or class, or a locked item."""


class ClassError(WinnowError):
    """A class cannot be added, renamed or merged in this way."""


class RunError(WinnowError):
    """A run is missing, unfinished or unreadable."""


class RunGoneError(RunError):
    """A run was there and has been removed."""


class ConfigError(WinnowError):
    """A training option is unknown or out of range."""


class WeightsError(WinnowError):
    """Pretrained weights were asked for and cannot be had."""


class Cancelled(WinnowError):  # noqa: N818 - a request that was granted, not a failure
    """A person stopped the work; nothing is wrong."""
