"""`nbagent repair`: repairs notebooks in a restricted process and writes only what is proved."""

from __future__ import annotations

import argparse
from pathlib import Path

NAME = "repair"
HELP = "Repair notebooks that no longer run: try fixes in a restricted process, prove them, write what is proved."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("notebooks", nargs="+", metavar="NOTEBOOK", type=Path, help="notebooks to repair, in place")
    parser.add_argument(
        "--output", metavar="PATH", type=Path, help="write there instead: a file, or an existing folder"
    )
    parser.add_argument("--diff", action="store_true", help="print what would change and write nothing")
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit 1 if the notebook does not run clean as it is"
    )
    parser.add_argument("--no-model", action="store_true", help="use rules only (today they are all there is)")
    parser.add_argument("--python", metavar="PATH", type=Path, help="interpreter whose libraries the notebook uses")
    parser.add_argument("--kernel", metavar="NAME", help="kernelspec to run the notebook with")
    parser.add_argument("--timeout", metavar="SECONDS", type=_seconds, default=3600.0, help="for one notebook (3600)")
    parser.add_argument("--cell-timeout", metavar="SECONDS", type=_seconds, default=180.0, help="for one cell (180)")
    parser.add_argument("--readable", metavar="DIR", type=Path, action="append", default=[], help="let cells read DIR")
    parser.add_argument("--fresh-outputs", action="store_true", help="store the proof run's outputs in every cell")
    parser.add_argument("--no-modules", action="store_true", help="leave the Python files beside the notebook alone")
    parser.add_argument("--json", action="store_true", help="print one JSON object per notebook and line")


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds above 0")
    return value


def run(args: argparse.Namespace) -> int:
    """Repair each notebook in turn; one that cannot be worked on does not stop the others."""
    from nbagent.hosts.repairing import Options, repair_all

    return repair_all(
        Options(
            notebooks=tuple(args.notebooks),
            output=args.output,
            diff=args.diff,
            check=args.check,
            python=args.python,
            kernel=args.kernel,
            seconds=args.timeout,
            cell_seconds=args.cell_timeout,
            readable=tuple(args.readable),
            fresh_outputs=args.fresh_outputs,
            no_modules=args.no_modules,
            json=args.json,
        )
    )
