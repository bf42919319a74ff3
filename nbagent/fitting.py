"""Whether an answer has the form that the user asked for, as a JSON schema."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from pydantic import JsonValue

_LONGEST = 300
_FENCED = re.compile(r"```(?:json)?[ \t]*\n(.*)\n[ \t]*```", re.DOTALL | re.IGNORECASE)


def bare(text: str) -> str:
    """Return an answer without the fence of Markdown that many models put around JSON."""
    found = _FENCED.fullmatch(text.strip())
    return (found[1] if found else text).strip()


def misfit(text: str, form: Mapping[str, JsonValue]) -> str:
    """Return one sentence about what is wrong with an answer, or nothing when it is JSON that fits."""
    from jsonschema.validators import Draft202012Validator, validator_for  # late: most sessions need none
    from referencing import Registry
    from referencing.exceptions import Unresolvable

    try:
        value = json.loads(bare(text), parse_constant=_no_json)
    except (ValueError, RecursionError) as error:
        return f"It is not JSON ({error})."
    kind = validator_for(dict(form), default=Draft202012Validator)
    try:
        # An empty registry: a schema that names another one must not make this program fetch it.
        wrong = next(iter(kind(dict(form), registry=Registry()).iter_errors(value)), None)
    except (Unresolvable, re.error) as error:
        return f"The schema itself cannot be used ({error})."
    if wrong is None:
        return ""
    says = wrong.message if len(wrong.message) <= _LONGEST else f"{wrong.message[:_LONGEST]}..."
    return f"At {wrong.json_path}: {says}."


def faulty(form: Mapping[str, JsonValue]) -> str:
    """Return what is wrong with a schema itself, or nothing."""
    from jsonschema.exceptions import SchemaError
    from jsonschema.validators import Draft202012Validator, validator_for

    try:
        validator_for(dict(form), default=Draft202012Validator).check_schema(dict(form))
    except SchemaError as error:
        return f"at {error.json_path}: {error.message}"
    return ""


def _no_json(word: str) -> float:
    raise ValueError(f"{word} is no JSON number")
