"""What a trial may touch, and what a failure in it means: answered by a process of its own, beside the kernel.

The kernel stays light that way (no pydantic in the memory that is forked), and each answer is fresh: a secret that was
put into the workspace a minute ago is hidden. One line of JSON is a question, one line is its answer; the end of the
input ends the process.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path

from pydantic import BaseModel, JsonValue, ValidationError

from nbagent.core.errors import NbAgentError, UsageError
from nbagent.core.outputs import Refusal
from nbagent.hosts.kernel.instead import Instead, Order, planned, run
from nbagent.sandbox import secrets
from nbagent.sandbox.access import Access, Limits
from nbagent.sandbox.interpreter import inspect
from nbagent.sandbox.probe import probe
from nbagent.sandbox.refusals import refusals


class Wish(BaseModel, frozen=True):
    """A trial that is about to begin: where the notebook is, what its cells read, what the user adds and bounds."""

    folder: Path
    scratch: Path
    readable: tuple[Path, ...] = ()
    sources: tuple[str, ...] = ()
    path: tuple[str, ...] = ()
    seconds: float | None = None
    memory_mb: int | None = None


class Rules:
    """Answers the questions of one kernel, in order."""

    def __init__(self) -> None:
        self._access: Access | None = None

    def answer(self, question: str) -> dict[str, JsonValue]:
        """Return the answer to one line; a refusal is an answer, too: {"refusal": sentence}."""
        try:
            asked = json.loads(question)
            if "plan" in asked:
                return {"plan": planned(Order.model_validate(asked["plan"])).model_dump(mode="json")}
            if "instead" in asked and self._access is not None:
                return run(self._access, Instead.model_validate(asked["instead"]), _say)
            if "clues" in asked:
                return {"refusals": [refusal.model_dump() for refusal in self._judged(asked["clues"])]}
            return {"policy": self._policy(Wish.model_validate(asked))}
        except NbAgentError as error:
            return {"refusal": str(error)}
        except (ValueError, ValidationError) as error:
            return {"refusal": f"The trial could not be prepared ({error}). Nothing was run."}

    def _policy(self, wish: Wish) -> dict[str, JsonValue]:
        for path in wish.readable:
            _check_readable(path)
        access = Access.for_notebook(
            wish.folder / "notebook.ipynb", wish.scratch, readable=wish.readable, sources=wish.sources
        )
        interpreter = inspect(Path(sys.executable)).model_copy(update={"path": wish.path})
        self._access = access.model_copy(update={"limits": _limits(wish)})
        return self._access.policy(interpreter, probe().require(self._access), memfd=True)

    def _judged(self, clues: Iterable[dict[str, JsonValue]]) -> list[Refusal]:
        found: dict[tuple[str, str], Refusal] = {}
        for clue in clues if self._access is not None else ():
            times = clue.get("times")
            for refusal in refusals([clue], self._access):  # type: ignore[arg-type]  # not None where the loop runs
                key = (refusal.what, refusal.target)
                before = found[key].times if key in found else 0
                counted = times if isinstance(times, int) else 1
                found[key] = refusal.model_copy(update={"times": max(before, counted)})
        return list(found.values())


def _say(line: dict[str, JsonValue]) -> None:
    print(json.dumps(line), flush=True)


def _limits(wish: Wish) -> Limits:
    usual = Limits()
    return usual.model_copy(
        update={
            "wall_seconds": wish.seconds or usual.wall_seconds,
            "memory_mb": wish.memory_mb or usual.memory_mb,
            "file_mb": usual.disk_mb,  # values that are brought over are one file in memory
        }
    )


def _check_readable(path: Path) -> None:
    if not path.exists():
        raise UsageError(f"There is no {path} to be read. Nothing was run.")
    if any(secrets.is_secret(str(part)) for part in (path, *path.parents)):
        raise UsageError(f"{path} holds secrets, and no trial may read it. Nothing was run.")


def main() -> None:
    """Answer until the input ends."""
    rules = Rules()
    probe()
    inspect(Path(sys.executable))
    for question in sys.stdin:
        _say(rules.answer(question))


if __name__ == "__main__":
    main()
