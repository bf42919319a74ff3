"""What this machine can confine, found out by doing it in throw-away processes."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import tempfile
from functools import lru_cache
from pathlib import Path

from pydantic import BaseModel, JsonValue, TypeAdapter

import nbagent.inside
from nbagent.core.errors import CannotConfine
from nbagent.inside import landlock
from nbagent.sandbox.access import Access, Layers, Limits
from nbagent.sandbox.interpreter import inspect

LAUNCHER = Path(nbagent.inside.__file__).parent / "launcher.py"
_HELP = (
    "A kernel from 6.2 on with Landlock enabled (lsm=landlock,...), or user namespaces "
    "(kernel.apparmor_restrict_unprivileged_userns=0; in Docker --security-opt seccomp=unconfined) would allow it."
)


class Layer(BaseModel, frozen=True):
    """One layer of the lock-down: whether this machine has it, and what follows for confined code."""

    name: str
    works: bool
    detail: str


class Machine(BaseModel, frozen=True):
    """What this machine can do. `layers` is the best set that was really put in place; None when none confines."""

    layers: Layers | None
    details: tuple[Layer, ...]
    refusal: str | None = None

    def require(self, access: Access) -> Layers:
        """Return the layers that confine `access`; raise `CannotConfine`, with what would help, where none do."""
        if self.layers is None:
            raise CannotConfine(self.refusal or "This machine cannot confine code, so nothing was run.")
        if access.network:
            raise CannotConfine(
                "Code with network access cannot be confined, so nothing was run. Fetch the data before."
            )
        return self.layers


@lru_cache(maxsize=1)
def probe() -> Machine:
    """Return what this machine can do; asked once in the life of this process (some 100 ms)."""
    if not sys.platform.startswith("linux") or platform.machine() != "x86_64":
        where = f"{platform.system()} on {platform.machine()}"
        refusal = f"nbagent confines code on Linux on x86_64 only, and this is {where}, so nothing was run."
        return Machine(layers=None, details=(Layer(name="platform", works=False, detail=where),), refusal=refusal)
    abi = landlock.abi()
    usable = abi if abi >= landlock.LEAST_ABI else 0
    details = [_landlock(abi)]
    for candidate in (
        Layers(namespaces=True, pid=True, landlock=usable),
        Layers(namespaces=True, pid=False, landlock=usable),
        Layers(namespaces=False, pid=False, landlock=usable),
    ):
        if not candidate.namespaces and not usable:
            break
        failure = attempt(candidate)
        if failure is None:
            details += [_namespaces(candidate, details), Layer(name="seccomp", works=True, detail="in force")]
            return Machine(layers=candidate, details=tuple(details))
        name = "process namespace" if candidate.pid else "namespaces" if candidate.namespaces else "seccomp"
        details.append(Layer(name=name, works=False, detail=failure))
    because = "; ".join(layer.detail for layer in details if not layer.works)
    refusal = f"This machine cannot keep code from files and network ({because}), so nothing was run. {_HELP}"
    return Machine(layers=None, details=tuple(details), refusal=refusal)


def attempt(layers: Layers) -> str | None:
    """Put the layers in place in a process that then ends; return why they could not be, or None."""
    with tempfile.TemporaryDirectory(prefix="nbagent-probe-") as folder:
        workspace, scratch = Path(folder, "workspace"), Path(folder, "scratch")
        workspace.mkdir()
        access = Access(workspace=workspace, scratch=scratch, limits=Limits(disk_mb=16, memory_mb=512))
        policy = access.policy(inspect(Path(sys.executable)), layers)
        return _tried(policy, Path(folder, "policy.json"))


def _tried(policy: dict[str, JsonValue], file: Path) -> str | None:
    file.write_bytes(TypeAdapter(dict[str, JsonValue]).dump_json(policy))
    ours, theirs = os.pipe()
    try:
        done = subprocess.run(
            [sys.executable, "-I", str(LAUNCHER), str(file), str(ours), "try"],
            capture_output=True,
            text=True,
            timeout=30,
            pass_fds=[ours],
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.SubprocessError) as error:
        return str(error)
    finally:
        os.close(ours)
        os.close(theirs)
    if done.returncode == 0 and done.stdout.startswith("{"):
        return None
    return done.stderr.strip().rpartition("\n")[2] or f"the trial process ended with status {done.returncode}"


def _landlock(abi: int) -> Layer:
    if abi >= landlock.LEAST_ABI:
        signals = "signals included" if abi >= 6 else "signals left to the other layers"
        return Layer(name="Landlock", works=True, detail=f"ABI {abi}, {signals}")
    found = f"ABI {abi}" if abi else "absent"
    return Layer(name="Landlock", works=False, detail=f"Landlock is {found}, ABI {landlock.LEAST_ABI} is needed")


def _namespaces(layers: Layers, details: list[Layer]) -> Layer:
    if layers.namespaces and layers.pid:
        return Layer(name="namespaces", works=True, detail="files, network, IPC and processes are private")
    if layers.namespaces:
        return Layer(name="namespaces", works=True, detail="files, network and IPC are private, processes are not")
    consequence = (
        "no /dev/shm or sockets, so no multiprocessing pools; the workspace is written only in clean subfolders"
    )
    return Layer(name="without namespaces", works=True, detail=consequence)
