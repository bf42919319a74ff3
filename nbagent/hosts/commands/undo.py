"""`nbagent undo`: puts back what a notebook was before nbagent wrote it."""

from __future__ import annotations

import argparse
from pathlib import Path

NAME = "undo"
HELP = "Put notebooks back as they were before nbagent last wrote them; again for the time before that."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("notebooks", nargs="+", metavar="NOTEBOOK", type=Path, help="notebooks to put back")
    parser.add_argument("--force", action="store_true", help="even if edited since; what is there now is kept too")


def run(args: argparse.Namespace) -> int:
    """Undo each notebook; one that cannot be put back does not stop the others."""
    import sys

    from nbagent.core.errors import ExitCode, NbAgentError
    from nbagent.hosts.undo import undo

    code = ExitCode.DONE
    for notebook in args.notebooks:
        try:
            print(undo(notebook, force=args.force))
        except NbAgentError as error:
            print(f"nbagent: {error}", file=sys.stderr)
            code = error.exit_code
    return code
