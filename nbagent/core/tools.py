"""The tools that the model sees: their arguments are pydantic models, their docstrings are what the model reads.

Files, shell and variables are reached by trying code: they need no tool of their own.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, Field, JsonValue, ValidationError

from nbagent.core.model import ToolCall, ToolSpec

CellId = Annotated[str, Field(pattern=r"^[a-zA-Z0-9_-]{1,64}$")]
"""What nbformat 4.5 allows as a cell id."""


class _Arguments(BaseModel, frozen=True, extra="forbid"):
    name: ClassVar[str]


class ReadCells(_Arguments, frozen=True):
    """Read cells of the notebook: whole sources and stored outputs of `cells`, or, without `cells`, the outline.

    `find` keeps only the outline's cells whose source or text output contains the text; `start` lets the outline begin
    at a cell.
    """

    name: ClassVar[str] = "read_cells"
    cells: tuple[str, ...] = Field(default=(), description="ids of the cells to read whole")
    outputs: bool = Field(default=True, description="false leaves stored outputs out")
    find: str | None = Field(default=None, description="text that a cell must contain")
    start: str | None = Field(default=None, description="id of the first cell of the outline")


class TryCode(_Arguments, frozen=True):
    """Run Python code on a copy of the live variables. Nothing it does reaches the user, so it needs no permission.

    The copy lives until the turn ends: what one call defines the next one sees. No network, writes only in a scratch
    copy of the folder. Show what you need to know: the last expression, print, or a figure; tables and pictures come
    back to you. Try a cell's exact source before you propose it: the user sees what the trial showed.
    """

    name: ClassVar[str] = "try_code"
    code: str = Field(description="IPython code, as in a cell")
    alternatives: tuple[str, ...] = Field(
        default=(),
        max_length=4,
        description="other versions, each tried from the same start as `code`; only the effects of `code` last",
    )
    after: str | None = Field(
        default=None,
        description="a cell id: first run every code cell from the top through this one that the copy has not run yet",
    )
    fresh: bool = Field(default=False, description="true throws the copy away and starts from the live variables again")


class Insert(_Arguments, frozen=True):
    """A new cell."""

    name: ClassVar[str] = "insert"
    op: Literal["insert"]
    after: str | None = Field(description="id of the cell above the new one; null: at the top")
    source: str
    kind: Literal["code", "markdown"] = "code"
    id: CellId | None = Field(default=None, description="an id of your choice, to name the new cell in this call")


class Replace(_Arguments, frozen=True):
    """Another source for a cell."""

    name: ClassVar[str] = "replace"
    op: Literal["replace"]
    cell: str
    source: str = Field(description="the whole new source")


class Delete(_Arguments, frozen=True):
    """A cell goes."""

    name: ClassVar[str] = "delete"
    op: Literal["delete"]
    cell: str


class Move(_Arguments, frozen=True):
    """A cell goes to another place, unchanged."""

    name: ClassVar[str] = "move"
    op: Literal["move"]
    cell: str
    after: str | None = Field(description="id of the cell that will be above it; null: to the top")


Edit = Annotated[Insert | Replace | Delete | Move, Field(discriminator="op")]


class ProposeChanges(_Arguments, frozen=True):
    """Propose changes to the notebook. The user accepts or rejects them; then the cells in `run` are run for real.

    All edits apply or none. They are made in order: a later edit may name a cell that an earlier one inserted. A cell
    must be as you last read it. Leave `run` out to run the changed code cells and every cell that depends on them.
    """

    name: ClassVar[str] = "propose_changes"
    summary: str = Field(description="one sentence for the user: what changes, and why")
    edits: tuple[Edit, ...] = Field(default=(), description="may be empty, to only run cells")
    run: tuple[str, ...] | None = Field(default=None, description="ids of the cells to run; [] runs none")


class Step(BaseModel, frozen=True, extra="forbid"):
    """One step of a plan."""

    text: str
    status: Literal["pending", "doing", "done"]


class UpdatePlan(_Arguments, frozen=True):
    """Show the user your plan, whole each time; for tasks of several steps. At most one step is `doing`."""

    name: ClassVar[str] = "update_plan"
    steps: tuple[Step, ...]


class AskUser(_Arguments, frozen=True):
    """Ask the user one question, only when you cannot find out yourself and a wrong guess would cost much."""

    name: ClassVar[str] = "ask_user"
    question: str
    options: tuple[str, ...] = Field(
        default=(), max_length=5, description="likely answers; the user may say something else"
    )


Order = ReadCells | TryCode | ProposeChanges | UpdatePlan | AskUser
ORDERS: Mapping[str, type[Order]] = {t.name: t for t in (AskUser, ProposeChanges, ReadCells, TryCode, UpdatePlan)}


def specs() -> tuple[ToolSpec, ...]:
    """Return the tools as the model is told of them, sorted by name."""
    return tuple(
        ToolSpec(name=name, description=inspect.cleandoc(kind.__doc__ or ""), parameters=_schema(kind))
        for name, kind in sorted(ORDERS.items())
    )


def order(call: ToolCall) -> Order | str:
    """Return what a call orders, or one sentence that tells the model why it cannot be done."""
    if call.invalid is not None:
        return (
            f"The arguments of this call cannot be used: {call.invalid} Nothing was done. Make the call again, whole."
        )
    if call.name not in ORDERS:
        return f"There is no tool {call.name!r}. The tools are {', '.join(sorted(ORDERS))}."
    try:
        arguments = json.loads(call.arguments or "{}", strict=False)
        return ORDERS[call.name].model_validate(arguments)
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'arguments'}: {e['msg']}" for e in error.errors()[:5])
        return f"The arguments do not fit {call.name}: {wrong}. Nothing was done."
    except ValueError as error:
        return f"The arguments are not JSON: {error}. Nothing was done. Make the call again, whole."


def _schema(kind: type[BaseModel]) -> dict[str, JsonValue]:
    """A JSON schema without references and titles: small local servers build their grammars from it."""
    whole = kind.model_json_schema()
    definitions = whole.pop("$defs", {})
    return {key: value for key, value in _inlined(whole, definitions).items() if key != "description"}


def _inlined(schema: dict[str, JsonValue], definitions: dict[str, JsonValue]) -> dict[str, JsonValue]:
    flat: dict[str, JsonValue] = {}
    for key, value in schema.items():
        if key == "$ref":
            flat |= _inlined(definitions[str(value).rsplit("/", 1)[-1]], definitions)  # type: ignore[arg-type]
        elif key == "properties":
            flat[key] = {name: _inlined(inner, definitions) for name, inner in value.items()}  # type: ignore
        elif key not in ("title", "discriminator", "default"):
            flat["anyOf" if key == "oneOf" else key] = _value(value, definitions)
    return flat


def _value(value: JsonValue, definitions: dict[str, JsonValue]) -> JsonValue:
    match value:
        case dict():
            return _inlined(value, definitions)
        case list():
            return [_value(inner, definitions) for inner in value]
        case _:
            return value
