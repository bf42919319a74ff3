"""What a piece of code did to the variables: names new, rebound, deleted, changed in place.

Rebinding is exact (identity). Changes in place are found by fingerprints of what the names reach: the identities of
the objects (which are kept alive meanwhile, so an identity cannot be reused) and the contents of array buffers.
Buffers above `_HASH_WHOLE` are not hashed whole: in a process that was just forked, a page that was written is
exclusively mapped (bit 56 of /proc/PID/pagemap, Linux 4.2, Documentation/admin-guide/mm/pagemap.rst), so only such
pages are hashed. That costs 10 to 50 ms for a gigabyte instead of half a second.
"""

from __future__ import annotations

import ast
import gc
import sys
import zlib
from collections.abc import Iterator
from types import BuiltinFunctionType, CodeType, FrameType, FunctionType, MethodType, ModuleType
from typing import Any

from .describe import describe

_HASH_WHOLE = 4 << 20
_NODES = 20_000
"""Objects that one fingerprint round may visit, all names together: about 10 ms."""
_PAGE = 4096
_EXCLUSIVE = 1 << 56
_OPAQUE = (type, ModuleType, FunctionType, BuiltinFunctionType, MethodType, CodeType, FrameType)
_MACHINERY = frozenset({"threading", "_thread", "asyncio", "_asyncio", "IPython", "ipykernel", "zmq", "tornado"})
"""Packages whose objects change by themselves, with a fork for one: that is nothing the code did."""
_ATOMS = (bool, int, float, complex, str, bytes, type(None), type(Ellipsis), range)


class Watch:
    """Looks at a namespace before code runs; `changes()` compares afterwards.

    ignore: names that are IPython's own. Names that start with an underscore are never reported.
    """

    def __init__(self, namespace: dict[str, Any], source: str, ignore: frozenset[str] = frozenset()) -> None:
        self._namespace, self._ignore = namespace, ignore
        self._before = self._visible()
        mentioned = names_in(source)
        self._prints: dict[str, int] = {}
        self._alive: list[Any] = []
        budget = _Budget(_NODES)
        for name in sorted(self._before, key=lambda n: n not in mentioned):
            if isinstance(self._before[name], _ATOMS + _OPAQUE):
                continue
            print_ = fingerprint(self._before[name], budget, self._alive)
            if print_ is None:
                break
            self._prints[name] = print_
        self._described = {n: describe(self._before[n]) for n in mentioned if n in self._prints}

    def changes(self) -> list[dict[str, str | None]]:
        """Return one record per changed name, sorted: name, change, before, after (descriptions, or None)."""
        found = []
        after = self._visible()
        for name in sorted(set(self._before) | set(after)):
            if name not in self._before:
                found.append(_record(name, "new", None, describe(after[name])))
            elif name not in after:
                found.append(_record(name, "deleted", self._was(name), None))
            elif after[name] is not self._before[name]:
                if not _same_atom(self._before[name], after[name]):
                    found.append(_record(name, "rebound", self._was(name), describe(after[name])))
            elif name in self._prints and self._touched(name):
                found.append(_record(name, "in place", self._was(name), describe(after[name])))
        return found

    def _visible(self) -> dict[str, Any]:
        return {n: v for n, v in self._namespace.items() if not n.startswith("_") and n not in self._ignore}

    def _touched(self, name: str) -> bool:
        return fingerprint(self._before[name], _Budget(_NODES), []) != self._prints[name]

    def _was(self, name: str) -> str | None:
        if name in self._described:
            return self._described[name]
        return None if name in self._prints and self._touched(name) else describe(self._before[name])


def names_in(source: str) -> set[str]:
    """Return the names that a cell mentions; the words of the text when it does not parse (magics)."""
    try:
        return {node.id for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Name)}
    except (SyntaxError, ValueError, RecursionError):
        return set("".join(c if c.isidentifier() or c.isdigit() else " " for c in source).split())


class _Budget:
    def __init__(self, nodes: int) -> None:
        self.nodes = nodes


def fingerprint(value: Any, budget: _Budget, alive: list[Any]) -> int | None:
    """Return a number that changes when anything mutable that `value` reaches changes; None when the budget is used up.

    alive: receives every object visited; keep it as long as the number is to be compared.
    """
    seen: set[int] = set()
    stack, print_ = [value], 0
    while stack:
        item = stack.pop()
        print_ = zlib.crc32(b"%d" % id(item), print_)
        if id(item) in seen or isinstance(item, _ATOMS + _OPAQUE):
            alive.append(item)
            continue
        seen.add(id(item))
        alive.append(item)
        budget.nodes -= 1
        if budget.nodes < 0:
            return None
        buffer = _buffer(item)
        if buffer is not None:
            print_ = _contents(buffer, print_)
        else:
            stack.extend(_inside(item))
    return print_


def reached(value: Any, limit: int = 200_000) -> frozenset[int] | None:
    """Return the identities of all mutable objects that `value` reaches; None when there are more than `limit` objects.

    The data of pandas objects does not count where pandas copies on write (3.0 and later): sharing it changes nothing.
    """
    seen: set[int] = set()
    mutable: set[int] = set()
    stack = [value]
    while stack:
        item = stack.pop()
        if id(item) in seen or isinstance(item, _ATOMS + _OPAQUE):
            continue
        seen.add(id(item))
        if len(seen) > limit:
            return None
        if _is_array(item):
            while _is_array(item.base):
                item = item.base
            mutable.add(id(item))
            if item.dtype != object:
                continue
        if type(item).__module__.split(".")[0] == "pandas":
            mutable.add(id(item))
            if hasattr(item, "_mgr") and _copies_on_write():
                continue
        elif not isinstance(item, (tuple, frozenset)):
            mutable.add(id(item))
        stack.extend(_inside(item))
    return frozenset(mutable)


def _copies_on_write() -> bool:
    version = str(getattr(sys.modules.get("pandas"), "__version__", "0"))
    return version.split(".")[0].isdigit() and int(version.split(".")[0]) >= 3


def _inside(item: Any) -> Iterator[Any]:
    root = (type(item).__module__ or "").split(".")[0]
    if root in _MACHINERY:
        return iter(())
    if root == "pyarrow":
        return iter(())  # immutable; its buffers belong to nobody who could write them
    if root == "pandas":
        return _inside_pandas(item)
    if isinstance(item, dict):
        return (x for pair in list(item.items()) for x in pair)
    if _is_array(item) and item.dtype == object:
        return iter(item.ravel().tolist())
    own = getattr(item, "__dict__", None)
    # An instance's dict may come into being when it is first looked at: its values count, its identity does not.
    others = (x for x in gc.get_referents(item) if x is not own and not isinstance(x, _OPAQUE))
    return iter([*others, *own.values()] if isinstance(own, dict) else list(others))


def _inside_pandas(item: Any) -> Iterator[Any]:
    """Reading a frame fills caches of frame, indexes and arrays: look at the data and the axes only."""
    manager = getattr(item, "_mgr", None)
    if manager is not None:
        return iter([*getattr(manager, "arrays", ()), *getattr(manager, "axes", ())])
    parts = (getattr(item, name, None) for name in ("_data", "_name", "_names", "_ndarray", "_pa_array", "_mask"))
    return iter([part for part in parts if part is not None])


def _is_array(item: Any) -> bool:
    return hasattr(type(item), "__array_interface__") and hasattr(item, "nbytes")


def _buffer(item: Any) -> tuple[int, int] | None:
    """Return address and length of the memory that an array shows, of its owner when it is a view with gaps."""
    if type(item).__module__.split(".")[0] == "torch" and hasattr(item, "data_ptr") and hasattr(item, "element_size"):
        return (item.data_ptr(), item.numel() * item.element_size()) if item.device.type == "cpu" else None
    if not _is_array(item) or item.dtype.hasobject:
        return None
    while not item.flags.forc and _is_array(item.base):
        item = item.base
    if not item.flags.forc:
        return None
    return item.__array_interface__["data"][0], item.nbytes


def _contents(buffer: tuple[int, int], start: int) -> int:
    import ctypes

    address, length = buffer
    if not address or not length:
        return start
    if length <= _HASH_WHOLE:
        return zlib.crc32((ctypes.c_char * length).from_address(address), start)
    pages = exclusive_pages(address, length)
    for page in pages:
        at = max(address, page * _PAGE)
        end = min(address + length, (page + 1) * _PAGE)
        start = zlib.crc32((ctypes.c_char * (end - at)).from_address(at), zlib.crc32(b"%d" % page, start))
    return start


def exclusive_pages(address: int, length: int) -> list[int]:
    """Return the numbers of the memory pages in a range that only this process maps; all of them if Linux won't say."""
    first, last = address // _PAGE, (address + length - 1) // _PAGE
    wanted = (last - first + 1) * 8
    try:
        with open("/proc/self/pagemap", "rb", 0) as pagemap:
            pagemap.seek(first * 8)
            entries = pagemap.read(wanted)
    except OSError:
        entries = b""
    if len(entries) < wanted:
        return list(range(first, last + 1))
    bits = memoryview(entries).cast("Q")
    return [first + i for i, entry in enumerate(bits) if entry & _EXCLUSIVE]


def _same_atom(before: Any, after: Any) -> bool:
    return type(before) is type(after) and isinstance(before, _ATOMS) and bool(before == after)


def _record(name: str, change: str, before: str | None, after: str | None) -> dict[str, str | None]:
    return {"name": name, "change": change, "before": before, "after": after}
