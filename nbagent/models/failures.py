"""What went wrong while asking a model, in one sentence, and whether asking again can help.

Error bodies come in a dozen shapes: `{error: {message, type, code}}`, an error that is a string (xAI), `{detail}`
(Mistral, FastAPI), integer codes (OpenRouter, llama.cpp), HTML of a proxy. Codes are read where there are any, else
the words of the message.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Literal

from pydantic import JsonValue

from nbagent.models.fields import mapping, text

Cause = Literal[
    "key", "quota", "context", "refused", "filtered", "model", "request", "reasoning", "busy", "broken", "away", "html"
]
RETRIED: frozenset[Cause] = frozenset({"busy", "broken", "away"})

_QUOTA = re.compile(
    r"insufficient_quota|credit_balance|spend_limit|billing|insufficient[ _]balance|usage_not_included|payment required"
    r"|exceeded your current quota|credit balance is too low|usage_limit_reached|requires more credits",
    re.I,
)
_CONTEXT = re.compile(
    r"context_length_exceeded|exceed_context_size|exceeds? the (available )?context|context (window|length|size)"
    r"|prompt is too long|prompt too long|too_many_prompt_tokens|request_too_large|maximum prompt length"
    r"|input is too long|reduce the length|too many (input )?tokens",
    re.I,
)
_KEY = re.compile(
    r"invalid_api_key|authentication_error|incorrect api key|invalid api key|invalid x-api-key|unauthorized"
    r"|permission_error|api key (not valid|is invalid|expired)|token expired",
    re.I,
)
_FILTER = re.compile(r"content_filter|content_policy|content management policy|responsibleai|cyber_policy", re.I)
_MODEL = re.compile(
    r"model_not_found|no such model|model .{0,80}(not found|does not exist|not supported)|unknown model", re.I | re.S
)
_REASONING = re.compile(
    r"invalid_encrypted_content|encrypted content|item with id '?rs_|without its required following item"
    r"|invalid `?signature`? in `?thinking|thinking block",
    re.I,
)
_BUSY = re.compile(
    r"overloaded|rate_limit|rate limit|ratelimit|slow[ _]down|try again|too many requests|capacity|throttl|unavailable",
    re.I,
)
_MISWRITTEN = re.compile(r"tool_use_failed|failed to call a function|malformed_function_call", re.I)
_WAIT = re.compile(r"try again in\s*(\d+(?:\.\d+)?)\s*(ms|s|seconds?|m|minutes?)\b", re.I)
_BEARER = re.compile(r"(?i)\b(?:(?:sk|pk|gsk|xai)[-_][\w.*-]{8,}|Bearer\s+\S{8,})")


@dataclass(eq=False)
class Fault(Exception):
    """One try failed. `wait` is what the server asked for, in seconds; `again` is its own word on asking again."""

    cause: Cause
    said: str
    status: int | None = None
    wait: float | None = None
    again: bool | None = None

    @property
    def retried(self) -> bool:
        """Whether the same request may succeed later."""
        if self.again is not None and self.cause in RETRIED:
            return self.again
        return self.cause in RETRIED

    def sentence(self, provider: str) -> str:
        """Say what happened and what to do next."""
        said = f" It said: {self.said}" if self.said else ""
        return f"{provider} {_ADVICE[self.cause]}{said}"


_ADVICE: dict[Cause, str] = {
    "key": "does not accept the API key, or the key may not use this model. Check the key and set it again.",
    "quota": "refuses because the account's quota or credit is used up. Check its plan and billing, or choose another"
    " model.",
    "context": "cannot read a conversation this long. Start a new session, or choose a model with a larger window.",
    "refused": "declined to answer this request. Say it in other words, or choose another model.",
    "filtered": "stopped the request by its content filter. Say it in other words, or choose another model.",
    "model": "does not have this model or this address. See `nbagent models` for those it has, and check the base URL.",
    "request": "does not accept the request. Check the model's settings (protocol, effort, base URL).",
    "reasoning": "does not accept its earlier reasoning any more. Start a new session.",
    "busy": "is overloaded or limits the rate of requests, also after trying again. Nothing was lost: go on in a"
    " while.",
    "broken": "broke off or answered with an error, also after trying again. Nothing was lost: go on in a while.",
    "away": "cannot be reached, also after trying again. Check that the server runs, the base URL and the network.",
    "html": "answered with a web page instead of a model's answer: a proxy or a wrong address stands between. Check the"
    " base URL and the proxy's settings.",
}


def from_error(body: JsonValue, status: int | None = None) -> Fault:
    """Read the error of a response's body, or of an event in its stream."""
    said, words = _said(body)
    wait = _WAIT.search(said)
    number = _number(body)
    seconds = None
    if wait:
        seconds = float(wait[1]) * {"ms": 0.001, "m": 60.0, "minute": 60.0, "minutes": 60.0}.get(wait[2].lower(), 1.0)
    return Fault(_cause(words, status or number), said, status, seconds)


def from_answer(status: int, content_type: str, raw: bytes) -> Fault:
    """Read a response that is not a stream."""
    stripped = raw.lstrip()
    if "html" in content_type or stripped[:14].lower().startswith((b"<!doctype", b"<html")):
        passing = status >= 500 or status == 429
        return Fault("broken" if passing else "html", f"HTTP {status}, with a web page of a proxy.", status)
    try:
        body: JsonValue = json.loads(raw)
    except ValueError:
        body = raw[:500].decode("utf-8", "replace").strip()
    fault = from_error(body, None if status < 400 else status)
    return Fault(fault.cause, fault.said or f"HTTP {status}", status, fault.wait)


def redacted(said: str) -> str:
    """Remove what looks like a key: some servers repeat the wrong key in their message."""
    return _BEARER.sub("[key]", said)


def _said(body: JsonValue) -> tuple[str, str]:
    """Return the message for people, and all words that tell the cause."""
    outer = mapping(body)
    if not outer:
        said = redacted(text(body))[:500]
        return said, said
    error = outer.get("error") or mapping(outer.get("response")).get("error") or outer
    inner = mapping(error)
    said = text(inner.get("message")) or text(error) or text(outer.get("message")) or _plain(outer.get("detail"))
    raw = text(mapping(inner.get("metadata")).get("raw"))  # OpenRouter: what the provider behind it said
    codes = [text(inner.get(key)) or text(outer.get(key)) for key in ("code", "type", "status", "reason")]
    return redacted(said)[:500], " ".join([*codes, said, raw])


def _plain(detail: JsonValue) -> str:
    return text(detail) or (json.dumps(detail) if detail else "")


def _number(body: JsonValue) -> int | None:
    outer = mapping(body)
    inner = mapping(outer.get("error")) or outer
    for key in ("code", "status_code", "status"):
        value = inner.get(key)
        if isinstance(value, str) and value.isdigit():
            value = int(value)
        if isinstance(value, int) and 400 <= value < 600:
            return value
    return None


def _cause(words: str, status: int | None) -> Cause:
    if _QUOTA.search(words):
        return "quota"
    if _CONTEXT.search(words) or status == 413:
        return "context"
    if _REASONING.search(words):
        return "reasoning"
    if _MISWRITTEN.search(words):  # the model wrote a call that Groq could not read; the next try may be better
        return "broken"
    if _FILTER.search(words):
        return "filtered"
    if _KEY.search(words) or status in (401, 403):
        return "key"
    if status == 402:
        return "quota"
    if _MODEL.search(words) or status == 404:
        return "model"
    return _passing(words, status)


def _passing(words: str, status: int | None) -> Cause:
    if status in (408, 409, 425, 429, 503, 529):
        return "busy"
    if status is not None:
        return "broken" if status >= 500 else "request"
    if _BUSY.search(words):
        return "busy"
    return "request" if re.search(r"invalid_request|invalid_prompt|bad_request|not_found", words) else "broken"
