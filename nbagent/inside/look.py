"""Looks at the process in which a cell has just failed, for repair rules that decide by what the objects are.

Sent as source and run there; every answer is JSON. A *place* is a frame of the failed code: its position among the
frames of cells in the last traceback, outermost first.
"""

from __future__ import annotations

import inspect
import os
import sys
import types
from typing import Any

MOST_FILES = 20_000


def cell_frames() -> list[tuple[types.FrameType, Any, int]]:
    """Return frame, code positions and line of each step of the last traceback that stands in a cell."""
    found = []
    step = getattr(sys, "last_traceback", None)
    while step is not None:
        name = step.tb_frame.f_code.co_filename
        if _is_cell(step.tb_frame, name):
            found.append((step.tb_frame, _position(step), step.tb_lineno))
        step = step.tb_next
    return found


ONLY = None
"""The file that is looked at instead of cells, where a module beside the notebook fails."""


def _is_cell(frame: types.FrameType, name: str) -> bool:
    if ONLY is not None:
        return os.path.realpath(name) == ONLY
    if os.path.sep + "site-packages" + os.path.sep in name:
        return False
    return "ipykernel_" in name or name.startswith(("<ipython-input", "<cell", "<timed")) or _in_user_space(frame, name)


def _in_user_space(frame: types.FrameType, name: str) -> bool:
    user = getattr(sys.modules.get("__main__"), "__dict__", None)
    return frame.f_globals is user and not os.path.exists(name)


def _position(step: Any) -> Any:
    positions = getattr(step.tb_frame.f_code, "co_positions", None)
    if positions is None:
        return None
    for index, position in enumerate(positions()):
        if index == step.tb_lasti // 2:
            return position
    return None


def places() -> list[dict[str, Any]]:
    """Return the places of the failure: line, the exact span where Python knows it, function, and source file."""
    answer = []
    for frame, position, line in cell_frames():
        span = list(position) if position and None not in position else None
        answer.append({"line": line, "span": span, "function": frame.f_code.co_name, "file": frame.f_code.co_filename})
    return answer


def value(user: dict[str, Any], place: int | None, expression: str) -> Any:
    """Return what an expression is worth at a place (None: at the top level)."""
    if place is None:
        return eval(expression, user)
    frame = cell_frames()[place][0]
    return eval(expression, frame.f_globals, dict(frame.f_globals, **frame.f_locals))


def type_names(thing: Any) -> list[str]:
    """Return the qualified names of an object's classes, its own first."""
    return [kind.__module__ + "." + kind.__qualname__ for kind in type(thing).__mro__]


def kinds(user: dict[str, Any], place: int | None, expressions: list[str]) -> list[Any]:
    """Return the class names of each expression's value; None for one that has no value."""
    answer: list[Any] = []
    for expression in expressions:
        try:
            answer.append(type_names(value(user, place, expression)))
        except Exception:  # whatever the user's objects raise, the answer is that nothing is known
            answer.append(None)
    return answer


def values(user: dict[str, Any], place: int | None, expressions: list[str]) -> list[Any]:
    """Return the JSON value of each expression; None for one that has none."""
    answer: list[Any] = []
    for expression in expressions:
        try:
            found = value(user, place, expression)
        except Exception:  # as above
            found = None
        answer.append(found if isinstance(found, (bool, int, float, str, list)) else None)
    return answer


def signature(user: dict[str, Any], place: int | None, expression: str) -> Any:
    """Return the parameters of a callable as [name, kind, has a default], its name and its module."""
    thing = value(user, place, expression)
    parameters = inspect.signature(thing).parameters.values()
    owner = getattr(thing, "__self__", None)
    return {
        "name": getattr(thing, "__qualname__", type(thing).__name__),
        "module": getattr(thing, "__module__", "") or "",
        "owner": type_names(owner) if owner is not None and not isinstance(owner, types.ModuleType) else [],
        "parameters": [[p.name, p.kind.name, p.default is not p.empty] for p in parameters],
    }


def exporters(name: str, modules: list[str]) -> list[str]:
    """Return those of the modules that can be imported and export the name."""
    import importlib

    found = []
    for module in modules:
        try:
            if hasattr(importlib.import_module(module), name):
                found.append(module)
        except Exception:  # an import may raise anything
            continue
    return found


def submodules_exporting(name: str, roots: list[str]) -> list[str]:
    """Return the public modules below the roots, already loaded or one level deep, that export the name."""
    import importlib
    import pkgutil

    found = []
    for root in roots:
        try:
            package = importlib.import_module(root)
        except Exception:  # an import may raise anything
            continue
        names = [root] + [
            root + "." + info.name
            for info in pkgutil.iter_modules(getattr(package, "__path__", []))
            if not info.name.startswith("_") and info.name not in ("conftest", "tests", "setup", "test", "testing")
        ]
        for full in names:
            try:
                module = importlib.import_module(full)
            except BaseException:  # a module that is no library may even exit
                continue
            thing = getattr(module, name, None)
            if thing is not None and not (isinstance(thing, types.ModuleType) and "." in full):
                found.append(full)
    return found


def missing_file() -> Any:
    """Return the path that the last error names, or None."""
    name = getattr(getattr(sys, "last_value", None), "filename", None)
    return name if isinstance(name, str) else None


def files_named(name: str) -> list[str]:
    """Return the files of this name (in any case) in the working folder, below it, and up to the project's root."""
    top = os.getcwd()
    home = os.path.expanduser("~")
    for _ in range(8):
        parent = os.path.dirname(top)
        if os.path.exists(os.path.join(top, ".git")) or parent in (top, home, "/", "/tmp"):
            break
        if not any(os.path.exists(os.path.join(up, ".git")) for up in _parents(parent)):
            break
        top = parent
    found, seen = [], 0
    for folder, folders, files in os.walk(top):
        folders[:] = sorted(f for f in folders if not f.startswith(".") and f not in ("node_modules", "site-packages"))
        seen += len(files)
        found += [os.path.relpath(os.path.join(folder, f)) for f in files if f.lower() == name.lower()]
        if seen > MOST_FILES:
            break
    return found


def _parents(folder: str) -> list[str]:
    answer = [folder]
    while os.path.dirname(folder) not in (folder, ""):
        folder = os.path.dirname(folder)
        answer.append(folder)
    return answer


def existing(names: list[str]) -> list[str]:
    """Return those of the dotted names that can be imported, or reached from a module that can."""
    import importlib

    def reached(name: str) -> bool:
        try:
            importlib.import_module(name)
        except BaseException:  # a module that is no library may even exit
            parts = name.split(".")
            for end in range(len(parts) - 1, 0, -1):
                try:
                    thing: Any = importlib.import_module(".".join(parts[:end]))
                    for part in parts[end:]:
                        thing = getattr(thing, part)
                except BaseException:  # as above
                    continue
                return True
            return False
        return True

    return [name for name in names if reached(name)]
