"""Bring values of a trial into the kernel that it was forked from, without running the code again.

Child: `offer` pickles the names (protocol 5, large buffers out of band) into a memfd and seals it. Parent: `take`
checks the seals, maps the memory privately (no copy) and reads the pickle with an unpickler that resolves nothing but
the pairs in `adoptable.py`. An unsealed memfd could be cut short by its writer under the parent's mapping, which kills
the parent with SIGBUS; so no seal, no map.

This is no boundary against a child that was taken over: adopting needs the user's own command, as running the code
does.
"""

from __future__ import annotations

import fcntl
import io
import json
import mmap
import os
import pickle
import struct
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any

from .adoptable import ADOPTABLE
from .state import reached

_SEALS = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SEAL
_HEAD = struct.Struct("<QQ")
_ALIGN = 4096
_HEADER_LIMIT = 64 << 20
_PIECE = 64 << 20


class NotAdoptable(Exception):
    """A value cannot be brought over; the message is the reason, a clause for the user."""


def offer(namespace: dict[str, Any], names: list[str]) -> tuple[int, list[str], dict[str, str]]:
    """Return a sealed memfd with the values, the names in it, and for the other names the reason why not.

    namespace: all variables of the trial. A name whose objects share something mutable with a name that is not in the
    memfd would lose that tie, so it does not qualify; names that share with each other come over together.
    Raises OSError when the memfd cannot be made or filled.
    """
    refused = {name: _unfit(namespace[name]) for name in names}
    good = [name for name in names if not refused[name]]
    good = _untied(namespace, good, refused)
    buffers: list[pickle.PickleBuffer] = []
    data = _pickled({name: namespace[name] for name in good}, buffers)
    return sealed(data, buffers), good, {name: why for name, why in refused.items() if why}


def take(descriptor: int) -> dict[str, Any]:
    """Return the values in a memfd from `offer`. Large arrays live in the mapped memory and are writable.

    Raises `NotAdoptable` when the memory is not sealed, is malformed or names anything that is not on the list.
    The descriptor stays open. Call it only when the writer is dead.
    """
    try:
        data, buffers = unsealed(descriptor)
        values = _Restricted(io.BytesIO(data), buffers=buffers).load()
    except NotAdoptable:
        raise
    except Exception as error:  # a pickle made by anyone may raise anything while it is read
        raise NotAdoptable("its values cannot be read back (%s)" % type(error).__name__) from None
    if not isinstance(values, dict) or not all(isinstance(name, str) for name in values):
        raise NotAdoptable("the trial's memory does not hold variables")
    return values


def unsealed(descriptor: int) -> "tuple[memoryview, list[memoryview]]":
    """Return the pickle and the buffers in a memfd from `sealed`, mapped privately. Raises `NotAdoptable`."""
    if fcntl.fcntl(descriptor, fcntl.F_GET_SEALS) & _SEALS != _SEALS:
        raise NotAdoptable("the trial's memory is not sealed")
    total = os.fstat(descriptor).st_size
    if total < _HEAD.size:
        raise NotAdoptable("the trial's memory is cut short")
    memory = memoryview(mmap.mmap(descriptor, total, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ | mmap.PROT_WRITE))
    return _parts(memory, total)


class _Restricted(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in ADOPTABLE:
            raise NotAdoptable("it holds %s.%s, which is not on the list of adoptable types" % (module, name))
        return super().find_class(module, name)


def _unfit(value: Any) -> str:
    if isinstance(value, ModuleType):
        return "a module is imported, not copied"
    if isinstance(value, (type, FunctionType, BuiltinFunctionType)):
        return "a function or class is defined by running its cell"
    buffers: list[pickle.PickleBuffer] = []
    try:
        _Restricted(io.BytesIO(_pickled(value, buffers)), buffers=buffers).load()
    except NotAdoptable as error:
        return str(error)
    except Exception as error:  # objects may refuse to be pickled with any exception
        return "%s cannot be copied (%s)" % (type(value).__name__, type(error).__name__)
    return ""


def _untied(namespace: dict[str, Any], good: list[str], refused: dict[str, str]) -> list[str]:
    """Leave out names that share something mutable with a name that stays behind, until none does."""
    parts = {name: reached(value) for name, value in namespace.items() if not name.startswith("_")}
    while True:
        for name in good:
            mine = parts.get(name)
            if mine is None:
                refused[name] = "it is too large to tell what it shares with other variables"
                break
            ties = [other for other in parts if other not in good and parts[other] is not None]
            tied = sorted(other for other in ties if not mine.isdisjoint(parts[other] or ()))
            if tied:
                refused[name] = "it shares objects with %s, which stays as it is" % tied[0]
                break
        else:
            return good
        good = [other for other in good if other != name]


def _pickled(value: Any, buffers: list[pickle.PickleBuffer]) -> bytes:
    return pickle.dumps(value, protocol=5, buffer_callback=buffers.append)


def sealed(data: bytes, buffers: list[pickle.PickleBuffer]) -> int:
    """Return a memfd that holds a pickle and its buffers, and can never change again. Raises OSError."""
    raws = [buffer.raw() for buffer in buffers]
    header = json.dumps([raw.nbytes for raw in raws]).encode()
    descriptor = os.memfd_create("nbagent", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        _write(descriptor, _HEAD.pack(len(header), len(data)) + header, 0)
        _write(descriptor, data, _HEAD.size + len(header))
        at = _aligned(_HEAD.size + len(header) + len(data))
        os.ftruncate(descriptor, at)
        for raw in raws:
            _write(descriptor, raw, at)
            at = _aligned(at + raw.nbytes)
            os.ftruncate(descriptor, at)
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, _SEALS)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _write(descriptor: int, data: Any, at: int) -> None:
    view = memoryview(data)
    done = 0
    while done < view.nbytes:
        done += os.pwrite(descriptor, view[done : done + _PIECE], at + done)


def _parts(memory: memoryview, total: int) -> tuple[memoryview, list[memoryview]]:
    header_size, data_size = _HEAD.unpack_from(memory, 0)
    if header_size > _HEADER_LIMIT or _HEAD.size + header_size + data_size > total:
        raise NotAdoptable("the trial's memory is malformed")
    sizes = json.loads(bytes(memory[_HEAD.size : _HEAD.size + header_size]))
    if not isinstance(sizes, list) or not all(type(size) is int and size >= 0 for size in sizes):
        raise NotAdoptable("the trial's memory is malformed")
    start = _HEAD.size + header_size
    at = _aligned(start + data_size)
    buffers = []
    for size in sizes:
        if at + size > total:
            raise NotAdoptable("the trial's memory is cut short")
        buffers.append(memory[at : at + size])
        at = _aligned(at + size)
    return memory[start : start + data_size], buffers


def _aligned(offset: int) -> int:
    return -(-offset // _ALIGN) * _ALIGN
