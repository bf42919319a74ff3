"""What of the user's data may leave the machine: every output and result passes through here before it enters history.

`schema`: names, types, shapes and error types only. `samples`: a few lines of each text and table, no pictures.
`outputs`: what the code showed. Known secrets are taken out on every level.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, assert_never

from nbagent.core.model import Image, Part, Text
from nbagent.core.outputs import Execution

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
    return tuple(Text(text=redact(part.text, secrets)) if isinstance(part, Text) else part for part in parts)


def redacted(execution: Execution, secrets: tuple[str, ...]) -> Execution:
    """Return an execution without known secrets in anything that it holds."""
    if not secrets:
        return execution
    return Execution.model_validate(_cleaned(execution.model_dump(), secrets))


def _cleaned(value: object, secrets: tuple[str, ...]) -> object:
    match value:
        case str():
            return redact(value, secrets)
        case dict():
            return {_cleaned(key, secrets): _cleaned(inner, secrets) for key, inner in value.items()}
        case list() | tuple():
            return [_cleaned(inner, secrets) for inner in value]
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
            rest = len(text) - len(shown)
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
