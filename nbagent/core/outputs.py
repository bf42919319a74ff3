"""What running code gives: Jupyter outputs as frozen values, and the account of one execution.

Field names and meanings follow the Jupyter messaging protocol 5.4 and nbformat 4.5.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, Field, JsonValue

UNTRUSTED = "untrusted"
"""Key in the metadata of a display that confined code made: a front-end sanitises it; no notebook stores the key."""


class StreamText(BaseModel, frozen=True):
    """Text on stdout or stderr."""

    kind: Literal["stream"] = "stream"
    name: Literal["stdout", "stderr"]
    text: str


class Display(BaseModel, frozen=True):
    """Rich output that code displayed; `display_id` lets later output replace it while the cell runs."""

    kind: Literal["display"] = "display"
    data: Mapping[str, JsonValue]
    metadata: Mapping[str, JsonValue] = Field(default_factory=dict)
    display_id: str | None = None


class Result(BaseModel, frozen=True):
    """The value of a cell's last expression."""

    kind: Literal["result"] = "result"
    data: Mapping[str, JsonValue]
    metadata: Mapping[str, JsonValue] = Field(default_factory=dict)
    execution_count: int | None = None


class Raised(BaseModel, frozen=True):
    """An exception: `traceback` lines may hold terminal colours, as Jupyter stores them."""

    kind: Literal["error"] = "error"
    ename: str
    evalue: str
    traceback: tuple[str, ...] = ()


Output = Annotated[StreamText | Display | Result | Raised, Field(discriminator="kind")]


class Refusal(BaseModel, frozen=True):
    """Something the sandbox did not let the code do; `allow_with` is the option that would allow it, if one does."""

    what: Literal["network", "read", "write", "process", "other"]
    target: str
    times: int = 1
    allow_with: str | None = None


class NameChange(BaseModel, frozen=True):
    """One variable before and after: `before`/`after` are short descriptions (type, shape, dtypes, memory)."""

    name: str
    change: Literal["new", "rebound", "deleted", "in place"]
    before: str | None = None
    after: str | None = None


class StateChange(BaseModel, frozen=True):
    """What a trial did to the variables, and the files it would have written (paths relative to the workspace)."""

    names: tuple[NameChange, ...] = ()
    files: tuple[str, ...] = ()


class Execution(BaseModel, frozen=True):
    """The account of one piece of code that was run to its end, whatever the end was.

    status: `ok`; `raised` (an exception reached the top, see `error`); `exited` (the process ended by itself,
    also `os._exit(0)` and a crash); `timed_out`; `limited` (another limit, see `detail`); `interrupted`.
    After anything but `ok` and `raised` the branch is gone.
    """

    status: Literal["ok", "raised", "exited", "timed_out", "limited", "interrupted"]
    outputs: tuple[Output, ...] = ()
    error: Raised | None = None
    detail: str = ""
    seconds: float = 0.0
    execution_count: int | None = None
    refusals: tuple[Refusal, ...] = ()
    state: StateChange | None = None
