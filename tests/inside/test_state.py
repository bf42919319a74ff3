"""What `nbagent.inside.state` says of a cell's effect on the variables."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from typing import Any

import pytest

from nbagent.inside.describe import describe
from nbagent.inside.state import Watch

np = pytest.importorskip("numpy", reason="needs the examples extra")
pd = pytest.importorskip("pandas", reason="needs the examples extra")


def changed(namespace: dict[str, Any], source: str) -> list[tuple[str | None, str | None]]:
    watch = Watch(namespace, source)
    exec(source, namespace)
    return [(c["name"], c["change"]) for c in watch.changes()]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("b = 1", [("b", "new")]),
        ("a = [9]", [("a", "rebound")]),
        ("n = 7", []),
        ("del a", [("a", "deleted")]),
        ("a.append(4)", [("a", "in place")]),
        ("d['deep']['x'].add(3)", [("d", "in place")]),
        ("arr[3] = 1.5", [("arr", "in place")]),
        ("arr.sum(); len(a); d.get('deep')", []),
        ("df.loc[0, 'x'] = 9.0", [("df", "in place")]),
        ("df['y'] = 2", [("df", "in place")]),
        ("df.describe(); df.columns.get_loc('x'); df.index.is_unique; df['x'].mean()", []),
        ("s.iloc[0] = 5.0", [("s", "in place")]),
        ("obj.value = 3", [("obj", "in place")]),
        ("_private = 1", []),
        ("import math", [("math", "new")]),
    ],
)
def test_each_kind_of_change_is_named_and_reading_is_none(source: str, expected: list[tuple[str, str]]) -> None:
    class Thing:
        value = 0

    thing = Thing()
    thing.value = 1
    namespace: dict[str, Any] = {
        "a": [1, 2, 3],
        "n": 7,
        "d": {"deep": {"x": {1, 2}}},
        "arr": np.zeros(100),
        "df": pd.DataFrame({"x": [1.0, 2.0, np.nan], "t": ["u", "v", "w"]}),
        "s": pd.Series([1.0, 2.0]),
        "obj": thing,
    }
    assert changed(namespace, source) == expected


def test_a_view_with_gaps_is_seen_through_to_its_owner() -> None:
    owner = np.zeros((100, 100))
    assert changed({"view": owner[::2, ::3]}, "view[4, 4] = 1") == [("view", "in place")]


def test_before_and_after_are_described() -> None:
    namespace: dict[str, Any] = {"df": pd.DataFrame({"x": [1.0, np.nan]})}
    watch = Watch(namespace, "df['y'] = 1")
    namespace["df"]["y"] = 1
    (change,) = watch.changes()
    assert change["before"] is not None
    assert change["before"].startswith("DataFrame 2 x 1, 1 nulls")
    assert change["after"] is not None
    assert change["after"].startswith("DataFrame 2 x 2, 1 nulls")


def in_a_fork(work: Callable[[], Any]) -> Any:
    """Run `work` in a forked child, as trials do, and return what it returned."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.write(writer, pickle.dumps(work()))
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        answer = pipe.read()
    os.waitpid(pid, 0)
    return pickle.loads(answer)


def test_one_written_page_of_a_large_inherited_array_is_found_in_a_fork() -> None:
    large = np.ones(8_000_000)
    namespace: dict[str, Any] = {"large": large, "other": np.ones(8_000_000)}
    assert in_a_fork(lambda: changed(namespace, "large[5_000_000] = 7")) == [("large", "in place")]
    assert in_a_fork(lambda: changed(namespace, "large.sum() + other.max()")) == []


class Loud:
    def __repr__(self) -> str:
        raise AssertionError("a description must not run the user's own code")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (3, "3"),
        ("short", "'short'"),
        ("x" * 5000, "str of 5,000"),
        (10**500, "int of 1661 bits"),
        ([1, 2, 3], "list of 3"),
        (Loud(), "test_state.Loud"),
        (Loud, "class Loud"),
        (os, "module os"),
    ],
)
def test_descriptions_are_short_and_never_run_user_code(value: Any, text: str) -> None:
    assert describe(value).endswith(text)


def test_arrays_and_series_show_shape_dtype_and_memory() -> None:
    assert describe(np.zeros((10, 3))) == "ndarray 10 x 3 float64, 240 B"
    assert describe(pd.Series([1.0, None])).startswith("Series 2, 1 nulls")
