"""Kernelspecs: which program runs a notebook, and how it is started under lock-down."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel
from pydantic import BaseModel

from nbagent.core.errors import ExitCode, NbAgentError, SandboxError, UsageError
from nbagent.sandbox.access import too_broad
from nbagent.sandbox.interpreter import Interpreter, inspect

_OLDEST_IPYKERNEL = (6, 29)
_OLDEST_PYTHON = (3, 9, 0)
_PYTHON = re.compile(r"(python|pypy)[0-9.]*(\.exe)?$")
_SECRET_NAME = re.compile(r"KEY|TOKEN|SECRET|PASS|CREDENTIAL|AUTH", re.IGNORECASE)
_FILE = "{connection_file}"


class NoSuchKernelspec(NbAgentError):
    """The notebook, or an option, names a kernel that is not installed."""

    exit_code = ExitCode.USAGE

    def __init__(self, name: str, found: tuple[str, ...]) -> None:
        self.name = name
        self.found = found
        there = ", ".join(found) if found else "none at all"
        super().__init__(f"There is no kernel {name!r} here (found: {there}). Choose one of these, or install it.")


class KernelSpec(BaseModel, frozen=True):
    """How a kernel is started. `interpreter` is set for IPython's kernel alone: it then runs in our own launcher."""

    name: str
    display_name: str
    language: str
    argv: tuple[str, ...]
    env: Mapping[str, str] = {}
    interpreter: Interpreter | None = None

    @property
    def program(self) -> str:
        """The executable that is started."""
        return self.argv[0]

    def folders(self) -> tuple[str, ...]:
        """Where the program and what it names lie, for programs that are not part of the system."""
        found: dict[str, None] = {}
        for word in self.argv:
            if not os.path.isabs(word) or not os.path.exists(word):
                continue
            real = Path(os.path.realpath(word))
            home = real.parent.parent if real.parent.name in ("bin", "Scripts") else real.parent
            if not too_broad(home) and home != Path("/"):
                found[str(home)] = None
        return tuple(found)

    def variables(self) -> dict[str, str]:
        """What the kernelspec sets in the environment, without what looks like a secret."""
        return {name: value for name, value in self.env.items() if not _SECRET_NAME.search(name)}


def find_kernel(wanted: str | Path) -> KernelSpec:
    """Return the kernelspec of that name, or IPython's kernel of the interpreter at that path.

    Raises `NoSuchKernelspec`, or `SandboxError` when the interpreter has no usable ipykernel.
    """
    text = str(wanted)
    if isinstance(wanted, Path) or os.sep in text:
        return _of_interpreter(Path(text))
    manager = KernelSpecManager()
    try:
        spec = manager.get_kernel_spec(text)
    except (NoSuchKernel, OSError, json.JSONDecodeError) as error:
        raise NoSuchKernelspec(text, tuple(sorted(manager.find_kernel_specs()))) from error
    argv = tuple(word.replace("{resource_dir}", spec.resource_dir) for word in spec.argv)
    argv = (_resolved(argv[0], Path(spec.resource_dir)), *argv[1:])
    env = {name: os.path.expandvars(value) for name, value in spec.env.items()}
    found = KernelSpec(name=text, display_name=spec.display_name, language=spec.language, argv=argv, env=env)
    if not _is_ipykernel(argv):
        return found
    return found.model_copy(update={"interpreter": _with_ipykernel(Path(argv[0]))})


def _of_interpreter(python: Path) -> KernelSpec:
    found = shutil.which(str(python))
    if found is None:
        raise UsageError(f"There is no interpreter at {python}, so nothing was run. Give the path of a python.")
    interpreter = _with_ipykernel(Path(os.path.abspath(found)))
    version = ".".join(str(part) for part in interpreter.version)
    return KernelSpec(
        name="python3",
        display_name=f"Python {version} ({found})",
        language="python",
        argv=(os.path.abspath(found), "-m", "ipykernel_launcher", "-f", _FILE),
        interpreter=interpreter,
    )


def _with_ipykernel(python: Path) -> Interpreter:
    interpreter = inspect(python)
    if interpreter.version < _OLDEST_PYTHON:
        version = ".".join(str(part) for part in interpreter.version)
        raise SandboxError(f"{python} is Python {version}; code is tried with 3.9 or later. Choose a newer kernel.")
    if interpreter.ipykernel is None:
        raise SandboxError(
            f"{python} has no ipykernel, so no notebook runs there. Install it: {python} -m pip install ipykernel"
        )
    numbers = tuple(int(part) for part in re.findall(r"\d+", interpreter.ipykernel)[:2])
    if numbers < _OLDEST_IPYKERNEL:
        raise SandboxError(
            f"{python} has ipykernel {interpreter.ipykernel}, 6.29 or later is needed: "
            f"{python} -m pip install --upgrade ipykernel"
        )
    return interpreter


def _is_ipykernel(argv: tuple[str, ...]) -> bool:
    python = bool(_PYTHON.match(os.path.basename(argv[0])))
    modules = [argv[i + 1] for i, word in enumerate(argv[:-1]) if word == "-m"]
    return python and modules[:1] in (["ipykernel_launcher"], ["ipykernel"])


def _resolved(program: str, resources: Path) -> str:
    """A bare `python` in a kernelspec means the interpreter of the environment that the kernelspec lies in."""
    if os.path.isabs(program):
        return program
    if _PYTHON.match(program) and len(resources.parents) > 3:
        beside = resources.parents[3] / "bin" / program
        if beside.exists():
            return str(beside)
        if resources.is_relative_to(sys.prefix):
            return sys.executable
    found = shutil.which(program)
    if found is None:
        raise SandboxError(
            f"The kernelspec starts {program!r}, which is not on the PATH. Install it, or choose another."
        )
    return os.path.abspath(found)
