"""`nbagent sessions`: what the agent did, what it sent, going on with it, and taking it back."""

from __future__ import annotations

import argparse
from pathlib import Path

NAME = "sessions"
HELP = "List, show, resume, export or undo the agent's sessions."
_WHICH = "a session of `nbagent sessions list`, or latest"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    from nbagent.hosts.commands.run import add_options

    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    listing = actions.add_parser("list", help="list what is kept, newest first", allow_abbrev=False)
    listing.add_argument("--json", action="store_true", help="print them as one JSON array")
    show = actions.add_parser("show", help="show what happened in a session, or what it sent", allow_abbrev=False)
    show.add_argument("session", metavar="ID", help=_WHICH)
    show.add_argument("--requests", action="store_true", help="show what left the machine, exactly as it was sent")
    show.add_argument("--json", action="store_true", help="print events, or whole requests, as JSON lines")
    resume = actions.add_parser("resume", help="go on with a session, from any folder", allow_abbrev=False)
    resume.add_argument("session", metavar="ID", help=_WHICH)
    resume.add_argument(
        "task", nargs="?", help="what to do next; without it, a turn that was cut short goes on; - reads standard input"
    )
    add_options(resume)
    export = actions.add_parser("export", help="write a session as JSON lines or Markdown", allow_abbrev=False)
    export.add_argument("session", metavar="ID", help=_WHICH)
    export.add_argument("--format", choices=("jsonl", "markdown"), default="jsonl")
    export.add_argument("--output", type=Path, metavar="FILE", help="write it there (default: standard output)")
    undo = actions.add_parser("undo", help="take the latest turn's changes of cells back", allow_abbrev=False)
    undo.add_argument("session", metavar="ID", help=_WHICH)


def run(args: argparse.Namespace) -> int:
    """Do the action; exit code 0 when it is done, 2 when there is no such session."""
    import asyncio
    import json
    import sys

    from nbagent.core.errors import ExitCode
    from nbagent.hosts import sessions, sessions_view

    if args.action == "list":
        found = list(sessions.kept_sessions())
        if args.json:
            print(json.dumps([one.model_dump() for one in found], indent=2))
        else:
            sessions_view.show_list(found, sys.stdout)
        return ExitCode.DONE
    name = sessions.latest() if args.session == "latest" else args.session
    if args.action == "resume":
        from nbagent.hosts.running import resume_session

        return resume_session(args, name)
    if args.action == "undo":
        print(asyncio.run(sessions.take_back(name)))
        return ExitCode.DONE
    _print(args, name)
    return ExitCode.DONE


def _print(args: argparse.Namespace, name: str) -> None:
    """Show or export."""
    import sys

    from nbagent.hosts import sessions, sessions_view, transcript
    from nbagent.hosts.journal import read, session_folder
    from nbagent.hosts.sent import requests

    session = read(name)
    if args.action == "export":
        text = transcript.markdown(session) if args.format == "markdown" else sessions_view.event_lines(session)
        if (left := sessions.write_out(text, args.output)) is not None:
            sys.stdout.write(left)
    elif args.requests:
        sent = requests(session_folder(name))
        if args.json:
            sys.stdout.write(sessions_view.request_lines(sent))
        else:
            sessions_view.show_requests(sent, sys.stdout)
    elif args.json:
        sys.stdout.write(sessions_view.event_lines(session))
    else:
        sessions_view.show_session(session, sys.stdout)
