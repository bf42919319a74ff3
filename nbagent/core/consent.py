"""The one gate between what a model wants and what happens to the user's notebook and variables."""

from __future__ import annotations

from typing import assert_never

from nbagent.core.events import Approve
from nbagent.core.proposal import Proposal, Verdict


def consent(approve: Approve, proposal: Proposal) -> Verdict | None:
    """Return what the user's policy says about a proposal; None: the user must be asked."""
    match approve:
        case "ask":
            return None
        case "none":
            return Verdict(
                answer="reject", run=False, comment="Proposals are only shown in this session: nothing is applied."
            )
        case "cells":
            comment = "Cells are edited but not run in this session." if proposal.run else ""
            return Verdict(answer="accept", run=False, comment=comment)
        case "all":
            return Verdict(answer="accept")
        case _:
            assert_never(approve)


def rules(approve: Approve) -> str:
    """Return what the model is told about consent."""
    match approve:
        case "ask":
            return "The user is asked to accept each proposal; accepted cells then run with the user's rights."
        case "none":
            return "Proposals are only shown to the user: nothing is applied and nothing is run."
        case "cells":
            return "Accepted at once: edits of cells. Nothing is run in the notebook; prove your cells with try_code."
        case "all":
            return "Proposals are accepted at once, and their cells are run."
        case _:
            assert_never(approve)
