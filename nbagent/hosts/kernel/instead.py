"""A trial that is no fork of the kernel: what a fresh process needs for it, and running it there.

Of the variables that the code reads, data is copied, modules and library functions are imported, and what only a cell
can make (functions and classes of the user's, what cannot be copied) is made by running the cells it depends on again.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable
from pathlib import Path

from pydantic import BaseModel, JsonValue

from nbagent.core.dataflow import flow
from nbagent.core.errors import SandboxError, UsageError
from nbagent.core.outputs import Execution, Output
from nbagent.sandbox.access import Access
from nbagent.sandbox.branch import BaseSandbox, ProcessBranch

_CACHES = "/.home/"
"""Part of the path where tools keep caches and settings, in the scratch."""
Say = Callable[[dict[str, JsonValue]], None]


class Order(BaseModel, frozen=True):
    """Code to try; the cells that ran, in order; and how each variable can be had, in the words of `copied.kind_of`."""

    source: str
    cells: tuple[str, ...] = ()
    kinds: dict[str, str] = {}


class Plan(BaseModel, frozen=True):
    """What a fresh process is given: lines that import, names whose values are copied, cells that run again."""

    imports: tuple[str, ...] = ()
    copy_names: tuple[str, ...] = ()
    replay: tuple[str, ...] = ()


class Instead(BaseModel, frozen=True):
    """A trial to be run: its code, what was planned, and where the copies lie."""

    source: str
    plan: Plan
    memory: str


def planned(order: Order) -> Plan:
    """Return what the code needs. Raises `UsageError` when something can neither be copied nor made again."""
    wanted, seen = sorted(flow(order.source).reads & order.kinds.keys()), set[str]()
    imports: list[str] = []
    copied: list[str] = []
    again: set[int] = set()
    while wanted:
        name = wanted.pop()
        if name in seen:
            continue
        seen.add(name)
        kind = order.kinds[name]
        if kind == "copy":
            copied.append(name)
        elif kind == "define":
            for number in _makers(name, order.cells):
                again.add(number)
                wanted += sorted((flow(order.cells[number]).reads & order.kinds.keys()) - seen)
        else:
            imports.append(f"{kind} as {name}")
    replay = tuple(order.cells[number] for number in sorted(again))
    return Plan(imports=tuple(sorted(imports)), copy_names=tuple(sorted(copied)), replay=replay)


def _makers(name: str, cells: tuple[str, ...]) -> list[int]:
    """Return the cell that made a variable last, and those that changed it in place since then."""
    flows = [flow(cell) for cell in cells]
    made = [number for number, each in enumerate(flows) if name in each.writes]
    if not made:
        raise UsageError(f"{name} can neither be copied, nor is the cell known that made it")
    return [made[-1], *(number for number in range(made[-1] + 1, len(cells)) if name in flows[number].mutates)]


async def tried(access: Access, order: Instead, say: Say) -> dict[str, JsonValue]:
    """Run the code in a fresh confined process, saying each output as it comes; return the account of it."""
    sandbox = BaseSandbox(Path(sys.executable), access, preload=False, watch=True)
    try:
        branch = await sandbox.open()
        await _prepare(branch, order)
        before = set(await branch.files())

        def show(output: Output) -> None:
            say({"output": output.model_dump(mode="json")})

        done = await branch.run(order.source, show=show)
        files = set(await branch.files()) - before if done.status in ("ok", "raised") else set[str]()
        return {"ended": _told(done), "files": [name for name in sorted(files) if _CACHES not in name]}
    finally:
        await sandbox.close()


async def _prepare(branch: ProcessBranch, order: Instead) -> None:
    for source in ("\n".join(order.plan.imports), *order.plan.replay):
        done = await branch.run(source)
        if done.status != "ok":
            why = done.error.ename if done.error else done.detail or done.status
            raise SandboxError(f"a cell that it depends on failed there ({why})")
    why_not = await branch.put(os.open(order.memory, os.O_RDONLY | os.O_CLOEXEC))
    if why_not is not None:
        raise SandboxError(f"its variables could not be read there ({why_not})")


def _told(done: Execution) -> dict[str, JsonValue]:
    return done.model_copy(update={"outputs": ()}).model_dump(mode="json")


def run(access: Access, order: Instead, say: Say) -> dict[str, JsonValue]:
    """Do what `tried` does, from a process without an event loop."""
    return asyncio.run(tried(access, order, say))
