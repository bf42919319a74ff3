"""Runs benchmarks by name, all of them without a name: `python -m benchmarks [NAME ...]`.

Each prints ratios against what a user would pick instead, taken in one run. Use a quiet machine.
"""

from __future__ import annotations

import importlib
import sys

SUBJECTS = ("repair_retry", "branch_ready", "live_trials")


def main(names: list[str]) -> int:
    """Run the benchmarks and return an exit code."""
    unknown = [name for name in names if name not in SUBJECTS]
    if unknown:
        print(f"There is no benchmark {', '.join(unknown)}; there are: {', '.join(SUBJECTS)}.", file=sys.stderr)
        return 2
    for name in names or SUBJECTS:
        print(f"== {name}", flush=True)
        importlib.import_module(f"benchmarks.{name}").main()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
