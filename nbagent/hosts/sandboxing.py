"""Runs one file as a notebook cell in a fresh branch, and hands over what it wrote."""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import tokenize
from dataclasses import dataclass
from pathlib import Path

from nbagent.core.errors import CannotConfine, ExitCode, SandboxError, UsageError
from nbagent.core.outputs import Execution
from nbagent.hosts.sandbox_view import JsonLines, Plain, View
from nbagent.sandbox.access import Access, Limits, Mode, too_broad
from nbagent.sandbox.branch import BaseSandbox
from nbagent.sandbox.session import HandedOver

_CODES = {
    "ok": ExitCode.DONE,
    "raised": ExitCode.STILL_BROKEN,
    "timed_out": ExitCode.TIME_LIMIT,
    "limited": ExitCode.OTHER_LIMIT,
    "exited": ExitCode.OTHER_LIMIT,
    "interrupted": ExitCode.INTERRUPTED,
}


@dataclass(frozen=True)
class Wish:
    """What the user asked for."""

    file: Path
    mode: Mode
    limits: Limits
    workspace: Path | None = None
    scratch: Path | None = None
    readable: tuple[Path, ...] = ()
    python: Path | None = None
    json: bool = False


class Broke(SandboxError):
    """The sandbox failed while code ran; what the code would have done is not known."""

    exit_code = ExitCode.OTHER_LIMIT


def run_file(wish: Wish) -> int:
    """Run it, show what it shows as it comes, and return the exit code. Raises `UsageError` and `CannotConfine`."""
    source = _source(wish.file)
    most = wish.limits.output_mb << 20
    view = JsonLines(sys.stdout, most) if wish.json else Plain(sys.stdout, sys.stderr, most)
    with tempfile.TemporaryDirectory(prefix="nbagent-", ignore_cleanup_errors=True) as folder:
        access = _access(wish, Path(folder, "scratch"))
        try:
            return asyncio.run(_run(source, access, wish, view))
        except CannotConfine:
            raise
        except SandboxError as error:
            raise Broke(str(error)) from error


async def _run(source: str, access: Access, wish: Wish, view: View) -> int:
    sandbox = BaseSandbox(wish.python or Path(sys.executable), access, preload=False, keep_scratch=True)
    try:
        branch = await sandbox.open()
        done = await branch.run(source, show=view.show)
        left = () if done.status == "ok" or access.mode != "workspace-write" else await branch.files()
        handed = HandedOver()
        if access.mode != "full":
            handed = await branch.hand_over(changes=done.status == "ok")
    finally:
        await sandbox.close()
    code = _exit_code(done)
    view.end(done, handed, code)
    thrown_away = [name for name in left if not name.startswith("/")]
    if thrown_away:
        view.tell(f"{len(thrown_away)} changed files were not written to {access.workspace}, because the code failed.")
    return code


def _exit_code(done: Execution) -> ExitCode:
    return _CODES[done.status]


def _source(file: Path) -> str:
    try:
        with tokenize.open(file) as stream:
            return stream.read()
    except OSError as error:
        raise UsageError(f"{file} cannot be read ({error.strerror}). Nothing was run.") from error
    except (SyntaxError, UnicodeDecodeError) as error:
        raise UsageError(f"{file} is not text that Python can read ({error}). Nothing was run.") from error


def _access(wish: Wish, own_scratch: Path) -> Access:
    scratch = own_scratch if wish.scratch is None else _scratch(wish.scratch)
    for path in wish.readable:
        if not path.exists():
            raise UsageError(f"There is no {path} to be read. Nothing was run.")
    if wish.workspace is None:
        access = Access.for_notebook(wish.file, scratch, readable=wish.readable, mode=wish.mode)
        return access.model_copy(update={"limits": wish.limits})
    workspace = Path(os.path.realpath(wish.workspace))
    if not workspace.is_dir():
        raise UsageError(f"{wish.workspace} is not a folder. Nothing was run.")
    if too_broad(workspace) and wish.mode != "full":
        raise UsageError(f"{workspace} holds more than one project and is never shown as a whole. Name a folder in it.")
    return Access(
        mode=wish.mode,
        workspace=workspace,
        scratch=scratch,
        readable=wish.readable,
        limits=wish.limits,
        folder=workspace,
    )


def _scratch(path: Path) -> Path:
    """Return the folder that the user named; it must hold nothing, since code sees it empty and nothing is mixed."""
    real = Path(os.path.realpath(path))
    try:
        real.mkdir(mode=0o700, parents=True, exist_ok=True)
        if any(os.scandir(real)):
            raise UsageError(f"The scratch folder {path} is not empty. Name a new one, or empty it.")
    except OSError as error:
        raise UsageError(f"The scratch folder {path} cannot be used ({error.strerror}). Nothing was run.") from error
    return real
