"""Variables come into a process that is no fork of this one, as far as they can be copied within the bound."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator

import pytest

from nbagent.inside.copied import copied, kind_of, taken

np = pytest.importorskip("numpy", reason="needs the examples extra")


@pytest.fixture
def connection() -> Iterator[socket.socket]:
    with socket.socket() as made:
        yield made


def test_values_come_over_and_keep_what_they_share() -> None:
    shared = [1]
    memory, good, refused = copied({"a": shared, "b": {"of": shared}, "c": np.arange(1000.0)}, ["a", "b", "c"], 1 << 20)
    values = taken(memory)
    os.close(memory)
    assert (good, refused) == (["a", "b", "c"], {})
    assert values["b"]["of"] is values["a"]
    values["c"][0] = 7.0
    assert values["c"].sum() == 499507.0


def test_what_cannot_be_copied_is_named_with_the_reason(connection: socket.socket) -> None:
    variables = {"fine": 1, "open": connection, "large": bytes(2 << 20)}
    memory, good, refused = copied(variables, list(variables), 1 << 20)
    assert taken(memory) == {"fine": 1}
    os.close(memory)
    assert good == ["fine"]
    assert refused == {
        "open": "it cannot be copied (TypeError)",
        "large": "it is more than the 1 MB that are copied",
    }


def test_modules_and_library_functions_are_imported_and_own_ones_defined() -> None:
    def own() -> None: ...

    own.__module__ = "__main__"
    assert kind_of(os) == "import os"
    assert kind_of(socket.socket) == "from socket import socket"
    assert kind_of(own) == "define"
    assert kind_of([1]) == "copy"
