"""`nbagent run`: the agent works on a notebook file without a front-end."""

from __future__ import annotations

import argparse
from pathlib import Path

NAME = "run"
HELP = "Let the agent work on a notebook: it tries code in a restricted copy, changes cells and runs them there."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("notebook", type=Path, metavar="NOTEBOOK")
    parser.add_argument("task", help="what to do, in your words; - reads it from standard input")
    parser.add_argument("--output", type=Path, metavar="PATH", help="work on a copy written here")
    parser.add_argument("--session", metavar="ID", help="go on with this session (see `nbagent sessions list`)")
    add_options(parser)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare how the agent works, for this command and for going on with a session."""
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--model", metavar="PROVIDER/NAME", help="the model to ask (see `nbagent models`)")
    which.add_argument("--profile", metavar="NAME", help="a profile of your settings that names the model")
    parser.add_argument("--base-url", metavar="URL", help="where the named provider's server is")
    parser.add_argument("--protocol", choices=("responses", "chat", "messages"), help="what that server speaks")
    parser.add_argument("--effort", choices=("none", "minimal", "low", "medium", "high", "xhigh"))
    parser.add_argument(
        "--approve",
        choices=("none", "cells", "all"),
        help="none: only show proposals; cells: edit cells, run nothing; all (default): edit and run in the copy",
    )
    parser.add_argument(
        "--privacy",
        choices=("schema", "samples", "outputs"),
        help="what of your data the model sees: types and shapes, a few lines, or outputs as they are (default)",
    )
    parser.add_argument("--kernel", metavar="NAME", help="kernelspec whose interpreter runs the code")
    parser.add_argument("--python", type=Path, metavar="PATH", help="interpreter that runs the code")
    parser.add_argument("--readable", type=Path, action="append", metavar="DIR", help="code may read this")
    parser.add_argument("--cell-timeout", type=float, default=600.0, metavar="SECONDS")
    parser.add_argument("--max-requests", type=int, metavar="N", help="requests to the model for this task")
    parser.add_argument("--max-tokens", type=int, metavar="N", help="tokens in and out for this task")
    parser.add_argument("--max-seconds", type=float, metavar="N", help="seconds of model and code for this task")
    parser.add_argument("--output-schema", type=Path, metavar="FILE", help="the answer shall be JSON that fits this")
    parser.add_argument("--json", action="store_true", help="print each event as a JSON line")


def run(args: argparse.Namespace) -> int:
    """Work on the task; exit code 0 when it is done, 1 when the turn ended early, 4 when no model could be asked."""
    from nbagent.hosts.running import run_task

    return run_task(args)
