"""What the agent needs from the world: small Protocols in the core's words that promise behaviour.

`nbagent.testing` has a stand-in for each; the contract tests in `tests/contracts` run on stand-ins and real adapters.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from nbagent.core.cells import Change, Snapshot
from nbagent.core.events import Event, Stopped, UserSpoke
from nbagent.core.model import ModelAnswer, ModelFacts, ModelProgress, ModelRequest
from nbagent.core.outputs import Execution, Output
from nbagent.core.proposal import Proposal, Verdict
from nbagent.core.tools import AskUser

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


class Kernel(Protocol):
    """Where accepted code runs. The sandbox's branches start with its variables."""

    async def run(self, cell_id: str, source: str, *, show: ShowOutput | None = None) -> Execution:
        """Run an accepted cell to its end; cancelling the call interrupts it. Code that raises is an `Execution`."""
        ...

    async def variables(self) -> Sequence[tuple[str, str]]:
        """Return the live variables: name and a description of type and shape, without values."""
        ...


Progress = ModelProgress | Output
"""What is still arriving: shown, never kept."""


class User(Protocol):
    """The person, or the policy that stands in where nobody is."""

    def show(self, news: Event | Progress) -> None:
        """Take notice of an event that is kept, or of something that is still arriving."""
        ...

    async def hear(self) -> UserSpoke | Stopped:
        """Wait for what the user says unasked. Cancelling loses nothing that was said."""
        ...

    async def judge(self, proposal: Proposal) -> Verdict:
        """Ask whether a proposal may be applied."""
        ...

    async def reply(self, question: AskUser) -> str:
        """Ask a question of the model's, and return the user's words."""
        ...


class Journal(Protocol):
    """Keeps a session's events in order."""

    async def keep(self, event: Event) -> None:
        """Keep one event; it outlives this process when the call returns. Raises `JournalError`."""
        ...


@dataclass(frozen=True)
class Ports:
    """Everything that a session needs from the world. `secrets` are values that no model and no journal may see."""

    model: Model
    notebook: Notebook
    sandbox: Sandbox
    kernel: Kernel
    user: User
    journal: Journal
    secrets: tuple[str, ...] = ()
