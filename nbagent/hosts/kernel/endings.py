"""How a trial ended, in one sentence: what happened, that the kernel is as before, what to do next."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Sequence

from nbagent.inside.live import Ended

AS_BEFORE = "your kernel is as before"
_CRASHES = {
    # The first process of a namespace cannot end itself by a signal, so its abort() ends in a segmentation fault.
    signal.SIGSEGV: "it crashed (segmentation fault, or it aborted itself)",
    signal.SIGABRT: "it crashed (it aborted itself)",
    signal.SIGBUS: "it crashed (bus error)",
    signal.SIGFPE: "it crashed (arithmetic error)",
    signal.SIGILL: "it crashed (illegal instruction)",
    signal.SIGXCPU: "it used up its CPU time",
    signal.SIGKILL: "it was killed, as the system does when memory runs out",
}
_PLAIN = re.compile(r"[^\w.\- ]")


def sentence(ended: Ended, exit_status: int | None) -> str:
    """Return the sentence for a run; `exit_status` is a wait status, for a process that ended by itself."""
    if ended.status == "done":
        return _of_done(ended)
    if ended.status == "interrupted":
        return f"You interrupted the trial; {AS_BEFORE}."
    if ended.status == "timed out":
        return f"The trial was stopped because {ended.detail}; {AS_BEFORE}. More time: %%trial --timeout SECONDS."
    if ended.status == "limited":
        more = " More memory: %%trial --memory MB." if ended.detail.endswith("of memory") else ""
        return f"The trial was stopped because {ended.detail}; {AS_BEFORE}.{more}"
    why = ended.detail or _why(exit_status)
    return f"The trial's process ended before the code did: {why}; {AS_BEFORE}."


def not_tried(reasons: Sequence[str], instead: str) -> str:
    """Return the sentence for a kernel that must not be forked now; `instead`: why a fresh process was none either."""
    why, busy = reasons[0], any("may be computing" in reason for reason in reasons)
    advice = "Try again when that is done" if busy else "A restarted kernel can try this before that is in use"
    return (
        f"The trial was not run, because {why}, and a fresh process cannot take over: {instead.rstrip('.')}; "
        f"{AS_BEFORE}. {advice}, or run the cell without %%trial."
    )


def _of_done(ended: Ended) -> str:
    raised = ended.report.get("raised")
    if ended.report.get("exit") is True:
        return f"The code asked to exit, which ended the trial; {AS_BEFORE}."
    if isinstance(raised, dict):
        name = _PLAIN.sub("", str(raised.get("ename")))[:80]
        return f"The trial raised {name}; {AS_BEFORE}."
    return f"The trial ran to its end; {AS_BEFORE}."


def _why(status: int | None) -> str:
    if status is None:
        return "nobody knows why"
    code = os.WTERMSIG(status) + 128 if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
    if code > 128 and code - 128 in _CRASHES:
        return _CRASHES[signal.Signals(code - 128)]
    return f"it left with exit status {code}"
