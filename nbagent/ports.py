"""What the agent needs from the world: small Protocols in the core's words that promise behaviour.

`nbagent.testing` has a stand-in for each; the contract tests in `tests/contracts` run on stand-ins and real adapters.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from nbagent.core.cells import Change, Snapshot
from nbagent.core.model import ModelAnswer, ModelFacts, ModelProgress, ModelRequest
from nbagent.core.outputs import Execution, Output

ShowOutput = Callable[[Output], None]
"""Called with each output as it arrives; what it shows is never kept."""


class Checkpoint(Protocol):
    """A sleeping copy of a branch: variables *and* files as they were when it was taken."""

    @property
    def tainted(self) -> str | None:
        """Why resuming may differ from running from the top (live threads, pools, open transactions), or None."""
        ...

    async def resume(self) -> Branch:
        """Return a new branch that starts from here; may be called any number of times, one branch at a time.

        The files are put back as they were, so a branch of the same sandbox that is still open loses its own writes.
        Raises `SandboxError` when the checkpoint is gone (killed, or dropped to save memory).
        """
        ...

    async def drop(self) -> None:
        """Free it; dropping twice is fine."""
        ...


class Branch(Protocol):
    """A confined process with an IPython namespace."""

    async def run(self, source: str, *, show: ShowOutput | None = None, timeout: float | None = None) -> Execution:
        """Run one cell's source to its end, at most `timeout` seconds of wall time (None: the sandbox's own limit).

        Code that raises, exits, hangs or bursts a limit is an `Execution`, never an exception of this call. After a
        status other than `ok` and `raised` the branch is closed. Cancelling this call kills the branch.
        """
        ...

    async def checkpoint(self) -> Checkpoint:
        """Take a checkpoint of variables and files; the branch goes on unchanged. Only between runs."""
        ...

    async def close(self) -> None:
        """Kill the branch with every process it started, and no other branch; closing twice is fine."""
        ...


class Sandbox(Protocol):
    """Where code may be tried: it has files in a scratch view, no network and no secrets.

    Raises `CannotConfine` rather than running anything with less than it promises.
    """

    async def open(self) -> Branch:
        """Return a branch with the start state: the live kernel's variables, or none."""
        ...

    async def close(self) -> None:
        """End every branch and checkpoint, and throw the scratch away."""
        ...


class Notebook(Protocol):
    """The notebook that is worked on: a file, or an open document in a front-end."""

    async def read(self) -> Snapshot:
        """Return the notebook as it is now. Raises `NotebookError`."""
        ...

    async def change(self, changes: Sequence[Change]) -> Snapshot:
        """Apply all changes or none, and return the notebook after them. Raises `StaleCell`, `UnknownCell`."""
        ...

    async def record(self, cell_id: str, execution: Execution) -> None:
        """Store an execution's outputs and count in a cell."""
        ...


class Model(Protocol):
    """A language model behind some wire protocol."""

    @property
    def facts(self) -> ModelFacts:
        """Which model this is, and how much it can read."""
        ...

    async def ask(self, request: ModelRequest, show: Callable[[ModelProgress], None]) -> ModelAnswer:
        """Return the whole answer; `show` gets what arrives meanwhile.

        Faults that lose nothing are retried in here. Raises `ContextTooLong` when the request does not fit, and
        `ModelError` (a sentence that says what to do) when there is no answer to be had. Cancelling closes the stream.
        """
        ...
