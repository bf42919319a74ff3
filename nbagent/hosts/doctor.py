"""What this machine can do for nbagent, as facts: nothing here prints, and no key is ever read into a fact."""

from __future__ import annotations

import asyncio
import os
import platform
import subprocess
import sys
from importlib import metadata
from pathlib import Path

from pydantic import BaseModel

from nbagent.hosts.settings import Loaded, load
from nbagent.models.discovery import reachable
from nbagent.sandbox.probe import Machine, probe

_PACKAGES = ("nbagent", "ipython", "ipykernel", "jupyter-server", "jupyterlab", "notebook", "httpx", "pydantic")


class Kernel(BaseModel, frozen=True):
    """A kernelspec that was found, and why its program does not start (None: it does)."""

    name: str
    program: str
    fault: str | None = None


class Setting(BaseModel, frozen=True):
    """A value that was set; the headers of profiles are never among them."""

    name: str
    value: str
    origin: str


class Report(BaseModel, frozen=True):
    """Everything that `nbagent doctor` says. `models` are those of servers on this machine alone."""

    machine: Machine
    versions: dict[str, str]
    kernels: tuple[Kernel, ...]
    models: tuple[str, ...]
    labextension: bool
    settings: tuple[Setting, ...]


def examine(folder: Path) -> Report:
    """Look at the machine; nothing is sent but a question for the list of models, to servers on this machine."""
    loaded = load(folder, {})
    found, _ = asyncio.run(reachable(None, {}, {}))
    return Report(
        machine=probe(),
        versions={"python": platform.python_version(), **_versions()},
        kernels=_kernels(),
        models=tuple(f"{one.provider}/{one.name}" for one in found),
        labextension=_labextension(),
        settings=_settings(loaded),
    )


def _versions() -> dict[str, str]:
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def _kernels() -> tuple[Kernel, ...]:
    from jupyter_client.kernelspec import KernelSpecManager

    specs = KernelSpecManager().get_all_specs()
    programs = {name: str((specs[name]["spec"].get("argv") or [""])[0]) for name in sorted(specs)}
    return tuple(Kernel(name=name, program=program, fault=_fault(program)) for name, program in programs.items())


def _fault(program: str) -> str | None:
    """Return why a Python interpreter does not start; other programs are only looked for."""
    import shutil

    path = sys.executable if program in ("python", "python3") else shutil.which(program)
    if path is None:
        return "not found"
    if not os.path.basename(path).startswith("python"):
        return None
    try:
        done = subprocess.run([path, "-I", "-c", "import ipykernel"], capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.SubprocessError) as error:
        return str(error)
    return None if done.returncode == 0 else done.stderr.strip().rpartition("\n")[2] or "does not start"


def _labextension() -> bool:
    from jupyter_core.paths import jupyter_path

    return any(os.path.isdir(os.path.join(folder, "nbagent")) for folder in jupyter_path("labextensions"))


def _settings(loaded: Loaded) -> tuple[Setting, ...]:
    shown = []
    for name, origin in sorted(loaded.origins.items()):
        value = getattr(loaded.settings, name)
        text = ", ".join(map(str, value)) if isinstance(value, tuple | dict) else str(value)
        shown.append(Setting(name=name, value=text, origin=origin))
    return tuple(shown)
