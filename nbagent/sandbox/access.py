"""What code may touch, and how much of it: the whole of the sandbox's policy as one frozen value."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, JsonValue

from nbagent.core.errors import UsageError
from nbagent.sandbox import secrets
from nbagent.sandbox.interpreter import Interpreter
from nbagent.sandbox.named import named_folders

Mode = Literal["read-only", "workspace-write", "full"]

ENVIRONMENT = (
    "PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "LC_*", "TZ", "TERM", "COLUMNS", "LINES",
    "PYTHONPATH", "PYTHONHOME", "PYTHONHASHSEED", "PYTHONUTF8", "PYTHONIOENCODING", "PYTHONWARNINGS",
    "PYTHONNOUSERSITE", "PYTHONOPTIMIZE", "PYTHONUNBUFFERED", "VIRTUAL_ENV", "CONDA_PREFIX", "CONDA_DEFAULT_ENV",
    "CONDA_SHLVL", "LD_LIBRARY_PATH", "OMP_*", "KMP_*", "GOMP_*", "MKL_NUM_THREADS", "MKL_THREADING_LAYER",
    "OPENBLAS_*", "BLIS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS", "NUMEXPR_*", "NUMBA_NUM_THREADS",
    "POLARS_MAX_THREADS", "RAYON_NUM_THREADS", "MPLBACKEND", "JAVA_HOME", "R_HOME", "R_LIBS*", "JULIA_DEPOT_PATH",
    "CUDA_VISIBLE_DEVICES", "SOURCE_DATE_EPOCH", "LOKY_MAX_CPU_COUNT",
)  # fmt: skip
"""Patterns of the only variables that confined code sees; everything else may be a secret."""

SYSTEM = (
    "/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/etc", "/opt", "/nix/store",
    "/run/current-system/sw", "/var/cache/fontconfig", "/var/lib/texmf",
)  # fmt: skip


class Limits(BaseModel, frozen=True):
    """Bounds for one branch's whole process tree; `files` is the number of files it may make."""

    wall_seconds: float = 600.0
    cpu_seconds: float = 3600.0
    memory_mb: int = 4096
    processes: int = 256
    open_files: int = 4096
    file_mb: int = 1024
    disk_mb: int = 2048
    output_mb: int = 32
    files: int = 20_000


class Layers(BaseModel, frozen=True):
    """Which layers a machine has: namespaces (all or none), a PID namespace with its own /proc, Landlock's ABI."""

    namespaces: bool
    pid: bool
    landlock: int


class Access(BaseModel, frozen=True):
    """What may be read and written. `workspace` is readable; `scratch` is writable; `readable` adds files and folders.

    `replaced` gives files of the workspace another text in the view that code has of them.
    `folder` is where code starts (None: the workspace). A workspace equal to `scratch` means that there is none.
    """

    mode: Mode = "read-only"
    workspace: Path
    scratch: Path
    readable: tuple[Path, ...] = ()
    network: bool = False
    limits: Limits = Limits()
    folder: Path | None = None
    replaced: tuple[tuple[Path, str], ...] = ()

    @classmethod
    def for_notebook(
        cls,
        path: Path,
        scratch: Path,
        *,
        readable: Iterable[Path] = (),
        sources: Iterable[str] = (),
        mode: Mode = "read-only",
    ) -> Access:
        """Return the access for a notebook: its git root or folder, and the files outside that its cells name.

        A notebook directly in the home folder or above it gets its folder's plain files and no workspace: the home
        folder as a whole is never shown.
        """
        folder = Path(os.path.realpath(path)).parent
        workspace = workspace_of(folder)
        named = named_folders(sources, folder, within=workspace, too_broad=too_broad)
        if workspace is None:
            return cls(
                mode=mode,
                workspace=scratch,
                scratch=scratch,
                folder=folder,
                readable=(*readable, *named, *plain_files(folder)),
            )
        return cls(mode=mode, workspace=workspace, scratch=scratch, folder=folder, readable=(*readable, *named))

    def policy(
        self,
        interpreter: Interpreter | None,
        layers: Layers,
        *,
        memfd: bool = False,
        channel: Path | None = None,
        folders: Iterable[str] = (),
    ) -> dict[str, JsonValue]:
        """Return what `nbagent/inside/lockdown.py` enforces, as plain JSON; makes the scratch folder.

        `interpreter` is the one whose library code will import (None: a kernel that is not Python). `memfd` is for
        branches that hand large results over, `channel` a folder where a kernel makes its sockets, `folders` is where a
        program that is not part of the system lies. Raises `UsageError` for what cannot be confined by design.
        """
        self._refuse_what_is_not_offered()
        scratch = Path(os.path.realpath(self.scratch))
        scratch.mkdir(mode=0o700, parents=True, exist_ok=True)
        real = Path(os.path.realpath(self.workspace))
        workspace = None if real == scratch else real
        readable = [Path(os.path.realpath(path)) for path in self.readable if path.exists()]
        readable += [path for path in _import_folders(interpreter) if not too_broad(path)]
        readable = _outermost(path for path in readable if not secrets.is_secret(str(path)))
        shown = [workspace, *readable] if workspace else readable
        hidden, protected, _ = secrets.find(path for path in shown if path.is_dir())
        hidden = (*hidden, *(path for path in secrets.SYSTEM if os.path.exists(path)))
        system = [*SYSTEM, *folders, *(interpreter.folders if interpreter else ())]
        system = [str(path) for path in _outermost(Path(path) for path in system if os.path.exists(path))]
        system = [path for path in system if not too_broad(Path(path)) and not _within(path, workspace)]
        write = [str(scratch)]
        if self.mode == "workspace-write" and workspace:
            write += _clean_subfolders(workspace, (*hidden, *protected))
        return {
            "mode": self.mode,
            "layers": layers.model_dump(),
            "workspace": str(workspace) if workspace else None,
            "scratch": str(scratch),
            "cwd": str(self.folder or workspace or scratch),
            "system": list(system),
            "folders": [str(path) for path in readable if not _within(str(path), workspace)],
            "hide": list(hidden),
            "protect": [path for path in protected if _within(path, workspace)],
            "read": _read_rules(layers, [*system, *map(str, shown), *_SYS_SHOWN], hidden),
            "write": list(write),
            "environment": {"keep": list(ENVIRONMENT), "set": dict(_settings(scratch, layers))},
            "limits": self.limits.model_dump(),
            "memfd": memfd,
            "replace": {str(path): text for path, text in self._replaced_in(workspace, layers)},
            "channel": str(channel) if channel else None,
        }

    def _replaced_in(self, workspace: Path | None, layers: Layers) -> list[tuple[Path, str]]:
        found = [(Path(os.path.realpath(path)), text) for path, text in self.replaced]
        if found and not layers.namespaces:
            raise UsageError("Files can be shown with another text only where this machine allows namespaces.")
        return [(path, text) for path, text in found if _within(str(path), workspace)]

    def _refuse_what_is_not_offered(self) -> None:
        if self.mode == "full":
            raise UsageError("Mode full means no confinement: there is no policy for it.")
        if self.network:
            raise UsageError(
                "Confined code cannot be given the network. Run it in mode full, or fetch the data before."
            )


def environment(variables: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that a process above a branch may start with, so that no secret is in its memory."""
    return {
        name: value
        for name, value in variables.items()
        if any(fnmatchcase(name, pattern) for pattern in ENVIRONMENT) and not ("://" in value and "@" in value)
    }


def workspace_of(folder: Path) -> Path | None:
    """Return the git root of `folder`, else the folder; None where that would be the home folder or one above it."""
    for candidate in (folder, *folder.parents):
        if too_broad(candidate):
            break
        if (candidate / ".git").exists():
            return candidate
    return None if too_broad(folder) else folder


def too_broad(path: Path) -> bool:
    """Return whether `path` is the home folder, or holds it, or everybody shares it, or it is no folder of files."""
    home = Path(os.path.realpath(os.path.expanduser("~")))
    if path.parts[1:2] in (("proc",), ("sys",), ("dev",)):
        return True
    return path == home or path in home.parents or str(path) in _SHARED


def plain_files(folder: Path) -> tuple[Path, ...]:
    """Return the files directly in a folder that are neither hidden nor secret, at most 500."""
    try:
        names = sorted(entry.name for entry in os.scandir(folder) if entry.is_file(follow_symlinks=False))
    except OSError:
        return ()
    kept = [name for name in names if not name.startswith(".") and not secrets.is_secret(str(folder / name))]
    return tuple(folder / name for name in kept[:500])


_SHARED = (
    "/tmp",
    "/var/tmp",
    "/dev",
    "/dev/shm",
    "/proc",
    "/sys",
    "/run",
    "/var",
    "/var/lib",
    "/mnt",
    "/media",
    "/srv",
    "/root",
    "/home",
)
_SYS_SHOWN = ("/sys/devices/system", "/sys/fs/cgroup", "/sys/kernel/mm")


def _settings(scratch: Path, layers: Layers) -> Mapping[str, str]:
    temporary = "/tmp" if layers.namespaces else str(scratch)
    own = str(scratch / ".home")
    return {
        "TMPDIR": temporary,
        "MPLCONFIGDIR": own + "/matplotlib",
        "IPYTHONDIR": own + "/ipython",
        "JUPYTER_RUNTIME_DIR": own + "/jupyter",
        "XDG_CACHE_HOME": own + "/cache",
        "NUMBA_CACHE_DIR": own + "/numba",
        "GIT_OPTIONAL_LOCKS": "0",  # `git status` would refresh the index, which it may not write
        "NBAGENT_SANDBOX": "1",
    }


def _read_rules(layers: Layers, roots: list[str], hidden: tuple[str, ...]) -> list[JsonValue]:
    if layers.namespaces:
        return []
    return [part for root in roots for part in secrets.split(root, hidden)]


def _clean_subfolders(workspace: Path, closed: tuple[str, ...]) -> list[str]:
    """Without a view of its own, a folder may be written when nothing in it is secret, protected or a notebook."""
    clean = []
    for entry in sorted(os.scandir(workspace), key=lambda entry: entry.name):
        if not entry.is_dir(follow_symlinks=False) or entry.name.startswith("."):
            continue
        if any(path == entry.path or path.startswith(entry.path + "/") for path in closed):
            continue
        if not any(name.endswith(".ipynb") for _, _, names in os.walk(entry.path) for name in names):
            clean.append(entry.path)
    return clean


def _import_folders(interpreter: Interpreter | None) -> list[Path]:
    """Folders that the interpreter imports from and that are not part of its own library (editable installs, say)."""
    if interpreter is None:
        return []
    own = [Path(os.path.realpath(folder)) for folder in interpreter.folders]
    found = [Path(os.path.realpath(path)) for path in interpreter.path if os.path.exists(path)]
    return [path for path in found if not any(path == folder or folder in path.parents for folder in own)]


def _outermost(paths: Iterable[Path]) -> list[Path]:
    unique = sorted(set(paths), key=lambda path: len(path.parts))
    kept: list[Path] = []
    for path in unique:
        if not any(outer in path.parents for outer in kept):
            kept.append(path)
    return kept


def _within(path: str, workspace: Path | None) -> bool:
    return workspace is not None and (path == str(workspace) or path.startswith(str(workspace) + "/"))
