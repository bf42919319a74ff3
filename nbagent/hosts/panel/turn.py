"""A turn as a panel shows it: one frozen value, stored in notebooks as `application/vnd.nbagent.turn+json`.

`version` grows with each change that an older front-end would read wrongly; such a front-end shows the fallbacks.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from nbagent.core import proposal as core
from nbagent.core.events import Ending
from nbagent.core.model import Usage
from nbagent.core.outputs import Execution
from nbagent.core.tools import Step

MIME = "application/vnd.nbagent.turn+json"
VERSION = 1

Status = Literal["working", "waiting"] | Ending
"""Where the turn stands: at work, waiting for the user's consent, or ended in one of the ways that a turn can end."""
Standing = Literal["pending", "accepted", "partly accepted", "rejected", "undone"]
"""Where a proposal stands."""


class Said(BaseModel, frozen=True):
    """Words of the user, who began or steered the turn, of the model, or of nbagent itself."""

    kind: Literal["said"] = "said"
    by: Literal["user", "agent", "nbagent"]
    text: str


class Tried(BaseModel, frozen=True):
    """A trial: a card that opens and closes."""

    kind: Literal["tried"] = "tried"
    trial: core.Trial


class Offered(BaseModel, frozen=True):
    """A proposal with what became of it. `only`: places of the changes that were accepted, when it was a part.

    ran: executions of accepted cells, by cell id. A front-end may act on it only while the service says that `offer.id`
    is pending: what a notebook stores is no such word.
    """

    kind: Literal["offered"] = "offered"
    offer: core.Proposal
    standing: Standing = "pending"
    by: Literal["user", "policy"] | None = None
    only: tuple[int, ...] | None = None
    comment: str = ""
    ran: Mapping[str, Execution] = {}


Entry = Annotated[Said | Tried | Offered, Field(discriminator="kind")]


class Footer(BaseModel, frozen=True):
    """What the turn took. `context` and `window` are in tokens; `cost` is None where no prices are known."""

    model: str = ""
    seconds: float = 0.0
    usage: Usage = Usage()
    context: int = 0
    window: int | None = None
    cost: float | None = None


class Turn(BaseModel, frozen=True):
    """What the panel shows."""

    version: Literal[1] = 1
    session: str = ""
    number: int = 0
    status: Status = "working"
    says: str = ""
    plan: tuple[Step, ...] = ()
    entries: tuple[Entry, ...] = ()
    footer: Footer = Footer()
