"""How `nbagent repair` looks: progress while it works, then what was broken, the diff per cell, and the proof."""

from __future__ import annotations

import difflib
import os
import time
from collections.abc import Iterator
from typing import TextIO

from nbagent.core.cells import Cell, Snapshot
from nbagent.hosts.text import Style, harmless, is_terminal, width
from nbagent.repair.chain import runnable
from nbagent.repair.report import CellEnded, CellReport, CellStarted, FixTried, News, Repair, Report

_WHERE = {"first": "first run", "trial": "repairing", "proof": "proof run"}
SLOW_SECONDS = 5.0
"""In a log, only cells that failed or took longer than this get a line."""


class Progress:
    """Shows which cell runs and for how long: one line that is rewritten on a terminal, plain lines in a log."""

    def __init__(self, stream: TextIO, name: str) -> None:
        self._stream = stream
        self._name = name
        self._live = is_terminal(stream)
        self._style = Style(stream)
        self._now: CellStarted | None = None
        self._since = time.monotonic()
        self._phase = ""
        self._note = ""

    def tell(self, news: News) -> None:
        """Take one piece of news."""
        match news:
            case CellStarted():
                self._now, self._since = news, time.monotonic()
                if not self._live and news.where != self._phase:
                    self._line(f"{self._name}: {_WHERE[news.where]}, {_cells(news.of)}")
                self._phase, self._note = news.where, ""
            case CellEnded() if not self._live and (news.error or news.seconds > SLOW_SECONDS):
                self._line(
                    f"{self._name}: cell {news.number}/{news.of}: {news.error or 'ran'} ({seconds(news.seconds)})"
                )
            case FixTried() if self._live:
                self._note = f"trying {news.rule}"
            case FixTried():
                self._line(f"{self._name}: cell {news.number}: {news.rule}: {news.result}")
            case _:
                pass
        self.tick()

    def tick(self) -> None:
        """Show the time that the cell has taken so far; called a few times a second."""
        if not self._live or self._now is None:
            return
        now = self._now
        took = seconds(time.monotonic() - self._since)
        text = f"{self._name}  {_WHERE[now.where]}  cell {now.number}/{now.of}  {took}  {self._note}"
        self._stream.write("\r\x1b[K" + self._style(harmless(text)[: width(self._stream) - 1], "dim"))
        self._stream.flush()

    def end(self) -> None:
        """Take the line away."""
        if self._live:
            self._stream.write("\r\x1b[K")
            self._stream.flush()

    def _line(self, text: str) -> None:
        self._stream.write(harmless(text) + "\n")
        self._stream.flush()


def _cells(count: int) -> str:
    return f"{count} cell{'' if count == 1 else 's'}"


def seconds(value: float) -> str:
    """Return a duration as a person says it."""
    if value < 90:
        return f"{value:.1f} s"
    return f"{int(value // 60)} min {int(value % 60)} s"


def show(repair: Repair, stream: TextIO, *, diff_only: bool = False) -> None:
    """Print the account of one notebook."""
    style = Style(stream)
    for line in _lines(repair, style, diff_only=diff_only):
        stream.write(line + "\n")
    stream.flush()


def _lines(repair: Repair, style: Style, *, diff_only: bool) -> Iterator[str]:
    report = repair.report
    if not diff_only:
        yield f"{style(harmless(report.notebook), 'bold')}: {_headline(report, style)}"
        yield from _fixes(repair, style)
    if report.state != "not proved":
        if report.upgraded_from is not None and report.state != "broken":
            yield style(f"--- nbformat: {report.upgraded_from}", "red")
            yield style("+++ nbformat: 4", "green")
        yield from diff(repair.before, repair.after, style)
        for module in repair.modules:
            yield from _text_diff(_short(module.path), module.before, module.after, style)
    if diff_only:
        return
    for cell in report.cells:
        yield from _cell(cell, style)
    if report.problem:
        yield f"  {style('not written', 'red')}: {harmless(report.problem)}. The notebook is as it was."
    if report.time_limit is not None:
        yield f"  {style('time limit', 'yellow')}: {_late(report)}"
    yield _proof(report, style)


def _headline(report: Report, style: Style) -> str:
    count = len(report.fixes) + (report.upgraded_from is not None)
    fixes = f"{count} fix" + ("" if count == 1 else "es")
    left = sum(cell.state == "broken" for cell in report.cells)
    cells = f"{left} cell" + (" is" if left == 1 else "s are")
    match report.state:
        case "clean":
            return style("runs clean as it is", "green")
        case "repaired":
            return style(f"repaired, {fixes}", "green")
        case "partly repaired":
            return style(f"partly repaired, {fixes}; {cells} still broken", "yellow")
        case "broken" if report.time_limit is not None and not left:
            return style("did not run through in time", "red")
        case "broken":
            return style(f"{cells} broken", "red")
        case "not proved":
            return style(f"{fixes} found, but not proved", "red")
        case "refused":
            return style("not repaired", "red")


def _fixes(repair: Repair, style: Style) -> Iterator[str]:
    if repair.report.upgraded_from is not None and repair.report.state in ("repaired", "partly repaired"):
        old = f"nbformat {repair.report.upgraded_from}, which today's Jupyter does not write"
        yield f"  {style('file', 'bold')}  {style(old, 'red')}"
        yield "    The file is now nbformat 4; its cells are the same."
    numbers = {cell.id: number for number, cell in enumerate(runnable(repair.after), 1)}
    for fix in repair.report.fixes:
        where = f"cell {numbers[fix.cell]}" if fix.cell in numbers else "kernel"
        where = f"{_short(fix.file)} (used by {where})" if fix.file else where
        error = harmless(" ".join(fix.error.split()))
        yield f"  {style(where, 'bold')}  {style(error if len(error) < 160 else error[:159] + '…', 'red')}"
        look = style(" (please look: likely, not sure)", "yellow") if fix.confidence == "likely" else ""
        stored = " The file shows this error already." if fix.stored else ""
        yield f"    {style(fix.rule, 'cyan')} {harmless(fix.says)}{stored}{look}"


def _cell(cell: CellReport, style: Style) -> Iterator[str]:
    match cell.state:
        case "broken":
            further = " (gets further now)" if cell.partly else ""
            yield f"  {style(f'cell {cell.number}', 'bold')}  {style('still broken' + further, 'red')}"
            if cell.cause:
                yield f"    {cell.cause.kind}: {harmless(cell.cause.says)}"
                yield f"    {style(harmless(cell.cause.could), 'dim')}"
            tried = sorted({one.rule for one in cell.tried if one.result != "the cell runs"})
            if tried:
                yield f"    {style('tried: ' + ', '.join(tried), 'dim')}"
        case "follows":
            yield style(f"  cell {cell.number}  follows from cell {cell.after}: {harmless(cell.error)}", "dim")
        case "intended":
            yield style(f"  cell {cell.number}  left alone, meant to fail: {harmless(cell.error)}", "dim")
        case _:
            yield style(f"  cell {cell.number}  {cell.state}", "dim")


def _late(report: Report) -> str:
    left = sum(cell.state == "not run" for cell in report.cells)
    cells = f", with {left} cell{'' if left == 1 else 's'} not run" if left else ""
    return f"the {report.time_limit:g} s for this notebook are over{cells}. Allow more with --timeout SECONDS."


def _proof(report: Report, style: Style) -> str:
    proof = report.proof
    parts = []
    if proof is not None:
        ran = "clean" if proof.clean else "with the failures above"
        colour = "green" if proof.clean else "yellow"
        what = f"ran from the top in a fresh {proof.kernel} kernel, {_cells(proof.cells)}, {ran}"
        parts.append(f"{style('proof', colour)}: {what} ({seconds(proof.seconds)})")
    written = [*(_short(path) for path in report.modules_written), *([report.written] if report.written else [])]
    if written:
        parts.append(f"written to {harmless(', '.join(written))}")
    parts.append(f"took {seconds(report.seconds)}")
    return "  " + "; ".join(parts)


def diff(before: Snapshot, after: Snapshot, style: Style) -> Iterator[str]:
    """Return a unified diff per cell, and which cells are new, moved, or run by another kernel."""
    if before.kernel != after.kernel:
        yield style(f"--- kernel: {before.kernel}", "red")
        yield style(f"+++ kernel: {after.kernel}", "green")
    old = {cell.id: cell for cell in before.cells}
    moved = _moved(before, after)
    for number, cell in enumerate(runnable(after), 1):
        was = old.get(cell.id)
        if was is None or was.source != cell.source:
            yield from _cell_diff(number, was, cell, style)
        if cell.id in moved:
            yield style(f"@@ cell {number} moved here @@", "cyan")
            yield from (harmless(f"  {line}") for line in cell.source.split("\n")[:3])


def _short(path: str) -> str:
    """Return a path as a person in this folder would write it."""
    relative = os.path.relpath(path)
    return path if relative.startswith("..") else relative


def _moved(before: Snapshot, after: Snapshot) -> set[str]:
    old, new = [cell.id for cell in before.cells], [cell.id for cell in after.cells]
    kept = set()
    for block in difflib.SequenceMatcher(None, old, new, autojunk=False).get_matching_blocks():
        kept.update(old[block.a : block.a + block.size])
    return (set(old) & set(new)) - kept


def _cell_diff(number: int, was: Cell | None, cell: Cell, style: Style) -> Iterator[str]:
    name = f"cell {number}" if was else f"cell {number} (new)"
    yield from _text_diff(name, was.source if was else None, cell.source, style)


def _text_diff(name: str, before: str | None, after: str, style: Style) -> Iterator[str]:
    old = [] if before is None else before.split("\n")
    for line in difflib.unified_diff(old, after.split("\n"), name, name, lineterm="", n=2):
        colour = {"+": "green", "-": "red", "@": "cyan"}.get(line[:1])
        yield style(harmless(line), colour) if colour else harmless(line)
