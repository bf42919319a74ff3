"""Run a piece of code under the real lock-down in a process of its own, as the base process does it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_RUNNER = """
import json, os, sys, traceback
from nbagent.inside import lockdown
policy = json.load(open(sys.argv[1]))
code = open(sys.argv[2]).read()
try:
    got = lockdown.enter_namespaces(policy)
except lockdown.ConfinementError as error:
    print("REFUSED", error, flush=True); os._exit(3)
pid = os.fork()
if pid == 0:
    status = 0
    try:
        report = lockdown.confine(policy, {0, 1, 2})
        exec(compile(code, "cell", "exec"), {"__name__": "__main__", "REPORT": report, "GOT": got})
    except lockdown.ConfinementError as error:
        print("REFUSED", error); status = 3
    except SystemExit as error:
        status = int(error.code or 0)
    except BaseException:
        traceback.print_exc(); status = 1
    sys.stdout.flush(); sys.stderr.flush()
    os._exit(status)
_, status = os.waitpid(pid, 0)
AFTER
os._exit(128 + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status))
"""


def run(
    policy: Mapping[str, Any],
    code: str,
    *,
    folder: Path,
    variables: Mapping[str, str] | None = None,
    uid: int | None = None,
    python: str = sys.executable,
    after: str = "",
    before: str = "",
) -> subprocess.CompletedProcess[str]:
    """Return what confined `code` printed. `after` runs in the unlocked supervisor, `before` ahead of everything."""
    (folder / "policy.json").write_text(json.dumps(dict(policy)))
    (folder / "cell.py").write_text(code)
    runner = before + "\n" + _RUNNER.replace("AFTER", after)

    def become() -> None:
        if uid is not None:
            os.setgroups([])
            os.setgid(uid)
            os.setuid(uid)

    environment = {**os.environ, **(variables or {})}
    return subprocess.run(
        [python, "-c", runner, str(folder / "policy.json"), str(folder / "cell.py")],
        capture_output=True,
        text=True,
        timeout=60,
        env=environment,
        preexec_fn=become,
    )
