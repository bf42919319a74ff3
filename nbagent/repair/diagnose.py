"""What a failed execution says: where it failed, whether it follows from an earlier failure, whether it is meant.

Tracebacks are read in the form that IPython 7 to 9 write them (`Cell In[3], line 2`, `Input In [3]`,
`<ipython-input-3-...>`), after removing terminal colours.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from nbagent.core.cells import Cell
from nbagent.core.outputs import Execution, Raised
from nbagent.repair.names import names_of
from nbagent.repair.rule import Frame

_COLOUR = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_CELL = re.compile(r"^\s*(?:Cell In|Input In ?|File <ipython-input-|<ipython-input-)\[?(\d+)\]?")
_CELL_LINE = re.compile(r"(?:, line |<cell line: )(\d+)")
_FILE = re.compile(r"^\s*File (?P<path>[^\n]+?):(?P<line>\d+)(?:, in (?P<name>[\w.<>]+))?")
_OLD_FILE = re.compile(r"^(?P<path>[/~][^\n]+?\.py)\S* in (?P<name>[\w.<>]+)\(")
_IN = re.compile(r"(?:, in |[>\]] in )([\w.<>]+?)\(")
_ARROW = re.compile(r"^-+> ?(\d+) ?")
_SYNTAX_FILE = re.compile(r'^\s*File "?(?P<path>[^"\n]+?)"?, line (?P<line>\d+)')
_UNDEFINED = re.compile(r"name '(\w+)' is not defined")
_SYNTAX = frozenset({"SyntaxError", "IndentationError", "TabError"})
_TIMED = re.compile(r"<timed (?:exec|eval)>")


def plain(text: str) -> str:
    """Return the text without terminal colours."""
    return _COLOUR.sub("", text)


def without_colours(execution: Execution) -> Execution:
    """Return the same account with an error that rules can read; an error is made up where the code gave none."""
    error = execution.error
    if error is None:
        found = next((o for o in reversed(execution.outputs) if isinstance(o, Raised)), None)
        error = found or Raised(ename="Error", evalue=execution.detail)
    cleaned = Raised(
        ename=error.ename,
        evalue=plain(error.evalue),
        traceback=tuple(line for block in error.traceback for line in plain(block).split("\n")),
    )
    return execution.model_copy(update={"error": cleaned})


def frames_of(execution: Execution, counts: Mapping[int, str]) -> tuple[Frame, ...]:
    """Return the traceback's steps, outermost first; `counts` says which cell had which execution count.

    Of a chain of exceptions only the last one's steps are returned.
    """
    error = execution.error
    if error is None:
        return ()
    found: list[Frame] = []
    for line in _last_traceback(error.traceback):
        if (arrow := _ARROW.match(line)) and found:
            found[-1] = found[-1].model_copy(update={"line": int(arrow[1])})
        elif frame := _header(line, counts):
            found.append(frame)
    return tuple(found)


def _last_traceback(lines: tuple[str, ...]) -> tuple[str, ...]:
    starts = [n for n, line in enumerate(lines) if line.rstrip().endswith("Traceback (most recent call last)")]
    return lines[starts[-1] + 1 :] if starts else lines


def _header(line: str, counts: Mapping[int, str]) -> Frame | None:
    called = _IN.search(line)
    function = called[1] if called else None
    if cell := _CELL.match(line):
        at = _CELL_LINE.search(line)
        return Frame(line=int(at[1]) if at else 1, cell_id=counts.get(int(cell[1])), function=function)
    matched = _FILE.match(line) or _SYNTAX_FILE.match(line)
    if matched:
        return Frame(line=int(matched["line"]), path=matched["path"], function=function)
    if old := _OLD_FILE.match(line):
        return Frame(line=1, path=old["path"], function=old["name"])
    return None


def lines_in(cell: Cell, frames: Iterable[Frame]) -> tuple[int, ...]:
    """Return the lines of this cell that the traceback passes through; `%%time` shows its body as a file of its own."""
    lines: list[int] = []
    for frame in frames:
        if frame.cell_id == cell.id:
            lines.append(frame.line)
        elif frame.path and _TIMED.search(frame.path) and cell.source.lstrip().startswith("%%"):
            lines[-1:] = [frame.line + 1]
    return tuple(lines)


def is_syntax(execution: Execution) -> bool:
    """Whether the cell could not be compiled, so that nothing of it ran."""
    if execution.error is None or execution.error.ename not in _SYNTAX:
        return False
    return not any(line.rstrip().endswith("Traceback (most recent call last)") for line in execution.error.traceback)


def reached(cell: Cell, diagnosis: Diagnosis) -> tuple[int, int]:
    """Return how far a failed cell got, as something that grows: compiled or not, then lines it still had to go.

    Counted from the cell's end, so that lines which a fix adds or joins above do not look like progress.
    """
    at = diagnosis.lines[0] if diagnosis.lines else 1
    return (0 if is_syntax(diagnosis.execution) else 1, at - len(cell.source.rstrip().split("\n")))


def undefined_name(execution: Execution) -> str | None:
    """Return the name that a NameError misses."""
    if execution.error is None or execution.error.ename not in ("NameError", "UnboundLocalError"):
        return None
    matched = _UNDEFINED.search(execution.error.evalue)
    return matched[1] if matched else None


@dataclass(frozen=True)
class Diagnosis:
    """One failure as rules and reports see it: no terminal colours, the traceback's steps, the cell's own lines."""

    execution: Execution
    frames: tuple[Frame, ...] = ()
    lines: tuple[int, ...] = ()

    @property
    def error(self) -> Raised:
        """The exception; made up where the process ended without one."""
        return self.execution.error or Raised(ename="Error", evalue=self.execution.detail)


def diagnose(cell: Cell, execution: Execution, counts: Mapping[int, str]) -> Diagnosis:
    """Return what a failed execution says; `counts` says which cell had which execution count."""
    cleaned = without_colours(execution)
    frames = frames_of(cleaned, counts)
    return Diagnosis(cleaned, frames, lines_in(cell, frames))


def failed(execution: Execution) -> bool:
    """Whether a cell failed; also when only showing its value did, which ends `ok` with an error among the outputs."""
    return execution.status != "ok" or any(isinstance(output, Raised) for output in execution.outputs)


@dataclass(frozen=True)
class Lost:
    """A cell that failed, and the line from which on it did not run."""

    cell: Cell
    line: int = 1


def follows_surely(execution: Execution, lost: Iterable[Lost]) -> Cell | None:
    """Return the earlier failed cell that would have defined the name which is missing now."""
    name = undefined_name(execution)
    if name is None:
        return None
    unseen = None
    for failed in reversed(list(lost)):
        names = names_of(failed.cell.source, from_line=failed.line)
        if name in names.binds:
            return failed.cell
        if names.unseen:
            unseen = unseen or failed.cell
    return unseen


def follows_perhaps(cell: Cell, execution: Execution, lost: Iterable[Lost]) -> Cell | None:
    """Return the earlier failed cell that would have set or changed what this cell reads, for errors of other kinds."""
    reads = names_of(cell.source).reads
    for failed in reversed(list(lost)):
        names = names_of(failed.cell.source, from_line=failed.line)
        if (names.binds | names.changes) & reads:
            return failed.cell
    return None


def is_stored(cell: Cell, execution: Execution) -> bool:
    """Whether the notebook already shows this error as the cell's output, so that it may be meant."""
    error = execution.error
    return error is not None and any(isinstance(o, Raised) and o.ename == error.ename for o in cell.outputs)


def is_left_alone(cell: Cell) -> bool:
    """Whether the author marked the cell as one that raises."""
    return "raises-exception" in cell.tags
