"""Short descriptions of values for people and models: type, shape, dtypes, nulls, memory; never their contents.

Only scalars show their value. Nothing here calls a user-defined `__repr__`.
"""

from __future__ import annotations

from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any

_SCALARS = (bool, int, float, complex, str, bytes, type(None))
_TEXT = 60
_COLUMNS = 6
_COUNT_NULLS_BELOW = 20_000_000
"""Cells of a frame above which nulls are not counted: counting 20 million floats takes some 20 ms."""


def describe(value: Any) -> str:
    """Return a few words on a value: `DataFrame 891 x 12, 177 nulls, 84.1 kB (age float64, name str, ...)`."""
    kind = type(value)
    if kind.__module__ == "numpy" and isinstance(value, (int, float, complex, str, bytes)):
        return "%s %s" % (kind.__name__, describe(value.item()))  # type: ignore[union-attr]  # a NumPy scalar
    if isinstance(value, _SCALARS):
        return _scalar(value)
    root = (kind.__module__ or "").split(".")[0]
    described = None
    if root == "pandas":
        described = _pandas(value)
    elif hasattr(kind, "__array_interface__") or (root == "torch" and hasattr(kind, "data_ptr")):
        described = _array(value)
    return described or _other(value)


def size(count: float) -> str:
    """Return a number of bytes for people: `84.1 kB` (1 kB = 1000 bytes, as in pandas' and IPython's reports)."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return "%d B" % count if unit == "B" else "%.1f %s" % (count, unit)
        count /= 1000
    return "%.1f TB" % count


def _scalar(value: Any) -> str:
    if isinstance(value, int) and not isinstance(value, bool) and value.bit_length() > 256:
        return "int of %d bits" % value.bit_length()
    if isinstance(value, (str, bytes)) and len(value) > _TEXT:
        return "%s of %s" % (type(value).__name__, format(len(value), ","))
    if type(value) not in _SCALARS:
        return type(value).__name__
    return repr(value)


def _pandas(value: Any) -> str | None:
    name = type(value).__name__
    shape = getattr(value, "shape", None)
    if not isinstance(shape, tuple):
        return None
    parts = ["%s %s" % (name, _times(shape))]
    cells = 1
    for length in shape:
        cells *= length
    if hasattr(value, "isna") and name != "MultiIndex" and cells < _COUNT_NULLS_BELOW:
        nulls = value.isna().sum()
        parts.append("%s nulls" % format(int(nulls.sum() if hasattr(nulls, "sum") else nulls), ","))
    if hasattr(value, "memory_usage"):
        used = value.memory_usage()
        parts.append(size(float(used.sum() if hasattr(used, "sum") else used)))
    return ", ".join(parts) + _dtypes(value)


def _dtypes(value: Any) -> str:
    if not hasattr(value, "columns"):
        dtype = getattr(value, "dtype", None)
        return "" if dtype is None else " (%s)" % dtype
    dtypes = list(value.dtypes)
    pairs = ["%s %s" % (column, dtypes[i]) for i, column in enumerate(value.columns[:_COLUMNS])]
    if len(value.columns) > _COLUMNS:
        pairs.append("...")
    return " (%s)" % ", ".join(pairs)


def _array(value: Any) -> str | None:
    shape, dtype = getattr(value, "shape", None), getattr(value, "dtype", None)
    if shape is None or dtype is None:
        return None
    used = getattr(value, "nbytes", None)
    text = "%s %s %s" % (type(value).__name__, _times(tuple(shape)), dtype)
    return text if used is None else "%s, %s" % (text, size(float(used)))


def _times(shape: tuple[int, ...]) -> str:
    return " x ".join(format(length, ",") for length in shape) if shape else "()"


def _other(value: Any) -> str:
    if isinstance(value, ModuleType):
        return "module %s" % value.__name__
    if isinstance(value, (FunctionType, BuiltinFunctionType, MethodType)):
        return "function %s" % getattr(value, "__name__", "?")
    if isinstance(value, type):
        return "class %s" % value.__name__
    kind = type(value)
    name = kind.__name__ if kind.__module__ in ("builtins", "__main__") else "%s.%s" % (kind.__module__, kind.__name__)
    if kind in (list, tuple, set, frozenset, dict) or "collections" in (kind.__module__ or ""):
        return "%s of %s" % (name, format(len(value), ","))
    return name
