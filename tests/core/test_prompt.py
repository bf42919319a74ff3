"""The words to the model: what opens a session, and what is left of it after a compaction."""

from __future__ import annotations

import pytest

from nbagent.core.events import SessionStarted, Skill, Terms
from nbagent.core.model import Image, ModelFacts, Notice, Text, UserMessage
from nbagent.core.privacy import Privacy
from nbagent.core.prompt import after_compaction, conditions, fitting, privacy_rule, unproven, welcome
from nbagent.core.shorten import tokens
from nbagent.core.tools import Step

TERMS = Terms(model=ModelFacts(provider="p", name="m"))
OPENING = SessionStarted(session="s", notebook="n.ipynb", terms=TERMS)


def said(text: str, *pictures: Image) -> UserMessage:
    return UserMessage(parts=(Text(text=text), *pictures))


@pytest.mark.parametrize(
    ("level", "words"),
    [("schema", "names, types, shapes"), ("samples", "a few lines"), ("outputs", "as the code shows them")],
)
def test_the_model_is_told_what_it_may_see(level: Privacy, words: str) -> None:
    assert words in privacy_rule(level)
    assert words in conditions(TERMS.model_copy(update={"privacy": level}))


def test_the_model_is_told_where_accepted_code_runs() -> None:
    assert "in the user's kernel" in conditions(TERMS)
    assert "in a restricted process of their own" in conditions(TERMS.model_copy(update={"starts_empty": True}))


def test_a_session_opens_with_conditions_then_guidance_then_skills() -> None:
    skill = Skill(name="charts", description="How we draw.", path=".agents/skills/charts/SKILL.md")
    whole = OPENING.model_copy(update={"guidance": "Use tabs.", "skills": (skill,)})
    assert welcome(OPENING) == (Notice(text=conditions(TERMS)),)
    assert welcome(whole) == (
        Notice(text=conditions(TERMS)),
        Notice(text="The project's AGENTS.md says:\nUse tabs."),
        Notice(
            text="Skills (read the file with try_code when one fits the task):\n"
            "- charts: How we draw. (.agents/skills/charts/SKILL.md)"
        ),
    )


def test_the_form_of_the_answer_is_told_in_words_too() -> None:
    assert fitting({"type": "object", "a": 1}).endswith('fits this schema:\n{"a": 1, "type": "object"}')


def test_unproven_cells_are_named() -> None:
    assert unproven(("a", "b")).startswith("Not proved yet: the cells a, b changed")


def test_a_compaction_keeps_the_users_words_the_plan_and_the_changes_beside_the_summary() -> None:
    steps = (Step(text="read", status="done"), Step(text="plot", status="doing"))
    short = after_compaction(OPENING, (said("one"), said("two")), "It is 3.", steps, ("Fix the sum.",))
    assert short == (
        *welcome(OPENING),
        said("one"),
        said("two"),
        Notice(
            text="Summary of the work so far, written by you:\nIt is 3.\n\nAccepted changes so far:\n- Fix the sum."
            "\n\nPlan:\n- [done] read\n- [doing] plot"
        ),
    )
    assert after_compaction(OPENING, (), "s", (), ())[-1] == Notice(
        text="Summary of the work so far, written by you:\ns"
    )


SMALL = OPENING.model_copy(update={"terms": Terms(model=ModelFacts(provider="p", name="m", window=3000))})


def test_a_small_window_keeps_the_newest_words_and_a_shorter_summary() -> None:
    long = tuple(said("word " * 100 + str(n)) for n in range(10))
    short = after_compaction(SMALL, long, "x" * 9000, (), ())
    assert short[1:-1] == long[-3:]
    assert tokens(short[-1].model_dump_json()) < 540


def test_a_message_that_is_too_long_alone_is_cut_not_lost() -> None:
    huge = said("first " + "x" * 5000 + " last", Image(media_type="image/png", data="aGk="))
    kept = after_compaction(SMALL, (said("old"), huge), "s", (), ())[1:-1]
    assert len(kept) == 1
    (part,) = kept[0].parts if isinstance(kept[0], UserMessage) else ()
    assert isinstance(part, Text)
    assert part.text.startswith("first x")
    assert part.text.endswith(" last")
    assert tokens(part.text) <= 500
