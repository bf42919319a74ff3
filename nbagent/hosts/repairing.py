"""What `nbagent repair` does with each notebook: read, repair, show, write; builds the parts it works with."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from jupyter_client.kernelspec import KernelSpecManager

from nbagent.core.cells import Snapshot
from nbagent.core.errors import ExitCode, NbAgentError, UsageError
from nbagent.hosts import repair_view
from nbagent.hosts.undo import keep
from nbagent.notebooks.document import Document
from nbagent.notebooks.file import write
from nbagent.repair.helpers import Helpers
from nbagent.repair.kernel import choose_kernel
from nbagent.repair.proof import Runner
from nbagent.repair.registry import all_rules
from nbagent.repair.report import Applied, Module, Repair, Report, Tell
from nbagent.repair.rule import InstalledKernel
from nbagent.repair.work import Bench, Limits, check, repair
from nbagent.sandbox.access import Access
from nbagent.sandbox.branch import BaseSandbox
from nbagent.sandbox.kernel import RestrictedKernel
from nbagent.sandbox.kernelspec import KernelSpec, find_kernel

_TICK_SECONDS = 0.2


@dataclass(frozen=True)
class Options:
    """What the command line says."""

    notebooks: tuple[Path, ...]
    output: Path | None
    diff: bool
    check: bool
    python: Path | None
    kernel: str | None
    seconds: float
    cell_seconds: float
    readable: tuple[Path, ...]
    fresh_outputs: bool
    no_modules: bool
    json: bool


def repair_all(options: Options) -> int:
    """Repair each notebook in turn and return the exit code; one that cannot be worked on does not stop the others."""
    if options.output is not None and len(options.notebooks) > 1 and not options.output.is_dir():
        raise UsageError("Several notebooks were named, so --output must be an existing folder.")
    code = ExitCode.DONE
    for path in options.notebooks:
        progress = repair_view.Progress(sys.stderr, path.name)
        try:
            done = asyncio.run(_one(path, options, progress))
        except NbAgentError as error:
            progress.end()
            _refused(path, error, options)
            code = max(code, error.exit_code)
            continue
        _show(done, options)
        if done.report.state not in ("clean", "repaired") or (options.check and done.report.state != "clean"):
            code = max(code, ExitCode.STILL_BROKEN)
    return code


async def _one(path: Path, options: Options, progress: repair_view.Progress) -> Repair:
    started = time.monotonic()
    original = await asyncio.to_thread(Document.read, path)
    document = await asyncio.to_thread(original.upgraded)
    async with _ticking(progress), _prepared(document.snapshot, options, progress.tell) as ready:
        work = (
            check(ready.notebook, ready.bench)
            if options.check
            else repair(ready.notebook, ready.bench, ready.kernel_fix)
        )
        done = await work
    progress.end()
    upgraded = document.upgraded_from is not None and done.report.state in ("clean", "repaired")
    report = done.report.model_copy(
        update={
            "notebook": str(path),
            "seconds": time.monotonic() - started,
            "state": "repaired" if upgraded else done.report.state,
            "upgraded_from": document.upgraded_from,
        }
    )
    done = replace(done, report=report)
    if options.diff or options.check:
        return done
    modules = _write_modules(done.modules) if done.report.state in ("repaired", "partly repaired") else ()
    written = _written(path, document, original, done, options)
    return replace(done, report=report.model_copy(update={"written": written, "modules_written": modules}))


def _written(path: Path, document: Document, original: Document, done: Repair, options: Options) -> str | None:
    """Write what is proved, keeping the original first; return where, or None when there is nothing to write."""
    changes = tuple(change for fix in done.report.fixes for change in fix.changes)
    proved = done.report.state in ("clean", "repaired", "partly repaired")
    outputs = done.outputs if options.fresh_outputs else {i: e for i, e in done.outputs.items() if i in _changed(done)}
    if not proved or not (changes or outputs or document.upgraded_from or options.output):
        return None
    text = document.changed(changes, outputs).encode("utf-8", "surrogatepass")
    before = original.text.encode("utf-8", "surrogatepass")
    if text == before and options.output is None:
        return None
    if options.output is not None:
        target = options.output / path.name if options.output.is_dir() else options.output
        write(target, text, None)
        return str(target)
    keep(path, before, text)
    write(path, text, original.digest)
    return str(path)


def _write_modules(modules: tuple[Module, ...]) -> tuple[str, ...]:
    """Write what the proof saw, each file only if it still is as it was read; return which."""
    for module in modules:
        before, after = module.before.encode("utf-8"), module.after.encode("utf-8")
        keep(Path(module.path), before, after)
        write(Path(module.path), after, hashlib.sha256(before).hexdigest())
    return tuple(module.path for module in modules)


def _changed(done: Repair) -> set[str]:
    old = {cell.id: cell.source for cell in done.before.cells}
    return {cell.id for cell in done.after.cells if old.get(cell.id) != cell.source}


@dataclass(frozen=True)
class _Prepared:
    """Everything for one notebook: the bench, and the notebook with a kernelspec that exists."""

    bench: Bench
    notebook: Snapshot
    kernel_fix: Applied | None


@contextlib.asynccontextmanager
async def _prepared(snapshot: Snapshot, options: Options, tell: Tell) -> AsyncIterator[_Prepared]:
    """Choose the kernel, and build sandbox and prover for it; both are gone when the block ends."""
    _refuse_other_languages(snapshot)
    spec, notebook, kernel_fix = await _kernel(snapshot, options)
    path = Path(snapshot.path)
    sources = [cell.source for cell in snapshot.cells if cell.kind == "code"]
    with tempfile.TemporaryDirectory(prefix="nbagent-", ignore_cleanup_errors=True) as folder:
        access = Access.for_notebook(path, Path(folder, "trial"), readable=options.readable, sources=sources)
        limits = access.limits.model_copy(update={"wall_seconds": options.seconds})
        access = access.model_copy(update={"limits": limits})
        sandbox = BaseSandbox(Path(spec.program), access)
        prover = _KernelProver(spec, access, Path(folder, "proof"))
        try:
            yield _Prepared(
                Bench(
                    sandbox=sandbox,
                    prover=prover,
                    helpers=_helpers(access, options, sandbox, prover),
                    rules=all_rules(),
                    tell=tell,
                    limits=Limits(seconds=options.seconds, cell_seconds=min(options.cell_seconds, options.seconds)),
                ),
                notebook,
                kernel_fix,
            )
        finally:
            await sandbox.close()


def _helpers(access: Access, options: Options, sandbox: BaseSandbox, prover: _KernelProver) -> Helpers | None:
    """Modules are repaired where the notebook itself is: not into another place, and not on a folder as a whole."""
    if options.output is not None or options.no_modules or access.workspace == access.scratch:
        return None

    def show(texts: Mapping[str, str]) -> None:
        sandbox.show(texts)
        prover.show(texts)

    return Helpers(access.workspace, show)


class _KernelProver:
    """Proof runs in fresh kernels of one kernelspec."""

    def __init__(self, spec: KernelSpec, access: Access, scratch: Path) -> None:
        self._spec = spec
        own = access.workspace == access.scratch
        self._access = access.model_copy(update={"scratch": scratch, "workspace": scratch if own else access.workspace})

    @property
    def kernel(self) -> str:
        """The kernelspec's name."""
        return self._spec.name

    def show(self, texts: Mapping[str, str]) -> None:
        """Let kernels that are started from now on see these files of the workspace with another text."""
        replaced = tuple((Path(path), text) for path, text in texts.items())
        self._access = self._access.model_copy(update={"replaced": replaced})

    async def open(self) -> Runner:
        """Start a fresh kernel."""
        return await RestrictedKernel(self._spec, self._access).__aenter__()


def _refuse_other_languages(snapshot: Snapshot) -> None:
    language = snapshot.language or "python"
    if not language.startswith(("python", "ipython")):
        raise UsageError(
            f"{snapshot.path} is a notebook of {language}, and only Python notebooks can be repaired. It is as it was."
        )


async def _kernel(snapshot: Snapshot, options: Options) -> tuple[KernelSpec, Snapshot, Applied | None]:
    """Return what runs the notebook, and the notebook as that needs it."""
    wanted = options.python or options.kernel
    if wanted is not None:
        spec = await asyncio.to_thread(find_kernel, wanted)
        here: tuple[InstalledKernel, ...] = (_installed(spec),)
        if options.kernel is not None or snapshot.kernel is None:
            return spec, snapshot, None
        notebook, fix = await choose_kernel(snapshot, here, all_rules())
        return spec, notebook, fix
    specs = await asyncio.to_thread(_python_kernels)
    if not specs:
        return await asyncio.to_thread(find_kernel, Path(sys.executable)), snapshot, None
    notebook, fix = await choose_kernel(snapshot, [_installed(spec) for spec in specs.values()], all_rules())
    name = notebook.kernel if notebook.kernel in specs else next(iter(specs))
    return specs[name], notebook, fix


def _python_kernels() -> dict[str, KernelSpec]:
    """Return the Python kernels of this machine by name, `python3` first."""
    found = {}
    for name in sorted(KernelSpecManager().find_kernel_specs(), key=lambda name: (name != "python3", name)):
        with contextlib.suppress(NbAgentError):  # a kernelspec whose interpreter is gone is not a choice
            spec = find_kernel(name)
            if spec.language.lower().startswith("python"):
                found[name] = spec
    return found


def _installed(spec: KernelSpec) -> InstalledKernel:
    # The kernel of an interpreter that was given by its path has that path in its name: not for the notebook.
    display = spec.display_name if os.sep not in spec.display_name else "Python 3 (ipykernel)"
    return InstalledKernel(name=spec.name, display_name=display, language=spec.language)


@contextlib.asynccontextmanager
async def _ticking(progress: repair_view.Progress) -> AsyncIterator[None]:
    """Let the line on a terminal show the time that passes."""

    async def tick() -> None:
        while True:
            await asyncio.sleep(_TICK_SECONDS)
            progress.tick()

    task = asyncio.create_task(tick())
    try:
        yield
    finally:
        task.cancel()


def _show(done: Repair, options: Options) -> None:
    if options.json:
        print(done.report.model_dump_json(), flush=True)
    else:
        repair_view.show(done, sys.stdout, diff_only=options.diff)


def _refused(path: Path, error: NbAgentError, options: Options) -> None:
    if options.json:
        print(Report(notebook=str(path), state="refused", problem=str(error)).model_dump_json(), flush=True)
    else:
        print(f"nbagent: {error}", file=sys.stderr, flush=True)
