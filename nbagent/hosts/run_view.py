"""How `nbagent run` shows a turn: lines of progress on stderr, the answer on stdout; or every event as a JSON line."""

from __future__ import annotations

import json
from typing import TextIO

from nbagent.core import events as e
from nbagent.core.model import AskedAgain, AssistantMessage, ToolCall
from nbagent.core.proposal import Trial
from nbagent.core.tools import TryCode, order
from nbagent.hosts.headless import Watcher
from nbagent.hosts.text import Style, harmless
from nbagent.ports import Progress

_LINE = 100


class JsonLines(Watcher):
    """Each kept event as one JSON line, as soon as it is kept."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def show(self, news: e.Event | Progress) -> None:
        """Print an event; what is still arriving is left out."""
        if isinstance(news, e.ALL):
            print(
                json.dumps(e.EVENTS.dump_python(news, mode="json"), separators=(",", ":")),
                file=self._stream,
                flush=True,
            )


class Lines(Watcher):
    """One line for each thing that a person wants to know of."""

    def __init__(self, stream: TextIO) -> None:
        self._stream, self._style = stream, Style(stream)

    def show(self, news: e.Event | Progress) -> None:
        """Print what it means."""
        for line in self._lines(news):
            print(harmless(line), file=self._stream, flush=True)

    def _lines(self, news: e.Event | Progress) -> list[str]:
        match news:
            case AskedAgain():
                return [f"  {news.why}"]
            case e.ModelAnswered():
                said = [i.text.strip() for i in news.answer.items if isinstance(i, AssistantMessage)]
                asked = [_order(i) for i in news.answer.items if isinstance(i, ToolCall)]
                return ([_short(text) for text in said if text] if asked else []) + asked
            case e.CodeTried():
                return [_tried(trial) for trial in news.trials]
            case e.Proposed():
                return [f"  proposes: {news.proposal.summary}"]
            case e.Judged() if news.verdict.answer == "reject":
                return [f"  not applied: {news.verdict.comment}"]
            case e.Applied():
                count = len(news.changes)
                return [f"  applied: {count} change{'' if count == 1 else 's'}"] if count else []
            case e.CellRan():
                return [f"  ran {news.cell_id}: {news.execution.status}, {news.execution.seconds:.1f} s"]
            case e.PlanUpdated():
                return [f"  [{step.status}] {step.text}" for step in news.steps]
            case e.Compacted():
                return ["  the conversation was replaced by a summary to make room"]
            case _:
                return []


def _tried(trial: Trial) -> str:
    what = f"ran {trial.cell_id} in a copy" if trial.cell_id else "tried"
    return f"  {what}: {trial.execution.status}, {trial.execution.seconds:.1f} s"


def _order(call: ToolCall) -> str:
    wanted = order(call)
    if isinstance(wanted, TryCode):
        return _short(f"{call.name}: {wanted.code.strip()}")
    return call.name if call.name != "propose_changes" else "proposing changes"


def _short(text: str) -> str:
    first = text.strip().splitlines()[0] if text.strip() else ""
    return first if len(first) <= _LINE else first[: _LINE - 3] + "..."
