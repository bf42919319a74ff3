"""The code keeps its shape: short modules, short functions, few parameters, no catch of everything.

An exception names its bound and its reason, and is itself refused once it is no longer needed.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
MODULE_LINES, FUNCTION_LINES, PARAMETERS = 300, 40, 5

LONGER_MODULES = {
    "nbagent/repair/imports.py": (330, "how one import statement is read and written again; halves would share it all"),
}
LONGER_FUNCTIONS = {
    "nbagent/sandbox/access.py:policy": (55, "one literal that lists everything that confined code is told"),
}
MORE_PARAMETERS = {
    "nbagent/repair/proof.py:prove": (7, "each is a fact about one run of a notebook, named at its two calls"),
    "nbagent/repair/search.py:_outcome": (6, "gathers the result of a search, for its own class alone"),
}
CATCHES_EVERYTHING = {
    "nbagent/hosts": "a host's boundary turns a bug into one sentence and a log",
    "nbagent/inside": "objects and modules of the user's may raise anything when they are looked at",
    "nbagent/repair/helpers.py": "a rule that fails on unforeseen code must not end the repair by others",
    "nbagent/repair/search.py": "a rule that fails on unforeseen code must not end the repair by others",
    "nbagent/testing.py": "the stand-in of a kernel runs code that may raise anything",
}

Function = ast.FunctionDef | ast.AsyncFunctionDef


def modules() -> Iterator[tuple[str, str]]:
    for path in sorted((ROOT / "nbagent").rglob("*.py")):
        yield path.relative_to(ROOT).as_posix(), path.read_text()


def functions() -> Iterator[tuple[str, Function]]:
    for name, text in modules():
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, Function):
                yield f"{name}:{node.name}", node


def parameters(function: Function) -> int:
    arguments = function.args
    named = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    return len([argument for argument in named if argument.arg not in ("self", "cls")])


def catches_everything(text: str) -> list[int]:
    """Return the lines of handlers that swallow every exception; one that cleans up and raises again does not."""
    lines = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ExceptHandler):
            caught = {each.id for each in ast.walk(node.type) if isinstance(each, ast.Name)} if node.type else {""}
            again = any(isinstance(each, ast.Raise) for each in ast.walk(node))
            if caught & {"", "Exception", "BaseException"} and not again:
                lines.append(node.lineno)
    return lines


def over(sizes: dict[str, int], limit: int, exceptions: dict[str, tuple[int, str]]) -> list[str]:
    """Return a sentence for each size beyond its bound, and for each exception that nothing needs."""
    bounds = {name: exceptions.get(name, (limit, ""))[0] for name in sizes}
    large = [f"{name} has {size}, at most {bounds[name]}" for name, size in sizes.items() if size > bounds[name]]
    idle = [f"{name} needs no exception any more" for name in exceptions if sizes.get(name, 0) <= limit]
    return large + idle


def largest(sizes: list[tuple[str, int]]) -> dict[str, int]:
    return {name: max(size for other, size in sizes if other == name) for name in {name for name, _ in sizes}}


def test_modules_are_short() -> None:
    sizes = {name: len(text.splitlines()) for name, text in modules()}
    assert over(sizes, MODULE_LINES, LONGER_MODULES) == []


def test_functions_are_short() -> None:
    sizes = largest([(name, (node.end_lineno or 0) - node.lineno + 1) for name, node in functions()])
    assert over(sizes, FUNCTION_LINES, LONGER_FUNCTIONS) == []


def test_functions_take_few_parameters() -> None:
    assert over(largest([(name, parameters(node)) for name, node in functions()]), PARAMETERS, MORE_PARAMETERS) == []


def test_everything_is_caught_at_boundaries_alone() -> None:
    found = {f"{name}:{line}" for name, text in modules() for line in catches_everything(text)}
    assert [place for place in sorted(found) if not place.startswith(tuple(CATCHES_EVERYTHING))] == []
    assert [place for place in CATCHES_EVERYTHING if not any(each.startswith(place) for each in found)] == []


def test_a_size_beyond_its_bound_and_an_idle_exception_are_both_told() -> None:
    assert over({"a": 301, "b": 300}, 300, {}) == ["a has 301, at most 300"]
    assert over({"a": 331}, 300, {"a": (330, "why")}) == ["a has 331, at most 330"]
    assert over({"a": 310}, 300, {"a": (330, "why")}) == []
    assert over({"a": 300}, 300, {"a": (330, "why"), "gone": (9, "why")}) == [
        "a needs no exception any more",
        "gone needs no exception any more",
    ]


@pytest.mark.parametrize("caught", ["", " Exception", " (ValueError, Exception) as error", " BaseException"])
def test_a_catch_of_everything_is_found(caught: str) -> None:
    text = f"try:\n    work()\nexcept{caught}:\n    "
    assert catches_everything(text + "pass") == [3]
    assert catches_everything(text + "raise") == []
