"""Values cross from a forked trial into its parent, and nothing else does."""

from __future__ import annotations

import array
import os
import pickle
import socket
from collections.abc import Callable
from typing import Any

import pytest

from nbagent.inside.adopt import NotAdoptable, offer, take

np = pytest.importorskip("numpy", reason="needs the examples extra")
pd = pytest.importorskip("pandas", reason="needs the examples extra")


def from_a_fork(work: Callable[[], tuple[int, Any]]) -> tuple[int, Any]:
    """Run `work` in a forked child that dies, and return the descriptor and the answer that it sent."""
    mine, its = socket.socketpair()
    pid = os.fork()
    if pid == 0:
        try:
            descriptor, answer = work()
            socket.send_fds(its, [pickle.dumps(answer)], [descriptor])
        finally:
            os._exit(0)
    its.close()
    message, descriptors, _, _ = socket.recv_fds(mine, 1 << 16, 1)
    mine.close()
    os.waitpid(pid, 0)
    return descriptors[0], pickle.loads(message)


def adopted(namespace: dict[str, Any], names: list[str]) -> tuple[dict[str, Any], dict[str, str]]:
    def work() -> tuple[int, Any]:
        descriptor, _, refused = offer(namespace, names)
        return descriptor, refused

    descriptor, refused = from_a_fork(work)
    try:
        return take(descriptor), refused
    finally:
        os.close(descriptor)


def test_frames_and_arrays_come_over_equal_and_writable() -> None:
    frame = pd.DataFrame(
        {
            "x": np.arange(1000.0),
            "text": ["t"] * 1000,
            "when": pd.date_range("2020", periods=1000),
            "kind": pd.Categorical(["a", "b"] * 500),
            "maybe": pd.array([1, None] * 500, dtype="Int64"),
        }
    )
    namespace = {"frame": frame, "grid": np.ones((300, 300)), "plain": {"a": [1, (2, 3)], "b": {4}}}
    values, refused = adopted(namespace, list(namespace))
    assert refused == {}
    pd.testing.assert_frame_equal(values["frame"], frame)
    assert (values["grid"] == 1).all()
    assert values["plain"] == namespace["plain"]
    values["grid"][0, 0] = 5
    values["frame"].loc[0, "x"] = 7
    assert values["frame"]["x"].sum() == frame["x"].sum() + 7


def test_names_that_share_with_each_other_keep_their_tie() -> None:
    inner = [1, 2]
    values, refused = adopted({"a": {"inner": inner}, "b": [inner]}, ["a", "b"])
    assert refused == {}
    assert values["a"]["inner"] is values["b"][0]


def test_a_name_that_shares_with_one_that_stays_is_refused_with_the_reason() -> None:
    old = [1, 2]
    values, refused = adopted({"old": old, "new": {"old": old}, "free": [3]}, ["new", "free"])
    assert values == {"free": [3]}
    assert refused == {"new": "it shares objects with old, which stays as it is"}


def test_a_view_of_an_array_that_stays_is_refused() -> None:
    grid = np.zeros((4, 4))
    _, refused = adopted({"grid": grid, "row": grid[0]}, ["row"])
    assert refused == {"row": "it shares objects with grid, which stays as it is"}


class Mine:
    pass


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (os, "a module is imported, not copied"),
        (Mine, "a function or class is defined by running its cell"),
        (Mine(), "which is not on the list of adoptable types"),
        (lambda: 1, "a function or class is defined by running its cell"),
        ((i for i in range(3)), "generator cannot be copied (TypeError)"),
    ],
)
def test_what_does_not_qualify_is_listed_with_its_reason(value: Any, reason: str) -> None:
    values, refused = adopted({"value": value}, ["value"])
    assert values == {}
    assert refused["value"].endswith(reason)


class Payload:
    def __reduce__(self) -> tuple[Any, ...]:
        return (os.system, ("touch adopted-payload-ran",))


def hostile(data: bytes, seal: bool = True) -> int:
    from nbagent.inside.adopt import sealed

    if seal:
        return sealed(data, [])
    descriptor = os.memfd_create("hostile", os.MFD_ALLOW_SEALING)
    os.write(descriptor, data)
    return descriptor


@pytest.mark.parametrize(
    "data",
    [
        pickle.dumps({"x": Payload()}),
        pickle.dumps({"x": getattr}),
        pickle.dumps({"x": eval}),
        pickle.dumps([1, 2]),
        b"\x80\x05garbage",
        b"",
    ],
)
def test_a_hostile_pickle_runs_nothing(data: bytes, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    descriptor, _ = from_a_fork(lambda: (hostile(data), None))
    with pytest.raises(NotAdoptable):
        take(descriptor)
    assert os.listdir(tmp_path) == []
    os.close(descriptor)


@pytest.mark.parametrize("content", [b"", b"short", array.array("Q", [5, 1 << 60]).tobytes() + b"[1,2]"])
def test_memory_that_is_unsealed_or_malformed_is_not_mapped(content: bytes) -> None:
    descriptor, _ = from_a_fork(lambda: (hostile(content, seal=False), None))
    with pytest.raises(NotAdoptable, match="not sealed"):
        take(descriptor)
    os.close(descriptor)
