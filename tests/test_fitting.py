"""An answer either fits the user's schema, or one sentence says why not."""

from __future__ import annotations

import pytest
from pydantic import JsonValue

from nbagent.fitting import bare, faulty, misfit

FORM: dict[str, JsonValue] = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}


@pytest.mark.parametrize("text", ['{"n": 1}', ' {"n": 1}\n', '```json\n{"n": 1}\n```', '```\n{"n": 1}\n```'])
def test_an_answer_that_fits_is_taken_with_or_without_a_fence(text: str) -> None:
    assert misfit(text, FORM) == ""
    assert bare(text) == '{"n": 1}'


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("It is 1.", "It is not JSON"),
        ('{"n": "1"}', "At $.n: '1' is not of type"),
        ("{}", "'n' is a required"),
        ('{"n": NaN}', "It is not JSON"),
        ('"' + "x" * 5000 + '"', "..."),
    ],
)
def test_what_is_wrong_is_one_short_sentence(text: str, says: str) -> None:
    assert says in misfit(text, FORM)
    assert len(misfit(text, FORM)) < 400


@pytest.mark.parametrize("form", [{"$ref": "http://127.0.0.1:9/x.json"}, {"pattern": "(", "type": "string"}])
def test_a_schema_that_cannot_be_used_is_told_and_nothing_is_fetched(form: dict[str, JsonValue]) -> None:
    assert "schema itself cannot be used" in misfit('"a"', form)


def test_a_faulty_schema_is_told() -> None:
    assert "integre" in faulty({"type": "integre"})
    assert faulty(FORM) == ""
