"""`nbagent sandbox`: runs a file as a notebook cell in a restricted process."""

from __future__ import annotations

import argparse
from pathlib import Path

NAME = "sandbox"
HELP = """Run a Python file as a notebook cell in a restricted process: no network, no secrets, bounded resources.

exit codes:
  0 the code ran; 1 it raised; 2 wrong usage; 3 this machine cannot confine code; 124 time limit;
  125 another limit, or the process was killed or ended itself; 130 interrupted"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("file", metavar="FILE.py", type=Path, help="what to run; IPython's magics work")
    parser.add_argument(
        "--mode",
        choices=("read-only", "workspace-write", "full"),
        default="read-only",
        help="read-only: changes of the workspace are thrown away (default); workspace-write: they are written to it "
        "when the code ran, but for version control, secrets, notebooks and start-up files; full: NO confinement",
    )
    parser.add_argument(
        "--workspace", metavar="DIR", type=Path, help="what code may read, and where it starts (FILE's git root)"
    )
    parser.add_argument(
        "--scratch",
        metavar="DIR",
        type=Path,
        help="a new or empty folder for files; what was written is there then",
    )
    parser.add_argument("--readable", metavar="DIR", type=Path, action="append", default=[], help="let code read DIR")
    parser.add_argument("--timeout", metavar="S", type=_number, default=600.0, help="seconds (600)")
    for name, unit, default, what in (
        ("memory", "MB", 4096, "memory of all its processes together"),
        ("processes", "N", 256, "processes and threads"),
        ("disk", "MB", 2048, "files that it writes"),
        ("output", "MB", 32, "outputs"),
    ):
        parser.add_argument(f"--{name}", metavar=unit, type=_whole, default=default, help=f"{what} ({default})")
    parser.add_argument("--python", metavar="PATH", type=Path, help="interpreter whose libraries the code uses")
    parser.add_argument("--json", action="store_true", help="print each output, and how it ended, as JSON lines")


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")
    return value


def _whole(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 0 < int(text) < 1 << 31:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text)


def run(args: argparse.Namespace) -> int:
    """Run the file and print what it shows."""
    from nbagent.hosts.sandboxing import Wish, run_file
    from nbagent.sandbox.access import Limits

    limits = Limits(
        wall_seconds=args.timeout,
        memory_mb=args.memory,
        processes=args.processes,
        disk_mb=args.disk,
        output_mb=args.output,
    )
    return run_file(
        Wish(
            file=args.file,
            mode=args.mode,
            workspace=args.workspace,
            scratch=args.scratch,
            readable=tuple(args.readable),
            python=args.python,
            limits=limits,
            json=args.json,
        )
    )
