"""What a Python interpreter is made of: where its library lies, and which ipykernel it has."""

from __future__ import annotations

import subprocess
from functools import lru_cache
from pathlib import Path

from pydantic import BaseModel, ValidationError

from nbagent.core.errors import SandboxError

_QUESTION = """
import json, os, sys, sysconfig
try:
    import importlib.metadata as metadata
    ipykernel = metadata.version("ipykernel")
except Exception:
    ipykernel = None
folders = {sys.prefix, sys.base_prefix, sys.exec_prefix, os.path.dirname(os.path.realpath(sys.executable))}
folders.update(sysconfig.get_paths().values())
print(json.dumps({"executable": sys.executable, "version": list(sys.version_info[:3]), "ipykernel": ipykernel,
                  "folders": sorted(folders), "path": [p for p in sys.path if p]}))
"""


class Interpreter(BaseModel, frozen=True):
    """One interpreter: `folders` hold its library, `path` is where it imports from, `ipykernel` its version if any."""

    executable: str
    version: tuple[int, int, int]
    ipykernel: str | None
    folders: tuple[str, ...]
    path: tuple[str, ...]


@lru_cache(maxsize=32)
def inspect(python: Path) -> Interpreter:
    """Ask the interpreter itself. Raises `SandboxError` when it does not run or does not answer."""
    try:
        answer = subprocess.run(
            [str(python), "-c", _QUESTION],
            capture_output=True,
            timeout=60,
            check=True,
            stdin=subprocess.DEVNULL,
            cwd="/",
        )
        return Interpreter.model_validate_json(answer.stdout)
    except (OSError, subprocess.SubprocessError, ValidationError) as error:
        raise SandboxError(
            f"{python} cannot be used as a Python interpreter ({error}). Nothing was run; name another one."
        ) from error
