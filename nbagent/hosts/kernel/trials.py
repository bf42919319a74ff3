"""One trial: a branch of this kernel is forked, runs a cell, is taken to account, and killed."""

from __future__ import annotations

import os
import sys
import tempfile
from dataclasses import dataclass, field
from typing import Any

from nbagent.hosts.kernel import endings, fallback
from nbagent.hosts.kernel.account import UNKNOWN, Account, Change, Refused, changes
from nbagent.hosts.kernel.adviser import Adviser, NoAnswer
from nbagent.hosts.kernel.meter import Meter
from nbagent.hosts.kernel.options import Options
from nbagent.hosts.kernel.show import Show
from nbagent.inside.fork import NotForked, fork_kernel
from nbagent.inside.interrupts import Interrupts
from nbagent.inside.live import Ended, LiveBranch, NotConfined, Offered
from nbagent.inside.written import written

_OFFER_SECONDS = 3.0
_MOST_CELLS, _MOST_SOURCE = 200, 200_000


class NotTried(Exception):
    """Nothing was run. The message is one sentence that says why and what to do; shown without a traceback."""

    def _render_traceback_(self) -> list[str]:
        return [str(self)]


class Interrupted(KeyboardInterrupt):
    """The user interrupted a trial: the cell fails, so that those after it do not run; the kernel goes on."""

    def _render_traceback_(self) -> list[str]:
        return ["KeyboardInterrupt: the trial was stopped"]


@dataclass
class Tried:
    """A trial that is over: its source, what is told of it, and its values in sealed memory, if they can be had."""

    source: str
    account: Account
    offered: Offered
    interrupted: bool = False
    cell: int = 0
    worked: bool = field(init=False)

    def __post_init__(self) -> None:
        self.worked = self.account.worked

    def forget(self) -> None:
        """Give the memory back."""
        if self.offered.memory is not None:
            os.close(self.offered.memory)
            self.offered = Offered(None, (), self.offered.refused)


def try_cell(shell: Any, adviser: Adviser, source: str, options: Options) -> Tried:
    """Try a cell, showing its outputs as they come. Raises `NotTried` when nothing was run."""
    with tempfile.TemporaryDirectory(prefix="nbagent-trial-", ignore_cleanup_errors=True) as scratch:
        try:
            policy = adviser.ask(_question(shell, os.path.realpath(scratch), options))["policy"]
        except NoAnswer as error:
            raise NotTried(str(error)) from None
        with Interrupts() as interrupts:
            cell = Cell(source, policy, interrupts)
            try:
                branch = fork_kernel(shell, policy)
            except NotForked as error:
                return _instead(shell, adviser, cell, error.args)
            try:
                tried, stalled = _run(shell, adviser, branch, cell)
            except NotConfined as error:
                if interrupts.asked:
                    raise NotTried(f"You interrupted the trial before it began; {endings.AS_BEFORE}.") from None
                return _instead(shell, adviser, cell, (f"a fork could not be confined ({error})",))
            finally:
                branch.let_go()
            if not stalled:
                return tried
            try:
                return _instead(shell, adviser, cell, ("its threads waited for each other in a fork of the kernel",))
            except NotTried:
                return tried


@dataclass(frozen=True)
class Cell:
    """What is tried, and under which rules."""

    source: str
    policy: dict[str, Any]
    interrupts: Interrupts


def _instead(shell: Any, adviser: Adviser, cell: Cell, reasons: tuple[str, ...]) -> Tried:
    """Try it in a fresh process, with copies of what it reads."""
    show = Show(shell)
    try:
        told = fallback.tried(shell, adviser, cell.source, show, cell.interrupts)
    except NoAnswer as error:
        raise NotTried(endings.not_tried(reasons, str(error))) from None
    ended = told.ended
    worked = ended.status == "done" and ended.report.get("raised") is None and ended.report.get("exit") is not True
    account = Account(
        sentence=endings.sentence(ended, None),
        worked=worked,
        seconds=ended.seconds,
        memory=0,
        changes=told.changes,
        files=tuple((name, UNKNOWN) for name in told.files),
        refused=told.refused,
        withheld=show.withheld,
        note=f"Not tried in a fork of the kernel, because {reasons[0]}: {told.how}.",
    )
    why = "it was tried in a process that is no fork of the kernel"
    left = Offered(None, (), dict.fromkeys(_wanted(told.changes), why))
    return Tried(cell.source, account, left, ended.status == "interrupted", shell.execution_count)


def _question(shell: Any, scratch: str, options: Options) -> dict[str, object]:
    ran = list(getattr(shell.history_manager, "input_hist_raw", ()) or ())[-_MOST_CELLS:]
    return {
        "folder": os.getcwd(),
        "scratch": scratch,
        "readable": list(options.readable),
        "sources": [cell for cell in ran if not cell.startswith("%%trial") and len(cell) < _MOST_SOURCE],
        "path": [path for path in sys.path if isinstance(path, str) and path],
        "seconds": options.seconds,
        "memory_mb": options.memory_mb,
    }


def _run(shell: Any, adviser: Adviser, branch: LiveBranch, cell: Cell) -> tuple[Tried, bool]:
    """Return the account, and whether the code dead-locked. Raises `NotConfined` when nothing was run."""
    branch.started(cell.interrupts)
    limits, scratch = cell.policy["limits"], cell.policy["scratch"]
    there = written(branch.view, scratch)
    meter, show = Meter(branch.pid, limits), Show(shell)
    ended = branch.run(cell.source, show, float(limits["wall_seconds"]), meter.look, cell.interrupts)
    worked = ended.status == "done" and ended.report.get("ok") is True and ended.report.get("exit") is not True
    changed: tuple[Change, ...] = ()
    offered = Offered(None, (), {})
    if ended.status == "done":
        meter.measure()
        changed = changes(ended.report.get("state"))
        if worked:
            offered = branch.offer(_wanted(changed), _OFFER_SECONDS)
    branch.close()
    account = Account(
        sentence=endings.sentence(ended, branch.exit_status),
        worked=worked,
        seconds=ended.seconds,
        memory=meter.peak,
        changes=changed,
        files=tuple(sorted(written(branch.view, scratch) - there, key=lambda file: file[0])),
        refused=_refused(adviser, ended),
        withheld=show.withheld,
        adoptable=offered.names,
    )
    tried = Tried(cell.source, account, offered, ended.status == "interrupted", shell.execution_count)
    return tried, meter.stalled


def _wanted(changed: tuple[Change, ...]) -> list[str]:
    return [change.name for change in changed if change.change in ("new", "rebound")]


def _refused(adviser: Adviser, ended: Ended) -> tuple[Refused, ...]:
    """Return what was refused, in the words of the process that knows the policy; nothing when it has no answer."""
    raised = ended.report.get("raised")
    clues = [*_listed(ended.report.get("attempts")), *_listed(raised.get("clues") if isinstance(raised, dict) else ())]
    if not clues:
        return ()
    try:
        told = adviser.ask({"clues": clues})["refusals"]
    except NoAnswer:
        return ()
    return tuple(Refused(each["what"], each["target"], each["times"], each["allow_with"]) for each in told)


def _listed(told: object) -> list[object]:
    return [each for each in told if isinstance(each, dict)] if isinstance(told, list) else []
