"""What `make demo` runs: repairs copies of the broken notebooks beside this file, as a person would."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
BROKEN = ("course-classification.ipynb", "pendulum-python2.ipynb", "sales-2017.ipynb", "survey-out-of-order.ipynb")
OUTPUT = HERE.parent / "demo-output"


def main() -> int:
    """Repair the copies one by one; 0 only when each is proved to run."""
    shutil.rmtree(OUTPUT, ignore_errors=True)
    shutil.copytree(HERE, OUTPUT, ignore=shutil.ignore_patterns("*.py", "README.md", ".ipynb_checkpoints"))
    notebooks = [OUTPUT / name for name in BROKEN]
    started = time.monotonic()
    worst = 0
    for notebook in notebooks:
        name = notebook.relative_to(OUTPUT.parent)
        print(f"\n$ nbagent repair {name}", flush=True)
        worst = max(worst, subprocess.call([sys.executable, "-m", "nbagent", "repair", str(name)], cwd=OUTPUT.parent))
    took = time.monotonic() - started
    print(
        f"\n{len(notebooks)} notebooks, {took:.0f} s. The results lie in {OUTPUT.name}/; the originals are untouched."
    )
    print(f"Take one back: nbagent undo {OUTPUT.name}/{notebooks[0].name}")
    return worst


if __name__ == "__main__":
    sys.exit(main())
