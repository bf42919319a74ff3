"""Asks the failed process about its objects: which code failed, of what class a value is, what a callable takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import cast

from pydantic import JsonValue

import nbagent.inside as inside
from nbagent.core.cells import Cell
from nbagent.repair.rule import Case, Frame


@lru_cache(maxsize=1)
def _program() -> str:
    return (Path(inside.__file__).parent / "look.py").read_text(encoding="utf-8")


async def look(case: Case, function: str, *args: JsonValue, user: bool = False) -> JsonValue:
    """Call a function of `nbagent.inside.look` in the failed process; None when it raises there.

    user: its first argument is the user's namespace.
    """
    given = ", ".join((["globals()"] if user else []) + [repr(arg) for arg in args])
    only = f"n.update(ONLY={case.file!r})"
    return await case.ask(
        f"(lambda n: (exec({_program()!r}, n), {only}, n[{function!r}]({given}))[2])({{'__name__': 'look'}})"
    )


@dataclass(frozen=True)
class Place:
    """A step of the failure that stands in a cell. span: line, end line, column, end column (in bytes), if known."""

    number: int
    cell: Cell
    line: int
    span: tuple[int, int, int, int] | None = None
    function: str = "<module>"


async def places(case: Case) -> tuple[Place, ...]:
    """Return where the failure passes through cells, innermost first; at least what the traceback's text says."""
    found = await look(case, "places")
    steps = [frame for frame in case.frames if frame.cell_id is not None]
    answer: list[Place] = []
    if isinstance(found, list) and found:
        first_file = cast("dict[str, JsonValue]", found[0]).get("file")
        for number, raw in enumerate(found):
            entry = cast("dict[str, JsonValue]", raw)
            cell = case.cell if entry["file"] == first_file else _cell_of(case, steps, number, len(found))
            if cell is not None:
                span = entry["span"]
                answer.append(
                    Place(
                        number,
                        cell,
                        cast(int, entry["line"]),
                        cast("tuple[int, int, int, int]", tuple(span)) if isinstance(span, list) else None,
                        cast(str, entry["function"]),
                    )
                )
    if not answer:
        answer = [Place(-1, case.notebook.cell(f.cell_id), f.line) for f in steps if f.cell_id]
        answer = answer or [Place(-1, case.cell, line) for line in case.lines]
    return tuple(reversed(answer))


def _cell_of(case: Case, steps: list[Frame], number: int, total: int) -> Cell | None:
    if len(steps) != total:
        return None
    frame = steps[number]
    return case.notebook.cell(frame.cell_id) if frame.cell_id else None


async def kinds(case: Case, place: Place, *expressions: str) -> list[list[str]]:
    """Return the qualified class names (method resolution order) of each expression's value; empty where unknown."""
    found = await look(case, "kinds", _number(place), list(expressions), user=True)
    if not isinstance(found, list):
        return [[] for _ in expressions]
    return [cast("list[str]", entry) if isinstance(entry, list) else [] for entry in found]


async def values(case: Case, place: Place, *expressions: str) -> list[JsonValue]:
    """Return each expression's value where it is a plain one (truth value, number, text, list), else None."""
    found = await look(case, "values", _number(place), list(expressions), user=True)
    return found if isinstance(found, list) else [None for _ in expressions]


@dataclass(frozen=True)
class Parameter:
    """One parameter of a callable; `kind` as `inspect` names it."""

    name: str
    kind: str
    optional: bool


@dataclass(frozen=True)
class Signature:
    """What a callable takes. owner: class names of the object that a method is bound to."""

    name: str
    module: str
    parameters: tuple[Parameter, ...]
    owner: tuple[str, ...] = ()

    def takes(self, name: str) -> bool:
        """Whether the callable has a parameter of this name that can be given by keyword."""
        return any(p.name == name and p.kind in ("POSITIONAL_OR_KEYWORD", "KEYWORD_ONLY") for p in self.parameters)


async def signature(case: Case, place: Place, expression: str) -> Signature | None:
    """Return the signature of what an expression names at a place, or None."""
    found = await look(case, "signature", _number(place), expression, user=True)
    if not isinstance(found, dict):
        return None
    parameters = cast("list[tuple[str, str, bool]]", found["parameters"])
    owner = tuple(cast("list[str]", found["owner"]))
    listed = tuple(Parameter(name, kind, optional) for name, kind, optional in parameters)
    return Signature(cast(str, found["name"]), cast(str, found["module"]), listed, owner)


async def strings(case: Case, function: str, name: str, among: Sequence[str] = ()) -> list[str]:
    """Return the list of texts that a function of `nbagent.inside.look` answers with."""
    given: list[JsonValue] = [[*among]] if among else []
    found = await look(case, function, name, *given)
    return [entry for entry in found if isinstance(entry, str)] if isinstance(found, list) else []


def _number(place: Place) -> int | None:
    return place.number if place.number >= 0 else None
