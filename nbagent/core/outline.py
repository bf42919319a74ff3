"""The notebook as the model first sees it: one line per cell, whole cells on demand, and what changed since."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence

from nbagent.core.cells import Cell, Snapshot
from nbagent.core.dataflow import stale
from nbagent.core.model import Part, Text
from nbagent.core.privacy import Privacy
from nbagent.core.results import measure, outputs
from nbagent.core.shorten import OUTLINE_TOKENS, cut_middle, share
from nbagent.core.tools import ReadCells

LINE = 90
STORED_TOKENS = 2_000
"""For the stored outputs of one cell that is read whole."""


def outline(cells: Sequence[Cell], notebook: Snapshot, limit: int = OUTLINE_TOKENS) -> str:
    """Return one line per cell: id, kind, execution state, size, first line, what its outputs are."""
    old = stale(notebook.cells)
    lines = [_line(cell, old.get(cell.id)) for cell in cells]
    whole = "\n".join(lines) or "(no cells)"
    return cut_middle(whole, limit, "read_cells with `start` or `find` shows the rest")


def opening(notebook: Snapshot, limit: int = OUTLINE_TOKENS) -> str:
    """Return the notebook's outline with its name and kernel, for the first request."""
    kernel = f"kernel {notebook.kernel}" if notebook.kernel else "no kernel named"
    count = f"{len(notebook.cells)} cells"
    return f"Notebook {notebook.path} ({count}, {kernel}, {notebook.language or 'language not named'}):\n" + (
        outline(notebook.cells, notebook, limit)
    )


def news(seen: Mapping[str, str], notebook: Snapshot, limit: int = OUTLINE_TOKENS) -> str:
    """Return what is new for someone who saw the cells as `seen` (id -> digest); empty when nothing is."""
    now = {cell.id: cell for cell in notebook.cells}
    gone = [cell_id for cell_id in seen if cell_id not in now]
    fresh = [cell for cell in notebook.cells if seen.get(cell.id) != cell.digest]
    told = [f"The user deleted the cells {', '.join(gone)}."] if gone else []
    if fresh:
        told.append(f"These cells are new or changed since you saw them:\n{outline(fresh, notebook, limit)}")
    return "\n".join(told)


def digests(cells: Sequence[Cell]) -> dict[str, str]:
    """Return what changes to these cells must expect."""
    return {cell.id: cell.digest for cell in cells}


def read(order: ReadCells, notebook: Snapshot, level: Privacy, limit: int) -> tuple[tuple[Part, ...], dict[str, str]]:
    """Return what the model asked to see, and the digests of the cells that it saw. Raises `UnknownCell`."""
    if order.cells:
        chosen = [notebook.cell(cell_id) for cell_id in order.cells]
        grants = share(tuple(cell.source for cell in chosen), limit)
        old = stale(notebook.cells)
        shown = [outputs(cell.outputs, level, STORED_TOKENS) if order.outputs else () for cell in chosen]
        parts: list[Part] = []
        for cell, grant, out in zip(chosen, grants, shown, strict=True):
            parts.append(Text(text=f"--- {_head(cell, old.get(cell.id))}\n{cut_middle(cell.source, grant)}"))
            parts += [Text(text=f"--- outputs of {cell.id}"), *out] if out else []
        return tuple(parts), digests(chosen)
    start = 0 if order.start is None else notebook.index(order.start)
    chosen = [cell for cell in notebook.cells[start:] if order.find is None or _contains(cell, order.find, level)]
    return (Text(text=outline(chosen, notebook, limit)),), digests(chosen)


def _contains(cell: Cell, text: str, level: Privacy) -> bool:
    """Whether the model may find a text in a cell: not in what is withheld from it."""
    shown = [part.text for part in outputs(cell.outputs, level, sys.maxsize) if isinstance(part, Text)]
    return any(text.casefold() in each.casefold() for each in (cell.source, *shown))


def _line(cell: Cell, old: str | None) -> str:
    lines = cell.source.strip().splitlines()
    first = next((line for line in lines if line.strip() and not line.startswith("%%")), "(empty)").strip()
    first = first if len(first) <= LINE else first[: LINE - 3] + "..."
    size = f" +{len(lines) - 1} lines" if len(lines) > 1 else ""
    shown = f"  => {measure(cell.outputs)}" if cell.outputs else ""
    return f"{_head(cell, old)}: {first}{size}{shown}"


def _head(cell: Cell, old: str | None) -> str:
    if cell.kind != "code":
        return f"{cell.id} {cell.kind}"
    count = "not run" if cell.execution_count is None else str(cell.execution_count)
    return f"{cell.id} code [{count}]" + (f" (stale: {old} changed or ran later)" if old else "")


def variables(lines: Sequence[tuple[str, str]], limit: int = OUTLINE_TOKENS // 3) -> str:
    """Return live variables, a line each; descriptions hold types and shapes, no values."""
    listed = "\n".join(f"{name}: {what}" for name, what in lines)
    return cut_middle(f"Live variables:\n{listed}", limit) if lines else "No variables are live yet."
