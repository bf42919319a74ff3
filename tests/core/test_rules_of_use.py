"""Consent, budgets and privacy: what a session may do, cost and show."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as some

from nbagent.core.budget import Budget, Prices, Spent, reached, seconds_left
from nbagent.core.consent import consent, rules
from nbagent.core.events import Approve
from nbagent.core.model import Image, Text, Usage
from nbagent.core.outputs import Display, Execution, NameChange, Raised, Refusal, StateChange, StreamText
from nbagent.core.privacy import Privacy, redact, redacted, redacted_parts, sampled, visible
from nbagent.core.proposal import Proposal, Verdict

PROPOSAL = Proposal(id="c", summary="s", run=("a",))
SHOWN = Verdict(answer="reject", run=False, comment="Proposals are only shown in this session: nothing is applied.")
EDITED = Verdict(answer="accept", run=False, comment="Cells are edited but not run in this session.")


@pytest.mark.parametrize(
    ("approve", "verdict", "words"),
    [
        ("ask", None, "The user is asked to accept each proposal"),
        ("none", SHOWN, "only shown to the user"),
        ("cells", EDITED, "Nothing is run in the notebook"),
        ("all", Verdict(answer="accept"), "accepted at once, and their cells are run"),
    ],
)
def test_the_policy_answers_or_leaves_it_to_the_user(approve: Approve, verdict: Verdict | None, words: str) -> None:
    assert consent(approve, PROPOSAL) == verdict
    assert words in rules(approve)


def test_a_proposal_that_runs_nothing_needs_no_remark_about_running() -> None:
    assert consent("cells", Proposal(id="c", summary="s")) == Verdict(answer="accept", run=False)


SPENT = Spent(requests=2, usage=Usage(input=900, cached=400, output=100), seconds=5.0)


@pytest.mark.parametrize(
    ("budget", "limit"),
    [
        (Budget(), None),
        (Budget(requests=3, tokens=1001, seconds=5.1, money=9), None),
        (Budget(requests=2), "2 requests to the model"),
        (Budget(tokens=1000), "1000 tokens"),
        (Budget(seconds=5.0), "5 seconds"),
        (Budget(money=0.0012), "a cost of 0.0012"),
        (Budget(money=0.00121), None),
    ],
)
def test_a_limit_is_reached_when_as_much_was_spent(budget: Budget, limit: str | None) -> None:
    assert reached(budget, SPENT, Prices(input=1.0, cached=0.5, output=5.0)) == limit


def test_money_counts_only_with_prices() -> None:
    assert reached(Budget(money=0.0), SPENT, None) is None


def test_what_was_spent_adds_up() -> None:
    both = Spent(requests=4, usage=Usage(input=1800, cached=800, output=200), seconds=10.0)
    assert both == SPENT + SPENT


def test_seconds_that_are_left_are_never_less_than_none() -> None:
    assert [seconds_left(Budget(seconds=limit), SPENT) for limit in (None, 7.0, 1.0)] == [None, 2.0, 0.0]


def test_every_known_secret_is_replaced_the_longer_first() -> None:
    secrets = ("hunter22", "hunter22-long", "a")
    assert redact("a hunter22-long b hunter22", secrets) == "a [secret] b [secret]"


def holding(words: str) -> Execution:
    """An execution that has these words wherever code can put some."""
    error = Raised(ename=words, evalue=words, traceback=(words,))
    return Execution(
        status="raised",
        outputs=(
            StreamText(name="stdout", text=words),
            Display(data={"text/plain": [words], "a/b": {words: 1}}, metadata={"alt": words}, display_id="1"),
            error,
        ),
        error=error,
        detail=words,
        refusals=(Refusal(what="read", target=words),),
        state=StateChange(
            names=(NameChange(name=words, change="rebound", before=words, after=words),),
            files=(words,),
        ),
    )


@given(some.text(min_size=6))
@example("stdout")
@example("rebound")
def test_no_secret_is_left_in_anything_an_execution_holds(secret: str) -> None:
    words = f"<{secret}>"
    assert redacted(holding(words), (secret,)) == holding(words.replace(secret, "[secret]"))


def test_what_an_execution_does_not_hold_stays_absent() -> None:
    bare = Execution(status="ok", state=StateChange(names=(NameChange(name="n", change="new"),)))
    assert redacted(bare, ("key-1234",)) == bare
    assert redacted(Execution(status="ok"), ("key-1234",)) == Execution(status="ok")


def test_without_secrets_nothing_is_touched() -> None:
    whole = Execution(status="ok")
    assert redacted(whole, ()) is whole


PICTURE = Image(media_type="image/png", data="aGk=", alt="a key-1234 plot")


def test_results_lose_secrets_in_words_and_descriptions() -> None:
    parts = redacted_parts((Text(text="my key-1234"), PICTURE), ("key-1234",))
    assert parts == (Text(text="my [secret]"), PICTURE.model_copy(update={"alt": "a [secret] plot"}))


@pytest.mark.parametrize(
    ("level", "shown"),
    [
        ("outputs", "l\n" * 20),
        ("samples", "l\n" * 7 + "l\n[24 more characters withheld: privacy level samples]"),
        ("schema", "[table withheld: 40 characters, 20 lines; privacy level schema]"),
    ],
)
def test_a_level_lets_out_as_much_of_a_text_as_it_says(level: Privacy, shown: str) -> None:
    assert sampled("l\n" * 20, level, "table") == shown


def test_a_short_text_is_its_own_sample_and_a_long_line_is_cut() -> None:
    assert sampled("short\n", "samples") == "short\n"
    assert sampled("x" * 900, "samples") == "x" * 800 + "\n[100 more characters withheld: privacy level samples]"


def test_pictures_leave_only_on_the_highest_level() -> None:
    assert visible(PICTURE, "outputs") == PICTURE
    assert visible(PICTURE, "samples") == Text(text="[image/png picture withheld: privacy level samples]")
