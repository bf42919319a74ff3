"""The loop from end to end, with a stand-in for every port."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from nbagent.core import events as e
from nbagent.core.budget import Budget
from nbagent.core.cells import Cell, InsertCell, Snapshot
from nbagent.core.errors import CannotConfine, ContextTooLong, JournalError, ModelError, NotebookError
from nbagent.core.model import (
    AssistantMessage,
    ModelAnswer,
    ModelFacts,
    ModelRequest,
    Notice,
    Text,
    ToolCall,
    ToolResult,
    Usage,
    UserMessage,
)
from nbagent.core.proposal import Verdict
from nbagent.core.session import Session
from nbagent.loop import run
from nbagent.ports import Branch, Ports
from nbagent.testing import (
    MemoryJournal,
    MemoryNotebook,
    NamespaceKernel,
    Reply,
    ScriptedModel,
    ScriptedUser,
    WaitingModel,
    calls,
    says,
)

NOTEBOOK = Snapshot(
    path="sales.ipynb",
    kernel="python3",
    language="python",
    cells=(
        Cell(id="title", kind="markdown", source="# Sales"),
        Cell(id="load", kind="code", source="sales = [3, 4, 5]"),
        Cell(id="total", kind="code", source="total = sum(sales)\ntotal"),
        Cell(id="other", kind="code", source="1 + 1"),
    ),
)


class World:
    """One session with its stand-ins."""

    def __init__(self, *replies: Reply, user: ScriptedUser | None = None, **terms: Any) -> None:
        self.model = ScriptedModel(*replies, facts=terms.pop("facts", None))
        self.notebook = MemoryNotebook(NOTEBOOK)
        self.kernel = NamespaceKernel()
        self.user = user or ScriptedUser()
        self.journal = MemoryJournal()
        self.terms = e.Terms(model=self.model.facts, **{"approve": "all", "starts_empty": True, **terms})
        self.start: tuple[e.Event, ...] = (
            e.SessionStarted(session="s1", notebook="sales.ipynb", terms=self.terms),
            e.UserSpoke(text="Make it better."),
        )
        self.secrets: tuple[str, ...] = ()

    def ports(self, **other: Any) -> Ports:
        given = {
            "model": self.model,
            "notebook": self.notebook,
            "sandbox": self.kernel,
            "kernel": self.kernel,
            "user": self.user,
            "journal": self.journal,
            "secrets": self.secrets,
        }
        return Ports(**{**given, **other})

    async def run(self, **other: Any) -> Session:
        async with asyncio.timeout(10):
            return await run(Session.of(self.start), self.ports(**other))


def ask(name: str, **arguments: Any) -> tuple[str, str]:
    return name, json.dumps(arguments)


def result(session: Session, number: int = 1) -> str:
    items = [i for i in session.state.history if isinstance(i, ToolResult) and i.call_id == f"call-{number}"]
    assert len(items) == 1
    return "\n".join(part.text for part in items[0].parts if isinstance(part, Text))


def kinds(events: list[e.Event]) -> list[str]:
    return [event.kind for event in events]


REPLACE = {"op": "replace", "cell": "load", "source": "sales = [3, 4, 6]"}


async def test_read_try_propose_consent_apply() -> None:
    user = ScriptedUser(verdicts=[Verdict(answer="accept")])
    world = World(
        calls(ask("read_cells", cells=["load"])),
        calls(ask("try_code", code="sales = [3, 4, 6]"), first=2),
        calls(ask("propose_changes", summary="Correct the last sale.", edits=[REPLACE]), first=3),
        says("The total is 13."),
        user=user,
        approve="ask",
    )
    session = await world.run()
    assert kinds(world.journal.events) == [
        "notebook seen",
        *("model asked", "model answered", "call answered"),
        *("model asked", "model answered", "call started", "code tried", "call answered"),
        *("model asked", "model answered", "proposed", "judged", "call started", "applied"),
        *("cell started", "cell ran", "cell started", "cell ran", "call answered"),
        *("model asked", "model answered", "turn ended"),
    ]
    assert session.events == (*world.start, *world.journal.events)
    assert session.state.unproven == {}
    assert world.notebook.snapshot.cell("load").source == "sales = [3, 4, 6]"
    assert [o.kind for o in world.notebook.snapshot.cell("total").outputs] == ["result"]
    assert world.kernel.ran == ["load", "total"]
    proposal = user.asked[0]
    assert proposal.model_dump()["before"] == {"load": "sales = [3, 4, 5]"}
    assert proposal.model_dump()["evidence"][0]["tried"] is True
    assert "--- ran total\n13\n[ok, 0.0 s]" in result(session, 3)


async def test_a_trial_leaves_the_live_variables_alone_and_lasts_for_the_turn() -> None:
    world = World(
        calls(ask("try_code", code="total * 2", after="total")),
        calls(ask("try_code", code="total + 1", after="total"), first=2),
        calls(ask("try_code", code="total", fresh=True), first=3),
        says("24."),
    )
    session = await world.run()
    assert result(session, 1).splitlines()[:2] == ["Ran first: load, total.", "24"]
    assert result(session, 2).splitlines()[0] == "13"
    assert "NameError" in result(session, 3)
    assert world.kernel.live == {}


async def test_alternatives_start_from_the_same_place_and_leave_nothing() -> None:
    world = World(
        calls(ask("try_code", code="n = 1")),
        calls(ask("try_code", code="n += 1; n", alternatives=["n += 10; n", "n += 100; n"]), first=2),
        says("2."),
    )
    session = await world.run()
    lines = result(session, 2).splitlines()
    assert [line for line in lines if line.isdigit()] == ["11", "101", "2"]


async def test_a_cell_that_fails_on_the_way_is_what_the_model_reads() -> None:
    world = World(calls(ask("try_code", code="1", after="total")), says("It is broken."))
    world.notebook.snapshot = NOTEBOOK.model_copy(
        update={"cells": (Cell(id="load", kind="code", source="boom"), *NOTEBOOK.cells[2:])}
    )
    session = await world.run()
    assert "cell load failed, so the code was not run" in result(session)
    assert "NameError: name 'boom' is not defined" in result(session)


async def test_a_branch_that_ended_is_replaced() -> None:
    world = World(calls(ask("try_code", code="os._exit(0)")), calls(ask("try_code", code="2 + 2"), first=2), says("4."))
    session = await world.run()
    assert "The copy of the variables is gone" in result(session, 1)
    assert result(session, 2).startswith("4\n")


async def test_a_denied_proposal_changes_nothing_and_the_model_is_told() -> None:
    user = ScriptedUser(verdicts=[Verdict(answer="reject", comment="Keep 5.")])
    world = World(calls(ask("propose_changes", summary="x", edits=[REPLACE])), says("Kept."), user=user, approve="ask")
    session = await world.run()
    assert result(session) == "Not applied. Keep 5."
    assert world.notebook.snapshot == NOTEBOOK
    assert world.kernel.ran == []


async def test_with_approve_none_nothing_is_applied() -> None:
    world = World(calls(ask("propose_changes", summary="x", edits=[REPLACE])), says("Shown."), approve="none")
    session = await world.run()
    assert result(session).startswith("Not applied. Proposals are only shown")
    assert world.notebook.snapshot == NOTEBOOK


async def test_with_approve_cells_nothing_is_run_and_the_model_is_reminded_once() -> None:
    world = World(
        calls(ask("propose_changes", summary="x", edits=[REPLACE])), says("Done."), says("Done."), approve="cells"
    )
    session = await world.run()
    assert world.kernel.ran == []
    assert world.notebook.snapshot.cell("load").source == "sales = [3, 4, 6]"
    assert kinds(world.journal.events).count("model told") == 1
    assert session.events[-1] == e.TurnEnded(how="done", says="Not proved by a run: load, total.")


async def test_a_trial_of_the_exact_source_is_proof_enough_to_be_done() -> None:
    edit = {"op": "insert", "after": "other", "source": "print('new')", "id": "new"}
    world = World(
        calls(ask("propose_changes", summary="x", edits=[edit], run=[])),
        calls(ask("try_code", code="print('new')"), first=2),
        says("Done."),
    )
    session = await world.run()
    assert session.events[-1] == e.TurnEnded(how="done")
    assert world.notebook.snapshot.cell("new").provenance is not None


async def test_accepting_a_part_applies_that_part_without_evidence() -> None:
    edits = [REPLACE, {"op": "insert", "after": None, "source": "print(1)", "id": "new"}]
    user = ScriptedUser(verdicts=[Verdict(answer="accept", only=(0,))])
    world = World(calls(ask("propose_changes", summary="x", edits=edits)), says("Ok."), user=user, approve="ask")
    await world.run()
    assert [cell.id for cell in world.notebook.snapshot.cells] == ["title", "load", "total", "other"]
    assert world.kernel.ran == ["load", "total"]


async def test_a_cell_that_changed_since_it_was_read_is_not_changed() -> None:
    def user_edits(_: ModelRequest) -> ModelAnswer:
        world.notebook.snapshot = world.notebook.snapshot.apply(
            (InsertCell(after=None, new_id="x", source="1"),)
        ).model_copy(
            update={"cells": tuple(c.model_copy(update={"source": "mine"}) for c in world.notebook.snapshot.cells)}
        )
        return calls(ask("propose_changes", summary="x", edits=[REPLACE]))

    world = World(user_edits, says("I read again."))
    session = await world.run()
    assert result(session) == "Cell 'load' changed since it was read. Read it again."
    assert world.notebook.snapshot.cell("load").source == "mine"


async def test_what_the_user_changed_between_turns_is_news_to_the_model() -> None:
    world = World(says("Hello."), says("I see."))
    first = await world.run()
    cells = (NOTEBOOK.cells[0], Cell(id="load", kind="code", source="sales = []"))
    world.notebook.snapshot = NOTEBOOK.model_copy(update={"cells": cells})
    again = await run(first.apply(e.UserSpoke(text="And now?")), world.ports())
    news = world.model.requests[1].history[-2]
    assert isinstance(news, Notice)
    assert news.text.splitlines() == [
        "The user deleted the cells total, other.",
        "These cells are new or changed since you saw them:",
        "load code [not run]: sales = []",
    ]
    assert again.state.turn == 2


async def test_a_message_during_the_work_joins_the_next_request_after_the_results() -> None:
    def interrupting(_: ModelRequest) -> ModelAnswer:
        world.user.inbox.put_nowait(e.UserSpoke(text="In euros, please."))
        return calls(ask("try_code", code="1"))

    world = World(interrupting, says("1 euro."))
    await world.run()
    last = world.model.requests[1].history
    assert last[-1] == UserMessage(parts=(Text(text="In euros, please."),))
    assert isinstance(last[-2], ToolResult)
    assert last[: len(world.model.requests[0].history)] == world.model.requests[0].history


async def test_a_stop_while_the_model_streams_ends_the_turn_and_the_user_goes_on() -> None:
    world = World()
    waiting = WaitingModel()
    task = asyncio.create_task(world.run(model=waiting))
    await waiting.asked.wait()
    world.user.inbox.put_nowait(e.Stopped())
    stopped = await task
    assert stopped.events[-2:] == (
        e.Stopped(),
        e.TurnEnded(how="stopped", says="Stopped. What was accepted before is kept; say how to go on."),
    )
    model = ScriptedModel(says("Going on."))
    again = await run(stopped.apply(e.UserSpoke(text="Go on.")), world.ports(model=model))
    assert again.events[-1] == e.TurnEnded(how="done")
    assert model.requests[0].history[: len(waiting.requests[0].history)] == waiting.requests[0].history


async def test_a_stop_while_code_runs_gives_every_open_call_one_result() -> None:
    class Telling(NamespaceKernel):
        async def open(self) -> Any:
            world.user.inbox.put_nowait(e.Stopped())
            return await super().open()

    orders = (ask("try_code", code="await forever()"), ask("read_cells"))
    world = World(calls(*orders))
    world.kernel = Telling()
    session = await world.run()
    assert result(session, 1).startswith("Outcome unknown: the user stopped the turn while it ran.")
    assert result(session, 2) == "Not done: the user stopped the turn before it began."
    assert session.state.working is False


async def test_a_change_of_the_notebook_is_finished_before_a_stop_counts() -> None:
    class Slow(MemoryNotebook):
        async def change(self, changes: Any) -> Snapshot:
            world.user.inbox.put_nowait(e.Stopped())
            for _ in range(5):
                await asyncio.sleep(0)
            return await super().change(changes)

    world = World(calls(ask("propose_changes", summary="x", edits=[REPLACE])))
    world.notebook = Slow(NOTEBOOK)
    session = await world.run()
    assert kinds(world.journal.events)[-3:] == ["applied", "stopped", "turn ended"]
    assert world.notebook.snapshot.cell("load").source == "sales = [3, 4, 6]"
    assert result(session) == "Applied 1 change.\nNot run, because the user stopped the turn: load, total."


async def test_the_time_of_a_turn_is_up_while_the_model_is_asked() -> None:
    world = World(turn_budget=Budget(seconds=0.05))
    session = await world.run(model=WaitingModel())
    stopped, end = session.events[-2:]
    assert isinstance(stopped, e.Stopped)
    assert (stopped.by, session.state.spent.seconds) == ("budget", 0.05)
    limit = "0.05 seconds for a turn"
    assert end == e.TurnEnded(
        how="budget", says=f"Stopped at the limit of {limit}. What was accepted is kept; say 'go on' for more."
    )


async def test_the_time_of_a_turn_is_up_while_code_runs() -> None:
    world = World(calls(ask("try_code", code="await forever()")), turn_budget=Budget(seconds=0.2))
    session = await world.run()
    assert result(session).startswith("Outcome unknown: the time for it was up while it ran.")
    assert isinstance(session.events[-1], e.TurnEnded)
    assert session.events[-1].how == "budget"


async def test_a_stop_that_comes_with_the_result_leaves_the_result() -> None:
    class Stopping(ScriptedModel):
        async def ask(self, request: ModelRequest, show: Any) -> ModelAnswer:
            world.user.inbox.put_nowait(e.Stopped())
            return says("Done.")

    world = World()
    session = await world.run(model=Stopping())
    assert kinds(world.journal.events)[-3:] == ["model answered", "stopped", "turn ended"]
    assert session.state.history[-1] == AssistantMessage(text="Done.")


async def test_a_user_who_cannot_be_asked_is_told_to_the_model() -> None:
    class Gone(ScriptedUser):
        async def judge(self, proposal: Any) -> Verdict:
            raise NotebookError("The panel was closed.")

    world = World(calls(ask("propose_changes", summary="x", edits=[REPLACE])), says("Ok."), user=Gone(), approve="ask")
    assert result(await world.run()) == "The panel was closed."
    assert world.notebook.snapshot == NOTEBOOK


async def test_a_host_that_breaks_while_it_listens_ends_the_work_with_its_failure() -> None:
    class Broken(ScriptedUser):
        async def hear(self) -> Any:
            raise OSError("The pipe broke.")

    world = World(user=Broken())
    with pytest.raises(OSError, match="The pipe broke"):
        await world.run(model=WaitingModel())


async def test_cells_that_only_lead_to_the_wanted_ones_keep_their_stored_outputs() -> None:
    world = World(calls(ask("propose_changes", summary="x", run=["total"])), says("12."))
    await world.run()
    assert world.kernel.ran == ["load", "total"]
    assert world.notebook.snapshot.cell("load") == NOTEBOOK.cell("load")
    assert world.notebook.snapshot.cell("total").execution_count == 2


async def test_a_cell_that_is_tagged_to_raise_stops_nothing() -> None:
    tagged = Cell(id="raises", kind="code", source="1 / 0", tags=("raises-exception",))
    world = World(
        calls(ask("try_code", code="total", after="total")),
        calls(ask("propose_changes", summary="x", edits=[{**REPLACE}], run=["raises", "total"]), first=2),
        says("Done."),
    )
    cells = (*NOTEBOOK.cells[:2], tagged, NOTEBOOK.cells[2])
    world.notebook.snapshot = NOTEBOOK.model_copy(update={"cells": cells})
    session = await world.run()
    assert result(session, 1).startswith("Ran first: load, raises, total.\n12\n")
    assert world.kernel.ran == ["load", "raises", "total"]
    assert session.state.unproven == {}
    assert session.events[-1] == e.TurnEnded(how="done")


async def test_a_question_reaches_the_user_and_a_plan_is_kept() -> None:
    steps = [{"text": "ask", "status": "doing"}]
    world = World(
        calls(ask("update_plan", steps=steps), ask("ask_user", question="Which year?")),
        says("2025."),
        user=ScriptedUser(replies=["2025"]),
    )
    session = await world.run()
    assert (result(session, 1), result(session, 2)) == ("The user sees the plan.", "2025")
    assert [step.text for step in session.state.plan] == ["ask"]


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (ToolCall(id="call-1", name="try_code", arguments="{", invalid="cut off."), "cannot be used: cut off."),
        (ToolCall(id="call-1", name="shell", arguments="{}"), "There is no tool 'shell'."),
        (ToolCall(id="call-1", name="try_code", arguments="{}"), "do not fit try_code: code: Field required"),
        (ToolCall(id="call-1", name="try_code", arguments="{'a'"), "The arguments are not JSON"),
        (ToolCall(id="call-1", name="read_cells", arguments='{"cells": ["no"]}'), "There is no cell 'no'"),
    ],
)
async def test_a_call_that_cannot_be_done_becomes_a_result(call: ToolCall, told: str) -> None:
    world = World(ModelAnswer(items=(call,), stop="tools"), says("Sorry."))
    session = await world.run()
    assert told in result(session)
    assert session.events[-1] == e.TurnEnded(how="done")


async def test_a_sandbox_that_cannot_confine_is_told_to_the_model_and_nothing_is_run() -> None:
    class Unconfined(NamespaceKernel):
        async def open(self) -> Branch:  # type: ignore[override]
            raise CannotConfine("This machine cannot confine code.")

    world = World(calls(ask("try_code", code="1")), says("I cannot try."))
    world.kernel = Unconfined()
    assert result(await world.run()) == "This machine cannot confine code."


async def test_a_kernel_that_breaks_leaves_the_outcome_unknown() -> None:
    class Dead(NamespaceKernel):
        async def run(self, *_: Any, **__: Any) -> Any:
            raise NotebookError("The kernel died.")

    world = World(calls(ask("propose_changes", summary="x", run=["other"])), says("It died."))
    world.kernel = Dead()
    assert result(await world.run()) == (
        "The kernel died.\nNothing to change.\nCell load: Outcome unknown: the kernel broke while it ran. It may have "
        "happened, in part or whole: look before you do it again.\nNot run, because the kernel broke: total, other."
    )


async def test_a_model_that_cannot_be_asked_ends_the_turn_with_its_sentence() -> None:
    world = World(ModelError("No key. Set OPENAI_API_KEY."))
    session = await world.run()
    assert session.events[-1] == e.TurnEnded(how="failed", says="No key. Set OPENAI_API_KEY.")


async def test_a_notebook_that_cannot_be_read_ends_the_turn() -> None:
    class Gone(MemoryNotebook):
        async def read(self) -> Snapshot:
            raise NotebookError("The file is gone.")

    world = World()
    world.notebook = Gone(NOTEBOOK)
    assert (await world.run()).events[-1] == e.TurnEnded(how="failed", says="The file is gone.")


async def test_a_journal_that_cannot_keep_stops_everything() -> None:
    class Full(MemoryJournal):
        async def keep(self, event: e.Event) -> None:
            raise JournalError("The disk is full.")

    world = World()
    world.journal = Full()
    with pytest.raises(JournalError):
        await world.run()
    assert world.model.requests == []


async def test_secrets_reach_neither_the_model_nor_the_journal() -> None:
    world = World(calls(ask("try_code", code="print('key: hunter22hunter')")), says("Ok."))
    world.secrets = ("hunter22hunter",)
    world.notebook.snapshot = NOTEBOOK.apply((InsertCell(after=None, new_id="k", source="k = 'hunter22hunter'"),))
    session = await world.run()
    assert result(session).startswith("key: [secret]")
    assert "k code [not run]: k = '[secret]'" in world.model.requests[0].model_dump_json()
    kept = "".join(e.EVENTS.dump_json(event).decode() for event in world.journal.events if event.kind == "code tried")
    assert "stdout" in kept
    assert '"text":"key: [secret]' in kept


@pytest.mark.parametrize("level", ["schema", "samples"])
async def test_privacy_levels_withhold_what_the_code_showed(level: str) -> None:
    code = "raise ValueError('Ann Miller')" if level == "schema" else "print('x' * 2000 + 'Ann Miller')"
    world = World(calls(ask("try_code", code=code)), says("Ok."), privacy=level)
    session = await world.run()
    assert "Ann Miller" not in result(session)
    assert "withheld" in result(session)


@pytest.mark.parametrize(
    ("budget", "limit"),
    [
        ({"requests": 1}, "1 requests to the model for a turn"),
        ({"tokens": 10}, "10 tokens for a turn"),
        ({"seconds": 0.0}, "0 seconds for a turn"),
        ({"money": 0.5}, "a cost of 0.5 for a turn"),
    ],
)
async def test_a_budget_ends_the_turn_with_what_was_achieved(budget: dict[str, Any], limit: str) -> None:
    world = World(
        calls(ask("read_cells"), usage=Usage(input=1_000_000, output=20)),
        says("never"),
        turn_budget=Budget(**budget),
        prices={"input": 1.0},
    )
    session = await world.run()
    says_it = f"Stopped at the limit of {limit}. What was accepted is kept; say 'go on' for more."
    assert session.events[-1] == e.TurnEnded(how="budget", says=says_it)


async def test_a_session_budget_counts_all_turns() -> None:
    world = World(says("One."), session_budget=Budget(requests=1))
    first = await world.run()
    again = await run(first.apply(e.UserSpoke(text="More")), world.ports())
    assert isinstance(again.events[-1], e.TurnEnded)
    assert again.events[-1].how == "budget"


async def test_a_nearly_full_window_is_compacted_and_the_work_goes_on() -> None:
    world = World(
        calls(ask("propose_changes", summary="Correct it.", edits=[REPLACE]), usage=Usage(input=7000, output=2000)),
        says("The user wants it better. Done: load."),
        says("All done."),
        facts=ModelFacts(provider="p", name="m", window=10_000),
    )
    session = await world.run()
    assert session.events[-1] == e.TurnEnded(how="done")
    short = world.model.requests[2].history
    text = "\n".join(item.text for item in short if isinstance(item, Notice))
    assert "Summary of the work so far" in text
    assert "- Correct it." in text
    assert "Notebook sales.ipynb (4 cells" in text
    assert UserMessage(parts=(Text(text="Make it better."),)) in short
    assert not any(isinstance(item, ToolResult | ToolCall) for item in short)


async def test_a_request_that_does_not_fit_is_compacted_once() -> None:
    world = World(
        calls(ask("read_cells", cells=["load"])),
        ContextTooLong("Too long."),
        ModelAnswer(items=(), stop="done"),
        says("Short now."),
    )
    session = await world.run()
    assert session.events[-1] == e.TurnEnded(how="done")
    assert "(no summary was written)" in world.model.requests[3].model_dump_json()


async def test_a_request_that_never_fits_ends_the_turn() -> None:
    world = World(ContextTooLong("Too long."), ContextTooLong("Still too long."))
    session = await world.run()
    assert session.events[-1] == e.TurnEnded(how="failed", says="Still too long.")


@pytest.mark.parametrize(
    ("replies", "how"),
    [
        ([ModelAnswer(items=(), stop="paused"), says("Done.")], "done"),
        ([ModelAnswer(items=(AssistantMessage(text="So"),), stop="length"), says("Done.")], "done"),
        ([ModelAnswer(items=(), stop="length")] * 2, "failed"),
        ([ModelAnswer(items=(), stop="refused")], "failed"),
    ],
)
async def test_answers_that_end_early_go_on_or_end_in_a_sentence(replies: list[ModelAnswer], how: str) -> None:
    session = await World(*replies).run()
    assert isinstance(session.events[-1], e.TurnEnded)
    assert session.events[-1].how == how


async def test_a_failing_cell_stops_the_ones_below_and_is_reported() -> None:
    edit = {"op": "replace", "cell": "load", "source": "sales = None"}
    world = World(calls(ask("propose_changes", summary="x", edits=[edit], run=["load", "total", "other"])), says("Hm."))
    session = await run(Session.of(world.start), world.ports())
    assert "TypeError" in result(session)
    assert "Not run, because a cell above failed: other." in result(session)


async def test_cancelling_the_loop_leaves_a_journal_to_resume_from() -> None:
    world = World()
    waiting = WaitingModel()
    task = asyncio.create_task(world.run(model=waiting))
    await waiting.asked.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    resumed = Session.of((*world.start, *world.journal.events, e.Resumed()))
    session = await run(resumed, world.ports(model=ScriptedModel(says("Here again."))))
    assert session.events[-1] == e.TurnEnded(how="done")


FORM = {"type": "object", "required": ["total"]}


async def test_an_answer_that_does_not_fit_is_told_to_the_model_once() -> None:
    world = World(says("It is 12."), says('{"total": 12}'))
    world.start = (world.start[0], e.UserSpoke(text="Total?", output_schema=FORM))
    session = await world.run()
    assert kinds(world.journal.events)[-5:] == [
        *("model told", "model asked", "model answered"),
        *("answer checked", "turn ended"),
    ]
    assert "It is not JSON" in world.model.requests[1].model_dump_json()
    assert session.events[-1] == e.TurnEnded(how="done")


async def test_an_answer_that_never_fits_ends_the_turn_with_what_is_wrong() -> None:
    world = World(says("It is 12."), says("{}"))
    world.start = (world.start[0], e.UserSpoke(text="Total?", output_schema=FORM))
    end = (await world.run()).events[-1]
    assert isinstance(end, e.TurnEnded)
    assert end.how == "failed"
    assert end.says.startswith("The answer does not fit the schema: At $: 'total' is a required property.")
