"""Adopting: values of the last trial become variables of the kernel, and what cannot is said with the reason."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from IPython.core.error import UsageError

from nbagent.hosts.kernel.trials import Tried
from nbagent.inside.adopt import NotAdoptable, take

_FOR_REAL = "%adopt --run runs the cell for real, with your rights."


def adopted(namespace: dict[str, Any], tried: Tried, names: list[str]) -> str:
    """Put the values into `namespace` and return what was done, in one or a few lines.

    names: which ones; none stands for all that can be brought over. When IPython's `UsageError` is raised, nothing was.
    """
    _check(tried, names)
    wanted = names or list(tried.offered.names)
    left = dict(_left(tried, names))
    values: dict[str, Any] = {}
    if wanted and tried.offered.memory is not None:
        try:
            values = take(tried.offered.memory)
        except (NotAdoptable, OSError, MemoryError) as error:
            raise UsageError(f"Nothing was adopted, because {error}. {_FOR_REAL}") from None
    brought = [name for name in wanted if name in values]
    namespace.update((name, values[name]) for name in brought)
    lines = [f"Adopted {', '.join(brought)}." if brought else "Nothing was adopted."]
    lines += [f"  {name} was not: {why}." for name, why in left.items()]
    return "\n".join([*lines, _FOR_REAL] if left else lines)


def _check(tried: Tried, names: list[str]) -> None:
    if not tried.worked:
        raise UsageError(f"The last trial did not run to its end, so nothing was adopted. {_FOR_REAL}")
    if not tried.account.changes:
        raise UsageError("The last trial changed no variable, so there is nothing to adopt.")
    for name in names:
        if name not in tried.offered.names:
            why = dict(_left(tried, [name])).get(name, "the trial did not change it")
            raise UsageError(f"{name} cannot be adopted: {why}. Nothing was adopted. {_FOR_REAL}")


def _left(tried: Tried, names: list[str]) -> Iterator[tuple[str, str]]:
    for change in tried.account.changes:
        if (names and change.name not in names) or change.name in tried.offered.names:
            continue
        if change.change == "in place":
            yield change.name, "it was changed in place, which only the cell itself can do"
        elif change.change == "deleted":
            yield change.name, "it was deleted, which only the cell itself can do"
        else:
            yield change.name, tried.offered.refused.get(change.name, "it could not be copied")
