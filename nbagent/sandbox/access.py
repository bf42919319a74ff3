"""What code may touch, and how much of it: the whole of the sandbox's policy as one frozen value."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel

Mode = Literal["read-only", "workspace-write", "full"]


class Limits(BaseModel, frozen=True):
    """Bounds for one branch's whole process tree."""

    wall_seconds: float = 600.0
    cpu_seconds: float = 3600.0
    memory_mb: int = 4096
    processes: int = 256
    open_files: int = 4096
    file_mb: int = 1024
    disk_mb: int = 2048
    output_mb: int = 32


class Access(BaseModel, frozen=True):
    """What may be read and written. `workspace` is readable; `scratch` is writable; `readable` adds folders."""

    mode: Mode = "read-only"
    workspace: Path
    scratch: Path
    readable: tuple[Path, ...] = ()
    network: bool = False
    limits: Limits = Limits()
