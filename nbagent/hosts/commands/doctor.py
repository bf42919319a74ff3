"""`nbagent doctor`: says what this machine can do and what follows."""

from __future__ import annotations

import argparse

NAME = "doctor"
HELP = "Say what this machine can confine, which kernels and models there are, and which settings hold."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--json", action="store_true", help="print the report as one JSON object")


def run(args: argparse.Namespace) -> int:
    """Print the report; exit code 0 when code can be confined here, 3 when not."""
    import sys
    from pathlib import Path

    from nbagent.core.errors import ExitCode
    from nbagent.hosts.doctor import examine
    from nbagent.hosts.doctor_view import lines
    from nbagent.hosts.text import Style

    report = examine(Path.cwd())
    if args.json:
        print(report.model_dump_json(indent=2))
    else:
        print("\n".join(lines(report, Style(sys.stdout))))
    return ExitCode.DONE if report.machine.layers else ExitCode.CANNOT_CONFINE
