"""Builds the parts of a session on a notebook file, and works on one turn of it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from nbagent.core.budget import Budget
from nbagent.core.errors import NbAgentError, UsageError
from nbagent.core.events import Approve, Event, SessionStarted, Terms, TermsChanged, TurnEnded, UserSpoke
from nbagent.core.model import Effort, ModelFacts
from nbagent.core.privacy import Privacy
from nbagent.core.session import Session, resumption
from nbagent.hosts.guidance import guidance
from nbagent.hosts.headless import BranchKernel
from nbagent.hosts.journal import FileJournal, new_session, read
from nbagent.hosts.sent import SentRequests
from nbagent.hosts.undo import Originals
from nbagent.loop import run
from nbagent.models.catalog import ModelProfile
from nbagent.models.discovery import opened
from nbagent.models.http import HttpModel
from nbagent.notebooks.file import FileNotebook
from nbagent.ports import Ports, User
from nbagent.sandbox.access import Access
from nbagent.sandbox.branch import BaseSandbox
from nbagent.sandbox.kernelspec import KernelSpec, find_kernel

_SECRET_NAMES = ("KEY", "TOKEN", "SECRET", "PASSWORD", "PASSWD", "CREDENTIAL")


@dataclass(frozen=True)
class Wishes:
    """What the user asked for."""

    notebook: Path
    model: str | None = None
    profiles: Mapping[str, ModelProfile] = field(default_factory=dict)
    approve: Approve = "all"
    privacy: Privacy = "outputs"
    effort: Effort | None = None
    budget: Budget = Budget()  # noqa: RUF009  frozen
    kernel: Path | str | None = None
    readable: tuple[Path, ...] = ()
    cell_seconds: float = 600.0


async def work(wishes: Wishes, spoken: UserSpoke | None, user: User, session: str | None = None) -> Session:
    """Do one turn on a notebook, in a new session or one that is resumed, and return the session after it.

    Without words a turn that was cut short goes on; raises `UsageError` when there is none.
    """
    if not wishes.notebook.is_file():
        raise UsageError(f"There is no notebook {wishes.notebook}.")
    if session is not None:
        _refuse_other_notebook(read(session), wishes.notebook)
        if spoken is None and not read(session).state.working:
            says = f"The last turn of session {session} has ended, so there is nothing to go on with."
            raise UsageError(f'{says} Say what to do next: nbagent sessions resume {session} "task".')
    async with _model(wishes) as model, _kernel(wishes) as kernel:
        journal = FileJournal(session or new_session(), new=session is None)
        try:
            model.sent = SentRequests(journal.folder).keep
            ports = Ports(
                model=model,
                notebook=FileNotebook(wishes.notebook, Originals(wishes.notebook).before_write),
                sandbox=kernel,
                kernel=kernel,
                user=user,
                journal=journal,
                secrets=secrets(),
            )
            history = read(session) if session else Session()
            opening = _opening(wishes, model.facts, history, journal.session)
            if spoken is None:  # the turn that was cut short goes on: it does not end first
                opening = [event for event in opening if not isinstance(event, TurnEnded)]
            for event in (*opening, *filter(None, (spoken,))):
                await journal.keep(event)
                history = history.apply(event)
                user.show(event)
            return await run(history, ports)
        finally:
            journal.close()


def secrets() -> tuple[str, ...]:
    """Return the values of environment variables that are named like secrets."""
    return tuple(
        value for name, value in os.environ.items() if any(word in name.upper() for word in _SECRET_NAMES) and value
    )


def _opening(wishes: Wishes, facts: ModelFacts, history: Session, session: str) -> list[Event]:
    profile = wishes.profiles.get(facts.provider)
    terms = Terms(
        model=facts,
        approve=wishes.approve,
        privacy=wishes.privacy,
        effort=wishes.effort or (profile.effort if profile else None),
        turn_budget=wishes.budget,
        starts_empty=True,
    )
    if history.state.opening is None:
        told = guidance(wishes.notebook)
        return [SessionStarted(session=session, notebook=str(wishes.notebook.absolute()), terms=terms, guidance=told)]
    changed: list[Event] = [] if terms == history.state.terms else [TermsChanged(terms=terms)]
    return [*resumption(history), *changed]


def _refuse_other_notebook(history: Session, notebook: Path) -> None:
    """A session knows the cells of its own notebook; one that was moved is still the same."""
    opening = history.state.opening
    if opening is None or not Path(opening.notebook).exists():
        return
    if os.path.realpath(opening.notebook) != os.path.realpath(notebook):
        raise UsageError(f"Session {opening.session} works on {opening.notebook}, not on {notebook}. Start a new one.")


@contextlib.asynccontextmanager
async def _model(wishes: Wishes) -> AsyncIterator[HttpModel]:
    model = await opened(wishes.model, wishes.profiles, os.environ)
    try:
        yield model
    finally:
        await model.close()


@contextlib.asynccontextmanager
async def _kernel(wishes: Wishes) -> AsyncIterator[BranchKernel]:
    """The restricted process of the notebook's own interpreter; gone with its scratch when the block ends."""
    snapshot = await FileNotebook(wishes.notebook).read()
    language = snapshot.language or "python"
    if not language.startswith(("python", "ipython")):
        raise UsageError(f"{wishes.notebook} is a notebook of {language}; only Python is supported. It is as it was.")
    spec = await asyncio.to_thread(_spec, wishes.kernel, snapshot.kernel)
    sources = [cell.source for cell in snapshot.cells if cell.kind == "code"]
    with tempfile.TemporaryDirectory(prefix="nbagent-", ignore_cleanup_errors=True) as folder:
        access = Access.for_notebook(wishes.notebook, Path(folder, "trial"), readable=wishes.readable, sources=sources)
        limits = access.limits.model_copy(update={"wall_seconds": wishes.cell_seconds})
        sandbox = BaseSandbox(Path(spec.program), access.model_copy(update={"limits": limits}), watch=True)
        try:
            yield BranchKernel(sandbox)
        finally:
            await sandbox.close()


def _spec(wanted: Path | str | None, named: str | None) -> KernelSpec:
    if wanted is not None:
        return find_kernel(wanted)
    for name in filter(None, (named, "python3")):
        with contextlib.suppress(NbAgentError):  # not on this machine: the next best is as good for trying code
            return find_kernel(name)
    return find_kernel(Path(sys.executable))
