"""Start a kernel under lock-down. Run by file path, with the interpreter of the kernel, where nbagent is not installed.

    python launcher.py POLICY.json LIFELINE-FD ipykernel CONNECTION-FILE
    python launcher.py POLICY.json LIFELINE-FD exec PROGRAM ARGUMENT...
    python launcher.py POLICY.json LIFELINE-FD try

`ipykernel` runs IPython's kernel in this process; `exec` locks down and then becomes another program; `try` locks down
and says so. Exit status 3, with one sentence on stderr, means that a layer failed and nothing was run. The LIFELINE is
a pipe that the host keeps open: when it closes, everything that was started ends.
"""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import sys
from typing import Any

REFUSED = 3


def _load_siblings() -> Any:
    """Import our own modules as a package from where this file lies, and leave no trace of that place in sys.path."""
    folder = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [path for path in sys.path if os.path.abspath(path or ".") != folder]
    spec = importlib.util.spec_from_file_location(
        "nbagent_inside", os.path.join(folder, "__init__.py"), submodule_search_locations=[folder]
    )
    assert spec is not None
    assert spec.loader is not None
    package = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = package
    spec.loader.exec_module(package)
    from nbagent_inside import init, lockdown  # type: ignore[import-not-found]

    return init, lockdown


def main(arguments: "list[str]") -> int:
    """Do what the arguments say; the status is that of the confined program."""
    policy_file, lifeline, kind, *rest = arguments
    init, lockdown = _load_siblings()
    with open(policy_file) as file:
        policy = json.load(file)
    try:
        lockdown.enter_namespaces(policy)
    except lockdown.ConfinementError as error:
        sys.stderr.write("%s\n" % error)
        return REFUSED
    parent = os.getpid()
    child = os.fork()
    if child:
        return int(init.watch(child, int(lifeline), int(policy["limits"]["memory_mb"])))
    _die_with(parent)
    os.setsid()
    try:
        _start(lockdown, policy, kind, rest)
    except lockdown.ConfinementError as error:
        sys.stderr.write("%s\n" % error)
        sys.stderr.flush()
        os._exit(REFUSED)
    return 0


def _die_with(parent: int) -> None:
    import ctypes

    ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0)  # PR_SET_PDEATHSIG
    if os.getppid() != parent:
        os._exit(1)


def _start(lockdown: Any, policy: "dict[str, Any]", kind: str, rest: "list[str]") -> None:
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    if kind == "ipykernel":
        _serve(lockdown, policy, rest[0])
    else:
        report = lockdown.confine(policy, {0, 1, 2})
        if kind == "try":
            sys.stdout.write(json.dumps(report) + "\n")
            sys.stdout.flush()
            os._exit(0)
        os.execvp(rest[0], rest)


def _serve(lockdown: Any, policy: "dict[str, Any]", connection_file: str) -> None:
    from ipykernel.kernelapp import IPKernelApp

    sys.argv = ["ipykernel_launcher.py"]
    if sys.path[:1] != [""]:
        sys.path.insert(0, "")  # as `python -m ipykernel_launcher` leaves it: modules beside the notebook are found
    app = IPKernelApp.instance()
    flags = ["-f", connection_file, "--HistoryManager.enabled=False", "--IPKernelApp.parent_handle=0"]
    lockdown.confine(policy, {0, 1, 2}, before_filter=lambda: app.initialize(flags))
    # No terminal of its own: `!command` would fork through pexpect, whose output ipykernel cannot capture here.
    app.shell.system = app.shell.system_piped
    app.start()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
