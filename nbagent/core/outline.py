"""The notebook as the model first sees it: one line per cell, whole cells on demand, and what changed since."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from nbagent.core.cells import Cell, Snapshot
from nbagent.core.dataflow import stale
from nbagent.core.model import Part, Text
from nbagent.core.privacy import Privacy
from nbagent.core.results import measure, outputs
from nbagent.core.shorten import TOOL_TOKENS, cut_middle, share
from nbagent.core.tools import ReadCells

OUTLINE_TOKENS = 6_000
LINE = 90
STORED_TOKENS = 2_000
"""For the stored outputs of one cell that is read whole."""


def outline(cells: Sequence[Cell], notebook: Snapshot) -> str:
    """Return one line per cell: id, kind, execution state, size, first line, what its outputs are."""
    old = stale(notebook.cells)
    lines = [_line(cell, old.get(cell.id)) for cell in cells]
    whole = "\n".join(lines) or "(no cells)"
    return cut_middle(whole, OUTLINE_TOKENS, "read_cells with `start` or `find` shows the rest")


def opening(notebook: Snapshot) -> str:
    """Return the notebook's outline with its name and kernel, for the first request."""
    kernel = notebook.kernel or "no kernel named"
    count = f"{len(notebook.cells)} cells"
    return f"Notebook {notebook.path} ({count}, kernel {kernel}, {notebook.language or 'language not named'}):\n" + (
        outline(notebook.cells, notebook)
    )


def news(seen: Mapping[str, str], notebook: Snapshot) -> str:
    """Return what is new for someone who saw the cells as `seen` (id -> digest); empty when nothing is."""
    now = {cell.id: cell for cell in notebook.cells}
    gone = [cell_id for cell_id in seen if cell_id not in now]
    fresh = [cell for cell in notebook.cells if seen.get(cell.id) != cell.digest]
    told = [f"The user deleted the cells {', '.join(gone)}."] if gone else []
    if fresh:
        told.append(f"These cells are new or changed since you saw them:\n{outline(fresh, notebook)}")
    return "\n".join(told)


def digests(cells: Sequence[Cell]) -> dict[str, str]:
    """Return what changes to these cells must expect."""
    return {cell.id: cell.digest for cell in cells}


def read(order: ReadCells, notebook: Snapshot, level: Privacy) -> tuple[tuple[Part, ...], dict[str, str]]:
    """Return what the model asked to see, and the digests of the cells that it saw. Raises `UnknownCell`."""
    if order.cells:
        chosen = [notebook.cell(cell_id) for cell_id in order.cells]
        grants = share(tuple(cell.source for cell in chosen), TOOL_TOKENS)
        old = stale(notebook.cells)
        parts = [
            p for c, grant in zip(chosen, grants, strict=True) for p in _whole(c, grant, old.get(c.id), order, level)
        ]
        return tuple(parts), digests(chosen)
    start = 0 if order.start is None else notebook.index(order.start)
    chosen = [cell for cell in notebook.cells[start:] if order.find is None or _contains(cell, order.find)]
    return (Text(text=outline(chosen, notebook)),), digests(chosen)


def _whole(cell: Cell, limit: int, old: str | None, order: ReadCells, level: Privacy) -> list[Part]:
    head = f"--- {cell.id} {cell.kind}{_state(cell, old)}"
    source = Text(text=f"{head}\n{cut_middle(cell.source, max(limit, 100))}")
    if not (order.outputs and cell.outputs):
        return [source]
    return [source, Text(text=f"--- outputs of {cell.id}"), *outputs(cell.outputs, level, STORED_TOKENS)]


def _contains(cell: Cell, text: str) -> bool:
    shown = "\n".join(part.text for part in outputs(cell.outputs, "outputs") if isinstance(part, Text))
    return text.casefold() in cell.source.casefold() or text.casefold() in shown.casefold()


def _line(cell: Cell, old: str | None) -> str:
    lines = cell.source.strip().splitlines()
    first = next((line for line in lines if line.strip() and not line.startswith("%%")), "(empty)").strip()
    first = first if len(first) <= LINE else first[: LINE - 3] + "..."
    size = f" +{len(lines) - 1} lines" if len(lines) > 1 else ""
    shown = f"  => {measure(cell.outputs)}" if cell.outputs else ""
    return f"{cell.id} {cell.kind}{_state(cell, old)}: {first}{size}{shown}"


def _state(cell: Cell, old: str | None) -> str:
    if cell.kind != "code":
        return ""
    count = " [not run]" if cell.execution_count is None else f" [{cell.execution_count}]"
    return f"{count} (stale: uses {old}, which ran later)" if old else count


def variables(lines: Sequence[tuple[str, str]]) -> str:
    """Return live variables, a line each; descriptions hold types and shapes, no values."""
    listed = "\n".join(f"{name}: {what}" for name, what in lines)
    return cut_middle(f"Live variables:\n{listed}", 2_000) if lines else "No variables are live yet."
