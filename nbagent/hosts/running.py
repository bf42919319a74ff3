"""What `nbagent run` does with its arguments."""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

from pydantic import JsonValue

from nbagent.core.budget import Budget
from nbagent.core.errors import ExitCode, NotebookError, UsageError
from nbagent.core.events import ModelAnswered, ModelFailed, TurnEnded, UserSpoke
from nbagent.core.model import AssistantMessage
from nbagent.core.session import Session
from nbagent.fitting import bare, faulty
from nbagent.hosts.agent import Wishes, work
from nbagent.hosts.headless import Nobody
from nbagent.hosts.journal import read
from nbagent.hosts.jupyter import notice
from nbagent.hosts.run_view import JsonLines, Lines
from nbagent.hosts.settings import Settings, load
from nbagent.hosts.undo import keep
from nbagent.models.catalog import ModelProfile
from nbagent.notebooks.file import write


def run_task(args: argparse.Namespace) -> int:
    """Do the task and return the exit code."""
    spoken = UserSpoke(text=_task(args.task), output_schema=_schema(args.output_schema))
    settings = _settings(args)
    profiles = _profiles(args, settings)
    notebook = _notebook(args.notebook, args.output)
    return _worked(args, _wishes(args, notebook, settings, profiles), spoken, args.session)


def resume_session(args: argparse.Namespace, name: str) -> int:
    """Go on with a session on its own notebook, by its own model unless another is named; return the exit code."""
    kept = read(name).state
    if kept.opening is None:
        raise UsageError(f"Session {name} ended before it began. Begin a new one with `nbagent run`.")
    args.notebook = Path(kept.opening.notebook)
    if args.model is None and args.profile is None:
        args.model = f"{kept.terms.model.provider}/{kept.terms.model.name}"
    schema = _schema(args.output_schema)
    spoken = None if args.task is None else UserSpoke(text=_task(args.task), output_schema=schema)
    settings = _settings(args)
    return _worked(args, _wishes(args, args.notebook, settings, _profiles(args, settings)), spoken, name)


def _task(given: str) -> str:
    task = sys.stdin.read() if given == "-" else given
    if not task.strip():
        raise UsageError("The task is empty. Say what to do.")
    return task


def _worked(args: argparse.Namespace, wishes: Wishes, spoken: UserSpoke | None, name: str | None) -> int:
    if said := notice(wishes.notebook):
        print(f"nbagent: {said}", file=sys.stderr)
    user = Nobody(JsonLines(sys.stdout) if args.json else Lines(sys.stderr))
    session = asyncio.run(_stoppable(wishes, spoken, user, name))
    if not args.json:
        _tell(session)
    return _exit_code(session)


async def _stoppable(wishes: Wishes, spoken: UserSpoke | None, user: Nobody, session: str | None) -> Session:
    """The first Ctrl-C ends the turn cleanly; a second one ends the program."""
    loop = asyncio.get_running_loop()

    def stop() -> None:
        loop.remove_signal_handler(signal.SIGINT)
        user.stop()

    loop.add_signal_handler(signal.SIGINT, stop)
    return await work(wishes, spoken, user, session)


def _settings(args: argparse.Namespace) -> Settings:
    """Return the settings for the notebook, with the flags on top."""
    given = ("effort", "approve", "privacy", "readable", "max_requests", "max_tokens", "max_seconds")
    flags = {name: getattr(args, name) for name in given}
    settings = load(args.notebook.absolute().parent, {**flags, "model": args.profile or args.model}).settings
    if args.profile and args.profile not in settings.profiles:
        known = ", ".join(sorted(settings.profiles)) or "none"
        raise UsageError(f"There is no profile {args.profile!r} in your settings; there: {known}.")
    return settings


def _wishes(
    args: argparse.Namespace, notebook: Path, settings: Settings, profiles: Mapping[str, ModelProfile]
) -> Wishes:
    return Wishes(
        notebook=notebook,
        model=settings.model,
        profiles=dict(profiles),
        approve=settings.approve,
        privacy=settings.privacy,
        effort=settings.effort,
        budget=Budget(requests=settings.max_requests, tokens=settings.max_tokens, seconds=settings.max_seconds),
        kernel=args.python or args.kernel,
        readable=tuple(path.expanduser() for path in settings.readable),
        cell_seconds=args.cell_timeout,
    )


def _profiles(args: argparse.Namespace, settings: Settings) -> Mapping[str, ModelProfile]:
    """A named address stands for the whole provider: a profile's key and headers are not sent to another server."""
    if args.base_url is None and args.protocol is None:
        return settings.profiles
    provider, _, name = (args.model or "").partition("/")
    if not provider or not name:
        raise UsageError("--base-url and --protocol need --model provider/name.")
    return {**settings.profiles, provider: ModelProfile(base_url=args.base_url or "", protocol=args.protocol)}


def _notebook(path: Path, output: Path | None) -> Path:
    if not path.is_file():
        raise UsageError(f"There is no notebook {path}.")
    if output is None:
        return path
    target = output / path.name if output.is_dir() else output
    copy = path.read_bytes()
    if target.is_file() and target.read_bytes() != copy:
        keep(target, target.read_bytes(), copy)
    write(target, copy, None)
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
    if wrong := faulty(schema):
        raise UsageError(f"{path} holds no valid JSON schema, {wrong}. Nothing was asked.")
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
        print(words if session.state.output_schema is None else bare(words))
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
