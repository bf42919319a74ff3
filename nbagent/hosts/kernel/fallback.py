"""The kernel's end of a trial that is no fork of it: variables are copied for a fresh process, which runs the code."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

from nbagent.hosts.kernel.account import Change, Refused, changes
from nbagent.hosts.kernel.adviser import Adviser, NoAnswer
from nbagent.hosts.kernel.show import Show
from nbagent.inside.copied import copied, kind_of
from nbagent.inside.interrupts import Interrupts
from nbagent.inside.live import Ended
from nbagent.inside.relay import Frame

_MOST_COPIED = 1 << 30
_MOST_NAMED = 6
_STATUS = {"ok": "done", "raised": "done", "timed_out": "timed out"}
_KINDS = {"display": "display_data", "result": "execute_result", "error": "error", "stream": "stream"}


@dataclass(frozen=True)
class Told:
    """What came of it; `how` is a clause on what the fresh process was given."""

    ended: Ended
    changes: tuple[Change, ...]
    files: tuple[str, ...]
    refused: tuple[Refused, ...]
    how: str


def tried(shell: Any, adviser: Adviser, source: str, show: Show, interrupts: Interrupts) -> Told:
    """Run the code in a fresh process. Raises `NoAnswer` with the reason when what it reads cannot be had there."""
    plan, memory = _prepared(shell, adviser, source)
    seen: set[str] = set()
    try:
        order = {"source": source, "plan": plan, "memory": f"/proc/{os.getpid()}/fd/{memory}"}
        answer = adviser.follow({"instead": order}, lambda output: show(_frame(output, seen)), interrupts)
    except OverflowError as error:
        return Told(Ended("limited", str(error), 0.0, {}), (), (), (), _how(plan))
    finally:
        os.close(memory)
    if answer is None:
        return Told(Ended("interrupted", "", 0.0, {}), (), (), (), _how(plan))
    return _told(answer, _how(plan))


def _prepared(shell: Any, adviser: Adviser, source: str) -> tuple[dict[str, Any], int]:
    """Return the plan, and the memory that holds copies; what cannot be copied is made by its cells instead."""
    hidden = shell.user_ns_hidden
    namespace = {name: value for name, value in shell.user_ns.items() if name not in hidden and name[:1] != "_"}
    kinds = {name: kind_of(value) for name, value in namespace.items()}
    ran = list(getattr(shell.history_manager, "input_hist_raw", ()) or ())
    cells = [cell for cell in ran if not cell.startswith("%%trial") and "load_ext nbagent" not in cell]
    while True:
        plan = adviser.ask({"plan": {"source": source, "cells": cells, "kinds": kinds}})["plan"]
        try:
            memory, _, refused = copied(namespace, plan["copy_names"], _MOST_COPIED)
        except OSError as error:
            raise NoAnswer(f"there is no room to copy its variables ({error.strerror})") from None
        if not refused:
            return plan, memory
        os.close(memory)
        kinds.update(dict.fromkeys(refused, "define"))


def _told(answer: dict[str, Any], how: str) -> Told:
    done = answer["ended"]
    report: dict[str, Any] = {"raised": done["error"]} if done["status"] == "raised" else {}
    status = _STATUS.get(done["status"], done["status"])
    state = done["state"] or {}
    refused = (Refused(each["what"], each["target"], each["times"], each["allow_with"]) for each in done["refusals"])
    return Told(
        Ended(status, done["detail"], float(done["seconds"]), report),
        changes(state.get("names")),
        tuple(str(name) for name in answer["files"]),
        tuple(refused),
        how,
    )


def _how(plan: dict[str, Any]) -> str:
    names, cells = plan["copy_names"], len(plan["replay"])
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    given = [f"copies of {', '.join(names[:_MOST_NAMED])}{more}"] if names else []
    given += [f"{cells} cell{'s' if cells > 1 else ''} run again"] if cells else []
    return "a fresh process ran it" + (f" with {' and '.join(given)}" if given else "")


def _frame(output: dict[str, Any], seen: set[str]) -> Frame:
    """Return an output as the message that made it; a display that is shown again is an update."""
    kind, name = _KINDS[output["kind"]], output.get("display_id")
    content = dict(output)
    if name is not None:
        content["transient"] = {"display_id": name}
        kind = "update_display_data" if name in seen else kind
        seen.add(name)
    return Frame(kind, content, {}, sum(len(str(value)) for value in output.values()))
