"""Why a cell stays broken, in words for its user: what happened, and what he could do."""

from __future__ import annotations

import re
from pathlib import PurePath

from nbagent.core.outputs import Execution, Raised, Refusal
from nbagent.repair.report import Cause
from nbagent.repair.rule import Frame

_FILE_ERRORS = frozenset({"FileNotFoundError", "NotADirectoryError", "IsADirectoryError"})
_NO_FILE = re.compile(r"No such file or directory:? ?(.*)|File `?'?([^`']+)'?`? not found|([^\s:]+) does not exist")
_NO_MODULE = re.compile(r"No module named '?([\w.]+)'?")
_NETWORK_NAMES = frozenset(
    {
        "URLError",
        "gaierror",
        "ConnectionError",
        "ConnectTimeout",
        "ConnectError",
        "NewConnectionError",
        "MaxRetryError",
        "NameResolutionError",
        "ProxyError",
        "ServerNotFoundError",
        "ClientConnectorError",
        "ClientConnectorDNSError",
    }
)
_NETWORK_WORDS = re.compile(
    r"Temporary failure in name resolution|Name or service not known|nodename nor servname|Network is unreachable"
    r"|urlopen error|Failed to establish a new connection|Max retries exceeded|getaddrinfo failed|Failed to resolve"
)
_INPUT = re.compile(r"raw_input was called|StdinNotImplementedError|EOF when reading a line|input\(\) ")
_MAGIC = re.compile(r"(?:Line magic function|Cell magic|Magic) `?(%+\w+)`? not found")
_INSTALLED = re.compile(r"[/\\](?:site-packages|dist-packages|lib[/\\]python\d|Lib[/\\])|<|frozen ")


def cause_of(execution: Execution, frames: tuple[Frame, ...] = ()) -> Cause:
    """Return the cause of a failure that no rule could repair."""
    ended = _ended(execution)
    if ended:
        return ended
    error = execution.error or Raised(ename="Error", evalue=execution.detail)
    return (
        _refused(error, execution.refusals)
        or _network(error)
        or _missing(error)
        or _helper(error, frames)
        or _interactive(error)
        or Cause(
            kind="judgement needed",
            says=f"{sentence(error)}",
            could="No rule has a proved fix for this; look at the cell and at what it reads.",
        )
    )


def sentence(error: Raised) -> str:
    """Return an error as one line."""
    first = " ".join(error.evalue.split())
    text = f"{error.ename}: {first}" if first else error.ename
    return text if len(text) <= 200 else text[:199] + "…"


def _ended(execution: Execution) -> Cause | None:
    detail = execution.detail.rstrip(".")
    match execution.status:
        case "timed_out":
            return Cause(
                kind="time limit",
                says=f"The cell did not end within its time limit ({execution.seconds:.0f} s).",
                could="Allow more with --cell-timeout SECONDS, or make the cell do less.",
            )
        case "exited":
            return Cause(
                kind="crash",
                says=f"The cell ended its process{': ' + detail if detail else ''}.",
                could="Look for exit(), os._exit() or a crashing extension module in the cell.",
            )
        case "limited":
            return Cause(
                kind="limit",
                says=f"The cell was stopped at a limit of the sandbox{': ' + detail if detail else ''}.",
                could="Make the cell print, write or use less.",
            )
        case _:
            return None


def _refused(error: Raised, refusals: tuple[Refusal, ...]) -> Cause | None:
    for refusal in reversed(refusals):
        if refusal.what == "network":
            return _needs_network(error)
        target = PurePath(refusal.target).name
        if error.ename == "PermissionError" or (target and target in error.evalue):
            how = f"Allow it with {refusal.allow_with}." if refusal.allow_with else "No option allows this."
            return Cause(
                kind="sandbox",
                says=f"nbagent's sandbox did not let the cell {refusal.what} {refusal.target}.",
                could=how,
            )
    return None


def _network(error: Raised) -> Cause | None:
    if error.ename in _NETWORK_NAMES or _NETWORK_WORDS.search(error.evalue):
        return _needs_network(error)
    return None


def _needs_network(error: Raised) -> Cause:
    return Cause(
        kind="network needed",
        says=f"The cell needs the network, which a repair does not have ({sentence(error)}).",
        could="Fetch the data once yourself, keep it beside the notebook, and read it from there.",
    )


def _missing(error: Raised) -> Cause | None:
    module = _NO_MODULE.search(error.evalue)
    if module and "." not in module[1]:  # of a dotted name the package may be there, in another version
        name = module[1]
        return Cause(
            kind="missing package",
            says=f"The package {name!r} is not installed for this interpreter ({sentence(error)}).",
            could="Install it, or name an interpreter that has it with --python PATH.",
        )
    found = _NO_FILE.search(error.evalue)
    if error.ename in _FILE_ERRORS or found:
        name = next((group for group in found.groups() if group), "") if found else ""
        return Cause(
            kind="missing file",
            says=f"A file that the cell reads is not there: {name.strip() or sentence(error)}.",
            could="Put the file where the notebook looks for it, or correct the path.",
        )
    if magic := _MAGIC.search(error.evalue):
        return Cause(
            kind="missing magic",
            says=f"The magic {magic[1]} does not exist here.",
            could="Install the extension that defines it, or remove the magic.",
        )
    return None


def module_of(frames: tuple[Frame, ...]) -> Frame | None:
    """Return the innermost step in a file that is neither a cell nor installed: a module beside the notebook."""
    own = [frame for frame in frames if frame.path is not None and not _INSTALLED.search(frame.path)]
    return own[-1] if own else None


def _helper(error: Raised, frames: tuple[Frame, ...]) -> Cause | None:
    last = module_of(frames)
    if last is None:
        return None
    return Cause(
        kind="helper module",
        says=f"{sentence(error)}, in {last.path} line {last.line}.",
        could="No rule has a proved fix for that file; correct it by hand.",
    )


def _interactive(error: Raised) -> Cause | None:
    if error.ename in ("StdinNotImplementedError", "EOFError") or _INPUT.search(error.evalue):
        return Cause(
            kind="needs input",
            says="The cell asks somebody at the keyboard, and nobody is there in a run from the top.",
            could="Put the answer into the cell, or leave the cell for interactive use.",
        )
    return None
