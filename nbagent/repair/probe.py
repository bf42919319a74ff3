"""Asking the failed process about its objects: the `ask` that rules get."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable

from pydantic import JsonValue

from nbagent.core.errors import SandboxError
from nbagent.core.outputs import StreamText
from nbagent.ports import Branch

_MARK = "\x02nbagent\x02"
SECONDS = 10.0
"""How long one question may take; a branch that takes longer is gone, and later questions get None."""


class Probe:
    """Evaluates expressions in a branch that is opened by the first question and closed at the end, but for `keep`."""

    def __init__(self, open_branch: Callable[[], Awaitable[Branch | None]], keep: Branch | None = None) -> None:
        self._open_branch = open_branch
        self._keep = keep
        self._branch: Branch | None = None
        self._usable = True

    async def ask(self, expression: str) -> JsonValue:
        """Return the expression's JSON value, or None when it raises, hangs or is not JSON."""
        if self._branch is None and self._usable:
            self._branch = await self._open_branch()
        if self._branch is None or not self._usable:
            return None
        text = f"{_MARK!r} + __import__('json').dumps((\n{expression}\n))"
        printed = f"__import__('builtins').print({text}, end={_MARK!r})"
        # An error that reached the top would take the place of the failure's own traceback, which rules look at.
        source = f"try:\n    {printed}\nexcept Exception:\n    pass"
        try:
            execution = await self._branch.run(source, timeout=SECONDS)
        except SandboxError:
            self._usable = False
            return None
        self._usable = execution.status in ("ok", "raised")
        if execution.status != "ok":
            return None
        return _answer("".join(output.text for output in execution.outputs if isinstance(output, StreamText)))

    @property
    def broke_kept(self) -> bool:
        """Whether a question ended the process that was to be kept."""
        return self._branch is not None and self._branch is self._keep and not self._usable

    async def close(self) -> None:
        """Close the branch, if a question opened one; one to be kept is closed only after a question broke it."""
        if self._branch is not None and (self._branch is not self._keep or not self._usable):
            await self._branch.close()
        self._usable = False


def _answer(text: str) -> JsonValue:
    _, found, rest = text.partition(_MARK)
    if not found:
        return None
    try:
        value: JsonValue = json.loads(rest.partition(_MARK)[0])
    except ValueError:
        return None
    return value
