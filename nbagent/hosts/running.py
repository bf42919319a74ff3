"""What `nbagent run` does with its arguments."""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
from pathlib import Path

from pydantic import JsonValue

from nbagent.core.budget import Budget
from nbagent.core.errors import ExitCode, NotebookError, UsageError
from nbagent.core.events import ModelAnswered, ModelFailed, TurnEnded, UserSpoke
from nbagent.core.model import AssistantMessage
from nbagent.core.session import Session
from nbagent.hosts.agent import Wishes, work
from nbagent.hosts.headless import Nobody
from nbagent.hosts.run_view import JsonLines, Lines
from nbagent.hosts.undo import keep
from nbagent.models.catalog import ModelProfile
from nbagent.notebooks.file import write


def run_task(args: argparse.Namespace) -> int:
    """Do the task and return the exit code."""
    task = sys.stdin.read() if args.task == "-" else str(args.task)
    if not task.strip():
        raise UsageError("The task is empty. Say what to do.")
    notebook = _notebook(args.notebook, args.output)
    before = notebook.read_bytes()
    user = Nobody(JsonLines(sys.stdout) if args.json else Lines(sys.stderr))
    spoken = UserSpoke(text=task, output_schema=_schema(args.output_schema))
    session = asyncio.run(_stoppable(_wishes(args, notebook), spoken, user, args.session))
    after = notebook.read_bytes()
    if after != before and args.output is None:
        keep(notebook, before, after)
    if not args.json:
        _tell(session)
    return _exit_code(session)


async def _stoppable(wishes: Wishes, spoken: UserSpoke, user: Nobody, session: str | None) -> Session:
    """The first Ctrl-C ends the turn cleanly; a second one ends the program."""
    loop = asyncio.get_running_loop()

    def stop() -> None:
        loop.remove_signal_handler(signal.SIGINT)
        user.stop()

    loop.add_signal_handler(signal.SIGINT, stop)
    return await work(wishes, spoken, user, session)


def _wishes(args: argparse.Namespace, notebook: Path) -> Wishes:
    return Wishes(
        notebook=notebook,
        model=args.model,
        profiles=_profiles(args),
        approve=args.approve,
        privacy=args.privacy,
        effort=args.effort,
        budget=Budget(requests=args.max_requests, tokens=args.max_tokens, seconds=args.max_seconds),
        kernel=args.python or args.kernel,
        readable=tuple(args.readable),
        cell_seconds=args.cell_timeout,
    )


def _profiles(args: argparse.Namespace) -> dict[str, ModelProfile]:
    if args.base_url is None and args.protocol is None:
        return {}
    provider, _, name = (args.model or "").partition("/")
    if not provider or not name:
        raise UsageError("--base-url and --protocol need --model provider/name.")
    return {provider: ModelProfile(base_url=args.base_url or "", protocol=args.protocol)}


def _notebook(path: Path, output: Path | None) -> Path:
    if not path.is_file():
        raise UsageError(f"There is no notebook {path}.")
    if output is None:
        return path
    target = output / path.name if output.is_dir() else output
    write(target, path.read_bytes(), None)
    return target


def _schema(path: Path | None) -> dict[str, JsonValue] | None:
    if path is None:
        return None
    try:
        schema = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} cannot be read as a JSON schema: {error}.") from error
    if not isinstance(schema, dict):
        raise UsageError(f"{path} holds no JSON schema: it must be an object.")
    return schema


def answer(session: Session) -> str:
    """Return the last words of the model."""
    for event in reversed(session.events):
        if isinstance(event, ModelAnswered):
            words = [item.text for item in event.answer.items if isinstance(item, AssistantMessage)]
            if words:
                return "\n".join(words)
    return ""


def _tell(session: Session) -> None:
    if words := answer(session):
        print(words)
    end = session.events[-1]
    if isinstance(end, TurnEnded) and end.says:
        print(f"nbagent: {end.says}", file=sys.stderr)
    opening = session.state.opening
    if opening is not None:
        used = session.state.spent_this_turn
        tokens = f"{used.usage.input:,} tokens in, {used.usage.output:,} out"
        print(f"Session {opening.session}: {used.requests} requests, {tokens}.", file=sys.stderr)


def _exit_code(session: Session) -> ExitCode:
    end = session.events[-1]
    if not isinstance(end, TurnEnded):
        raise NotebookError("The session ended in the middle of a turn. Resume it with --session.")
    match end.how:
        case "done":
            return ExitCode.STILL_BROKEN if end.says else ExitCode.DONE
        case "stopped":
            return ExitCode.INTERRUPTED
        case "failed" if isinstance(session.events[-2], ModelFailed):
            return ExitCode.MODEL_UNREACHABLE
        case _:
            return ExitCode.STILL_BROKEN
