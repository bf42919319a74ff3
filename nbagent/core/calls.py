"""How far a call of the model's is, and what the model reads of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nbagent.core import results
from nbagent.core.events import CellRan
from nbagent.core.model import Part, Text
from nbagent.core.privacy import Privacy
from nbagent.core.proposal import Proposal, Trial, Verdict, accepted

NOT_STARTED = "Not done: {why} before it began."
UNKNOWN = "Outcome unknown: {why} while it ran. It may have happened, in part or whole: look before you do it again."


@dataclass(frozen=True)
class Progressing:
    """How far the first open call has come."""

    started: bool = False
    tried: tuple[Trial, ...] | None = None
    proposal: Proposal | None = None
    verdict: Verdict | None = None
    applied: bool = False
    running: str | None = None
    results: tuple[CellRan, ...] = ()

    @property
    def taken(self) -> Proposal | None:
        """What was accepted of the proposal."""
        if self.proposal is None or self.verdict is None or self.verdict.answer == "reject":
            return None
        return accepted(self.proposal, self.verdict)


def went_well(ran: CellRan, taken: Proposal) -> bool:
    """Whether a cell did what it is meant to; one that is tagged `raises-exception` may raise."""
    status = ran.execution.status
    return status == "ok" or (status == "raised" and ran.cell_id in taken.may_raise)


def tried(trials: Sequence[Trial], level: Privacy, limit: int) -> tuple[Part, ...]:
    """Return what a trial gave; cells that led there only when they failed."""
    setup = [trial.cell_id for trial in trials if trial.cell_id is not None]
    shown = [trial for trial in trials if trial.cell_id is None or not trial.worked]
    parts: list[Part] = [Text(text=f"Ran first: {', '.join(setup)}.")] if setup else []
    for number, trial in enumerate(shown, 1):
        if trial.cell_id is not None:
            parts.append(Text(text=f"--- cell {trial.cell_id} failed, so the code was not run"))
        elif len(shown) > 1:
            parts.append(Text(text=f"--- alternative {number}" if trial.alternative else "--- code"))
        parts += results.account(trial.execution, level, limit // len(shown))
    if any(trial.execution.status not in ("ok", "raised") and not trial.alternative for trial in trials):
        parts.append(Text(text="The copy of the variables is gone; the next try starts from the live ones."))
    return tuple(parts)


def ran_cells(call: Progressing, taken: Proposal, level: Privacy, limit: int) -> list[Part]:
    """Return what came of an accepted proposal so far; cells that only led there only when they failed."""
    comment = call.verdict.comment if call.verdict else ""
    count = len(taken.changes)
    head = [f"Applied {count} {'change' if count == 1 else 'changes'}." if count else "Nothing to change.", comment]
    shown = [ran for ran in call.results if ran.cell_id not in taken.setup or not went_well(ran, taken)]
    parts: list[Part] = [Text(text=" ".join(filter(None, head)))]
    for ran in shown:
        parts.append(Text(text=f"--- ran {ran.cell_id}"))
        parts += results.account(ran.execution, level, limit // len(shown))
    return parts


def not_run(call: Progressing, taken: Proposal, why: str) -> list[Part]:
    """Return a sentence about the accepted cells that did not run, if there are any."""
    begun = {ran.cell_id for ran in call.results} | {call.running}
    missing = [cell_id for cell_id in taken.run if cell_id not in begun]
    return [Text(text=f"Not run, because {why}: {', '.join(missing)}.")] if missing else []


def cut_short(call: Progressing, why: str, level: Privacy, limit: int) -> tuple[Part, ...]:
    """Return the result of a call that cannot be finished: what is known of it, and what is not."""
    if call.tried is not None:
        return tried(call.tried, level, limit)
    taken = call.taken
    if call.applied and taken is not None:
        unknown = [Text(text=f"Cell {call.running}: {UNKNOWN.format(why=why)}")] if call.running else []
        return (*ran_cells(call, taken, level, limit), *unknown, *not_run(call, taken, why))
    return (Text(text=(UNKNOWN if call.started else NOT_STARTED).format(why=why)),)
