"""What of the user's data may leave the machine: every output and result passes through here before it enters history.

`schema`: names, types, shapes and error types only. `samples`: a few lines of each text and table, no pictures.
`outputs`: what the code showed. Known secrets are taken out on every level.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Literal, assert_never

from pydantic import JsonValue

from nbagent.core.model import Image, Part, Text
from nbagent.core.outputs import Display, Execution, NameChange, Output, Raised, Result, StateChange, StreamText

Privacy = Literal["schema", "samples", "outputs"]
SAMPLE_LINES = 8
SAMPLE_CHARACTERS = 800
SHORTEST_SECRET = 6
"""Shorter values would blank out ordinary words and numbers."""
HIDDEN = "[secret]"


def redact(text: str, secrets: Iterable[str]) -> str:
    """Return the text with each known secret replaced."""
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= SHORTEST_SECRET:
            text = text.replace(secret, HIDDEN)
    return text


def redacted_parts(parts: Iterable[Part], secrets: tuple[str, ...]) -> tuple[Part, ...]:
    """Return a result's parts without known secrets."""
    return tuple(
        Text(text=redact(part.text, secrets))
        if isinstance(part, Text)
        else part.model_copy(update={"alt": redact(part.alt, secrets)})
        for part in parts
    )


def redacted(execution: Execution, secrets: tuple[str, ...]) -> Execution:
    """Return an execution without known secrets in anything that code can have put there."""
    if not secrets:
        return execution

    def clean(text: str) -> str:
        return redact(text, secrets)

    return execution.model_copy(
        update={
            "outputs": tuple(_redacted_output(output, clean) for output in execution.outputs),
            "error": execution.error and _redacted_error(execution.error, clean),
            "detail": clean(execution.detail),
            "refusals": tuple(r.model_copy(update={"target": clean(r.target)}) for r in execution.refusals),
            "state": execution.state and _redacted_state(execution.state, clean),
        }
    )


Clean = Callable[[str], str]


def _redacted_output(output: Output, clean: Clean) -> Output:
    match output:
        case StreamText():
            return output.model_copy(update={"text": clean(output.text)})
        case Raised():
            return _redacted_error(output, clean)
        case Display() | Result():
            data = {kind: _redacted_json(value, clean) for kind, value in output.data.items()}
            metadata = {key: _redacted_json(value, clean) for key, value in output.metadata.items()}
            return output.model_copy(update={"data": data, "metadata": metadata})
        case _:
            assert_never(output)


def _redacted_error(error: Raised, clean: Clean) -> Raised:
    lines = tuple(clean(line) for line in error.traceback)
    return Raised(ename=clean(error.ename), evalue=clean(error.evalue), traceback=lines)


def _redacted_state(state: StateChange, clean: Clean) -> StateChange:
    names = tuple(
        NameChange(
            name=clean(change.name),
            change=change.change,
            before=change.before and clean(change.before),
            after=change.after and clean(change.after),
        )
        for change in state.names
    )
    return StateChange(names=names, files=tuple(clean(file) for file in state.files))


def _redacted_json(value: JsonValue, clean: Clean) -> JsonValue:
    match value:
        case str():
            return clean(value)
        case dict():
            return {clean(key): _redacted_json(inner, clean) for key, inner in value.items()}
        case list():
            return [_redacted_json(inner, clean) for inner in value]
        case _:
            return value


def sampled(text: str, level: Privacy, what: str = "text") -> str:
    """Return as much of an output's text as the level lets out; `what` names it where it is withheld."""
    match level:
        case "outputs":
            return text
        case "samples":
            lines = text.splitlines()
            shown = "\n".join(lines[:SAMPLE_LINES])[:SAMPLE_CHARACTERS]
            rest = len(text.rstrip("\n")) - len(shown)
            return f"{shown}\n[{rest} more characters withheld: privacy level samples]" if rest > 0 else text
        case "schema":
            return f"[{what} withheld: {len(text)} characters, {len(text.splitlines())} lines; privacy level schema]"
        case _:
            assert_never(level)


def visible(picture: Image, level: Privacy) -> Part:
    """Return a picture, or what stands for it where the level keeps pictures here."""
    if level == "outputs":
        return picture
    return Text(text=f"[{picture.media_type} picture withheld: privacy level {level}]")


def hides_values(level: Privacy) -> bool:
    """Whether values, also those inside exception messages, stay on this machine."""
    return level == "schema"
