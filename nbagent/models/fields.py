"""Reading JSON that strangers wrote: what is missing, null or of another type reads as empty."""

from __future__ import annotations

import json
from collections.abc import Mapping

from pydantic import JsonValue

Json = Mapping[str, JsonValue]


def mapping(value: object) -> dict[str, JsonValue]:
    """Return the value if it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def sequence(value: object) -> list[JsonValue]:
    """Return the value if it is a list, else an empty one."""
    return value if isinstance(value, list) else []


def text(value: object) -> str:
    """Return the value if it is a string, else an empty one."""
    return value if isinstance(value, str) else ""


def count(value: object) -> int:
    """Return the value if it is a number of things, else zero."""
    return int(value) if isinstance(value, int | float) and not isinstance(value, bool) and value > 0 else 0


def whole(value: str) -> str:
    """Join surrogates that a server split over two deltas; one left alone becomes the replacement character."""
    if not any("\ud800" <= letter <= "\udfff" for letter in value):
        return value
    return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def healed(value: JsonValue) -> JsonValue:
    """Do the same in every string of a value, so that it can be kept as UTF-8."""
    if isinstance(value, str):
        return whole(value)
    if isinstance(value, list):
        return [healed(each) for each in value]
    if isinstance(value, dict):
        return {whole(key): healed(each) for key, each in value.items()}
    return value


def arguments_of(raw: str, *, cut: bool) -> tuple[str, str | None]:
    """Return a call's arguments, and why they cannot be used if they cannot.

    A call without arguments arrives as nothing at all from some servers; in an answer that was cut off, nothing means
    that they never came. An answer that was cut off never turns into an empty object.
    """
    if not raw.strip():
        return ("", "The answer was cut off before the arguments came.") if cut else ("{}", None)
    try:
        value = json.loads(raw, strict=False)
    except (ValueError, RecursionError) as error:
        reason = "cut off by the output limit" if cut else f"not valid JSON ({error})"
        return raw, f"The arguments are {reason}. Send the call again, whole."
    if not isinstance(value, dict):
        return raw, "The arguments are not a JSON object. Send the call again with an object."
    return raw, None


def sent_arguments(raw: str, *, invalid: bool) -> str:
    """Return arguments as a server accepts them back: always the text of a JSON object."""
    return json.dumps({"INVALID_JSON": raw}) if invalid else raw


def encoded(body: Json) -> bytes:
    """Return the request's bytes: the same value always gives the same bytes, as caches go by them."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
