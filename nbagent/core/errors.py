"""Failures that a person meets: each is one sentence that says what happened, what was kept and what to do next."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """Exit codes of every command; `nbagent sandbox` gives 0, 1, 124 and 125 the meaning of the code it ran."""

    DONE = 0
    STILL_BROKEN = 1
    USAGE = 2
    CANNOT_CONFINE = 3
    MODEL_UNREACHABLE = 4
    TIME_LIMIT = 124
    OTHER_LIMIT = 125
    INTERRUPTED = 130


class NbAgentError(Exception):
    """A port broke, or the input cannot be worked on. `str(error)` is the sentence for the user."""

    exit_code: ExitCode = ExitCode.STILL_BROKEN


class UsageError(NbAgentError):
    """The command, an option or a setting is wrong."""

    exit_code = ExitCode.USAGE


class NotebookError(NbAgentError):
    """A notebook cannot be read, changed or written."""


class StaleCell(NotebookError):
    """An edit names a source that the cell no longer has."""

    def __init__(self, cell_id: str) -> None:
        self.cell_id = cell_id
        super().__init__(f"Cell {cell_id!r} changed since it was read. Read it again.")


class UnknownCell(NotebookError):
    """An edit names a cell that the notebook does not have."""

    def __init__(self, cell_id: str) -> None:
        self.cell_id = cell_id
        super().__init__(f"There is no cell {cell_id!r} in the notebook. Read the outline again.")


class CellExists(NotebookError):
    """A new cell has the id of another one."""

    def __init__(self, cell_id: str) -> None:
        self.cell_id = cell_id
        super().__init__(f"There is a cell {cell_id!r} already. Choose another id.")


class SandboxError(NbAgentError):
    """The restricted process could not be started, or broke in a way that is not the code's own doing."""


class CannotConfine(SandboxError):
    """This machine cannot keep code from files or network, so nothing is run."""

    exit_code = ExitCode.CANNOT_CONFINE


class ModelError(NbAgentError):
    """The model could not be asked, or its answer cannot be used."""

    exit_code = ExitCode.MODEL_UNREACHABLE


class ContextTooLong(ModelError):
    """The request does not fit the model's window: the loop makes it shorter and asks once more."""


class JournalError(NbAgentError):
    """A session cannot be kept on disk, or cannot be read back."""
