"""The panel shows what the events say, and its fallbacks say it where our renderer is absent."""

from __future__ import annotations

import pytest

from nbagent.core import events as e
from nbagent.core.budget import Prices
from nbagent.core.cells import InsertCell, ReplaceSource, digest
from nbagent.core.model import AssistantMessage, ModelAnswer, ModelFacts, Usage
from nbagent.core.outputs import Execution, Refusal, StreamText
from nbagent.core.proposal import Evidence, Proposal, Trial, Verdict
from nbagent.core.session import Session
from nbagent.core.tools import Step
from nbagent.hosts.panel.fallback import bundle, markdown, plain
from nbagent.hosts.panel.fold import turn, turns
from nbagent.hosts.panel.turn import MIME, Offered, Turn

RAN = Execution(status="ok", outputs=(StreamText(name="stdout", text="3\n"),), seconds=0.5)
OFFER = Proposal(
    id="c1",
    summary="Add one",
    changes=(
        ReplaceSource(cell_id="a", expects=digest("x = 1"), source="x = 2"),
        InsertCell(after="a", new_id="b", source="print(x + 1)"),
    ),
    before={"a": "x = 1"},
    run=("a", "b"),
    evidence=(
        Evidence(cell_id="b", tried=True, status="ok", refusals=(Refusal(what="network", target="example.org"),)),
        Evidence(cell_id="a"),
    ),
)
TERMS = e.Terms(model=ModelFacts(provider="p", name="m", window=1000), prices=Prices(input=1.0, output=2.0))


def answered(text: str) -> e.ModelAnswered:
    items = (AssistantMessage(text=text),)
    usage = Usage(input=100, cached=40, output=20)
    return e.ModelAnswered(answer=ModelAnswer(items=items, stop="done", usage=usage), seconds=2.0)


START: tuple[e.Event, ...] = (
    e.SessionStarted(session="s", notebook="n.ipynb", terms=TERMS),
    e.UserSpoke(text="add one"),
    e.ModelAsked(),
    e.PlanUpdated(steps=(Step(text="try", status="done"), Step(text="offer", status="doing"))),
    answered("I try it."),
    e.CodeTried(call_id="c0", trials=(Trial(source="print(x + 1)", execution=RAN),)),
    e.Proposed(proposal=OFFER),
)


def judged(**verdict: object) -> e.Judged:
    return e.Judged(call_id="c1", verdict=Verdict.model_validate({"answer": "accept", **verdict}), by="user")


def after(*events: e.Event) -> Turn:
    return turn(Session.of((*START, *events)))


def offered(shown: Turn) -> Offered:
    return next(entry for entry in shown.entries if isinstance(entry, Offered))


def test_a_proposal_waits_until_it_is_judged() -> None:
    assert (after().status, offered(after()).standing) == ("waiting", "pending")
    assert (after(judged()).status, offered(after(judged())).standing) == ("working", "accepted")


@pytest.mark.parametrize(
    ("verdict", "standing", "only"),
    [
        ({"only": (1,)}, "partly accepted", (1,)),
        ({"only": (0, 1)}, "accepted", None),
        ({"answer": "reject"}, "rejected", None),
    ],
)
def test_a_verdict_says_where_the_proposal_stands(verdict: dict[str, object], standing: str, only: object) -> None:
    one = offered(after(judged(**verdict)))
    assert (one.standing, one.only) == (standing, only)


def test_what_is_undone_in_a_later_turn_is_undone_in_the_turn_that_did_it() -> None:
    later = (judged(), e.TurnEnded(how="done"), e.UserSpoke(text="no"), e.TurnEnded(how="done"))
    shown = turns((*START, *later, e.Undone(call_ids=("c1",), changes=(), cells={})))
    assert [one.number for one in shown] == [1, 2]
    assert offered(shown[0]).standing == "undone"
    assert shown[0].status == "done"


def test_the_footer_counts_this_turn_alone() -> None:
    first = after(e.TurnEnded(how="done"))
    assert first.footer.seconds == 2.5
    assert first.footer.cost == pytest.approx(100e-6)
    assert after(e.TurnEnded(how="done"), e.UserSpoke(text="more")).footer.usage == Usage()


def test_the_bundle_is_read_back_as_the_same_turn() -> None:
    shown = after(judged(only=(1,)), e.CellRan(call_id="c1", cell_id="b", digest="d", execution=RAN))
    assert Turn.model_validate(bundle(shown)[MIME]) == shown
    assert set(bundle(shown)) == {MIME, "text/markdown", "text/plain"}


def test_the_plain_text_reads_like_this() -> None:
    assert plain(after()) == PLAIN


PLAIN = """\
Plan
- [x] try
- [ ] offer (now)

You
add one

I try it.

Tried in a copy: ok, 0.5 s
    print(x + 1)

    3

    [ok, 0.5 s]

Proposal (pending): Add one

Change cell a, not tried
    -x = 1
    +x = 2

New code cell b below a, tried: ok
    +print(x + 1)

The sandbox refused to it
    - network example.org

Accepted code runs with your rights, outside the sandbox.

m · 2.5 s · 100 (40 cached) tokens in, 20 out · context 12 % · cost 0.0001"""


def test_words_that_a_page_would_run_or_load_become_text() -> None:
    for text in ("<img src=https://x.example/?q=1>", "![p](https://x.example/a.png)", "[go](javascript:alert)"):
        shown = turn(Session.of((*START[:3], answered(text))))
        assert f"```text\n{text}\n```" in markdown(shown)


def test_a_terminal_obeys_nothing_in_the_plain_text() -> None:
    assert "\x1b" not in plain(turn(Session.of((*START[:3], answered("\x1b]0;title\x07")))))


def test_code_cannot_leave_its_fence() -> None:
    trial = Trial(source="'''\n```\n<b>out</b>\n'''", execution=RAN)
    shown = turn(Session.of((*START[:5], e.CodeTried(call_id="c", trials=(trial,)))))
    assert "````python" in markdown(shown)
