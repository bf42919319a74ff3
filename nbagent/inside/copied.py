"""Copies of variables for a confined process that is no fork of this one: pickled, bounded, in sealed memory.

The kernel's values are trusted and go to where nothing can do harm, so any type may come along that can be pickled.
"""

from __future__ import annotations

import io
import pickle
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any

from .adopt import sealed, unsealed


class _Full(Exception):
    """More than the bound."""


def copied(namespace: "dict[str, Any]", names: "list[str]", most: int) -> "tuple[int, list[str], dict[str, str]]":
    """Return a sealed memfd with the values, the names in it, and for the other names the reason why not.

    most: bytes for all together. What two of the variables share they share in the copy, too. Raises OSError when the
    memory cannot be made.
    """
    good = list(names)
    refused: "dict[str, str]" = {}
    whole = _pickled(namespace, good, most)
    if isinstance(whole, str):
        refused = {name: why for name in names for why in [_pickled(namespace, [name], most)] if isinstance(why, str)}
        good = [name for name in names if name not in refused]
        whole = _pickled(namespace, good, most)
    if isinstance(whole, str):
        return _empty(), [], {**dict.fromkeys(names, whole), **refused}
    return sealed(*whole), good, refused


def taken(descriptor: int) -> "dict[str, Any]":
    """Return the values in a memfd from `copied`. Only for confined processes: reading a pickle runs what it names."""
    data, buffers = unsealed(descriptor)
    values: "dict[str, Any]" = pickle.loads(data, buffers=buffers)
    return values


def kind_of(value: Any) -> str:
    """Return how another process can have a value: "import LINE", "define" (its cell is to be run), or "copy"."""
    if isinstance(value, ModuleType):
        return "import %s" % value.__name__
    if isinstance(value, (type, FunctionType, BuiltinFunctionType)):
        module, name = getattr(value, "__module__", None), getattr(value, "__qualname__", "")
        if module in (None, "__main__") or not name.isidentifier():
            return "define"
        return "from %s import %s" % (module, name)
    return "copy"


def _empty() -> int:
    return sealed(pickle.dumps({}, protocol=5), [])


def _pickled(namespace: "dict[str, Any]", names: "list[str]", most: int) -> Any:
    """Return the pickle and its buffers, or why there is none."""
    buffers: "list[pickle.PickleBuffer]" = []
    room = [most]

    def take(buffer: pickle.PickleBuffer) -> None:
        buffers.append(buffer)
        room[0] -= buffer.raw().nbytes
        if room[0] < 0:
            raise _Full

    class Bounded(io.BytesIO):
        def write(self, data: Any) -> int:
            room[0] -= memoryview(data).nbytes
            if room[0] < 0:
                raise _Full
            return super().write(data)

    file = Bounded()
    try:
        pickle.Pickler(file, protocol=5, buffer_callback=take).dump({name: namespace[name] for name in names})
    except _Full:
        return "it is more than the %d MB that are copied" % (most >> 20)
    except Exception as error:  # objects may refuse to be pickled with any exception
        return "it cannot be copied (%s)" % type(error).__name__
    return file.getvalue(), buffers
