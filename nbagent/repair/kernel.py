"""The failure before any cell: a notebook that names a kernelspec which does not exist here."""

from __future__ import annotations

from collections.abc import Sequence

from nbagent.core.cells import Cell, SetKernel, Snapshot
from nbagent.core.errors import NotebookError
from nbagent.core.outputs import Execution, Raised
from nbagent.repair.report import Applied
from nbagent.repair.rule import NO_SUCH_KERNEL, Case, InstalledKernel, Rule


async def choose_kernel(
    notebook: Snapshot, kernels: Sequence[InstalledKernel], rules: Sequence[Rule]
) -> tuple[Snapshot, Applied | None]:
    """Return the notebook with a kernelspec that exists, and the fix if it took one; unchanged if no rule knows one.

    A notebook that names none is left alone: every front-end has a default for it.
    """
    installed = {kernel.name for kernel in kernels}
    if notebook.kernel is None or notebook.kernel in installed:
        return notebook, None
    cell = next((cell for cell in notebook.cells if cell.kind == "code"), Cell(id="", kind="code", source=""))
    failure = Execution(status="raised", error=Raised(ename=NO_SUCH_KERNEL, evalue=notebook.kernel))
    case = Case(notebook=notebook, cell=cell, execution=failure, kernels=tuple(kernels))
    for rule in rules:
        async for fix in rule.candidates(case):
            match fix.changes:
                case (SetKernel() as change,) if change.name in installed:
                    try:
                        after = notebook.apply(fix.changes)
                    except NotebookError:
                        continue
                    return after, Applied(
                        rule=rule.code,
                        name=rule.name,
                        confidence=rule.confidence,
                        says=fix.says,
                        cell="",
                        error=f"{NO_SUCH_KERNEL}: {notebook.kernel}",
                        changes=fix.changes,
                    )
                case _:
                    continue
    return notebook, None
