"""Everything that can become true in a session. A session is nothing but these, in order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, get_args

from pydantic import BaseModel, Field, JsonValue, TypeAdapter

from nbagent.core.budget import Budget, Prices
from nbagent.core.cells import CellChange
from nbagent.core.model import Effort, Image, ModelAnswer, ModelFacts, Part, Usage
from nbagent.core.outputs import Execution
from nbagent.core.privacy import Privacy
from nbagent.core.proposal import Proposal, Trial, Verdict
from nbagent.core.tools import Step

Approve = Literal["ask", "none", "cells", "all"]
"""What happens to proposals: the user decides; they are only shown; cells are edited; cells are edited and run."""


class Skill(BaseModel, frozen=True):
    """A skill that the model may read on demand."""

    name: str
    description: str
    path: str


class Terms(BaseModel, frozen=True):
    """Under which conditions a session works."""

    model: ModelFacts
    approve: Approve = "ask"
    privacy: Privacy = "outputs"
    effort: Effort | None = None
    turn_budget: Budget = Budget()
    session_budget: Budget = Budget()
    prices: Prices | None = None
    compact_at: float = 0.8
    starts_empty: bool = False
    """Whether accepted code runs in a process of our own that starts without variables."""


class SessionStarted(BaseModel, frozen=True):
    """A session began on a notebook. `guidance` is AGENTS.md, already joined and cut."""

    kind: Literal["session started"] = "session started"
    session: str
    notebook: str
    terms: Terms
    guidance: str = ""
    skills: tuple[Skill, ...] = ()
    parent: str | None = None


class TermsChanged(BaseModel, frozen=True):
    """The session goes on under other conditions."""

    kind: Literal["terms changed"] = "terms changed"
    terms: Terms


class Resumed(BaseModel, frozen=True):
    """The session was read back from its journal, in a process that knows nothing of what was going on.

    kernel_kept: whether the variables are still those of before.
    """

    kind: Literal["resumed"] = "resumed"
    kernel_kept: bool = False


class UserSpoke(BaseModel, frozen=True):
    """The user said something: it begins a turn, or steers the one that is going on."""

    kind: Literal["user spoke"] = "user spoke"
    text: str
    images: tuple[Image, ...] = ()
    output_schema: Mapping[str, JsonValue] | None = None


class NotebookSeen(BaseModel, frozen=True):
    """The notebook was looked at for the model: `text` is what is news to it, `cells` the digests of all cells."""

    kind: Literal["notebook seen"] = "notebook seen"
    text: str
    cells: Mapping[str, str]


class ModelAsked(BaseModel, frozen=True):
    """A request went out; everything that waited to be said was in it."""

    kind: Literal["model asked"] = "model asked"


class ModelAnswered(BaseModel, frozen=True):
    """The model's whole answer is here."""

    kind: Literal["model answered"] = "model answered"
    answer: ModelAnswer
    seconds: float = 0.0


class ModelFailed(BaseModel, frozen=True):
    """There is no answer to be had. `too_long`: the request did not fit the model's window."""

    kind: Literal["model failed"] = "model failed"
    says: str
    too_long: bool = False


class CallStarted(BaseModel, frozen=True):
    """A call's effect is about to begin."""

    kind: Literal["call started"] = "call started"
    call_id: str


class CodeTried(BaseModel, frozen=True):
    """Code was run in the turn's branch."""

    kind: Literal["code tried"] = "code tried"
    call_id: str
    trials: tuple[Trial, ...]


class Proposed(BaseModel, frozen=True):
    """The model's changes fit the notebook and wait for consent."""

    kind: Literal["proposed"] = "proposed"
    proposal: Proposal


class Judged(BaseModel, frozen=True):
    """The user, or the policy that the user chose, answered a proposal. `by` says which."""

    kind: Literal["judged"] = "judged"
    call_id: str
    verdict: Verdict
    by: Literal["user", "policy"]


class Applied(BaseModel, frozen=True):
    """The notebook was changed. `undo` leads back; `cells` are the digests of the cells that are new or changed."""

    kind: Literal["applied"] = "applied"
    call_id: str
    changes: tuple[CellChange, ...]
    undo: tuple[CellChange, ...]
    cells: Mapping[str, str]
    affected: tuple[str, ...] = ()


class CellStarted(BaseModel, frozen=True):
    """An accepted cell is about to run where its effects are real."""

    kind: Literal["cell started"] = "cell started"
    call_id: str
    cell_id: str


class CellRan(BaseModel, frozen=True):
    """An accepted cell ran; `digest` names the source that did."""

    kind: Literal["cell ran"] = "cell ran"
    call_id: str
    cell_id: str
    digest: str
    execution: Execution


class PlanUpdated(BaseModel, frozen=True):
    """The model's plan is another one."""

    kind: Literal["plan updated"] = "plan updated"
    steps: tuple[Step, ...]


class CallAnswered(BaseModel, frozen=True):
    """A call has its result. `seen` are digests of cells that the result shows."""

    kind: Literal["call answered"] = "call answered"
    call_id: str
    parts: tuple[Part, ...]
    is_error: bool = False
    seen: Mapping[str, str] = {}


class ModelTold(BaseModel, frozen=True):
    """nbagent reminds the model of something before the turn may end."""

    kind: Literal["model told"] = "model told"
    about: Literal["unproven", "cut off", "misfit"]
    text: str


class AnswerChecked(BaseModel, frozen=True):
    """The final answer was held against the form that the user asked for; `wrong` is empty when it fits."""

    kind: Literal["answer checked"] = "answer checked"
    wrong: str = ""


class Compacted(BaseModel, frozen=True):
    """The history before this was replaced by a summary; plan, changes and cells are kept apart from it."""

    kind: Literal["compacted"] = "compacted"
    summary: str
    usage: Usage = Usage()
    seconds: float = 0.0


class Stopped(BaseModel, frozen=True):
    """The turn was stopped in its middle, by the user or because its time was up; `seconds` that the last action had
    taken until then."""

    kind: Literal["stopped"] = "stopped"
    by: Literal["user", "budget"] = "user"
    seconds: float = 0.0


class Undone(BaseModel, frozen=True):
    """Accepted changes of a turn were taken back in the notebook."""

    kind: Literal["undone"] = "undone"
    call_ids: tuple[str, ...]
    changes: tuple[CellChange, ...]
    cells: Mapping[str, str]


Ending = Literal["done", "stopped", "failed", "budget", "interrupted"]
"""How a turn ends: `failed` says why; `budget`: a limit was reached; `interrupted`: nbagent was ended in its middle."""


class TurnEnded(BaseModel, frozen=True):
    """Nothing more happens before the user speaks. `says` is one sentence, empty when the model's words are enough."""

    kind: Literal["turn ended"] = "turn ended"
    how: Ending
    says: str = ""


Event = Annotated[
    SessionStarted
    | TermsChanged
    | Resumed
    | UserSpoke
    | NotebookSeen
    | ModelAsked
    | ModelAnswered
    | ModelFailed
    | CallStarted
    | CodeTried
    | Proposed
    | Judged
    | Applied
    | CellStarted
    | CellRan
    | PlanUpdated
    | CallAnswered
    | ModelTold
    | AnswerChecked
    | Compacted
    | Stopped
    | Undone
    | TurnEnded,
    Field(discriminator="kind"),
]
ALL = get_args(get_args(Event)[0])
"""Every kind of event, to tell events from what is still arriving."""
EVENTS: TypeAdapter[Event] = TypeAdapter(Event)
"""Reads and writes events as JSON; its schema is the one that is published."""
