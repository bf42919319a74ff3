"""The `nbagent` command: finds the subcommand, turns every failure into one sentence and an exit code."""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from typing import IO, NoReturn

from nbagent import __version__
from nbagent.core.errors import ExitCode, NbAgentError
from nbagent.hosts import commands
from nbagent.hosts.text import Style, prepare_streams

EXIT_CODES = """exit codes:
  0 done; 1 something is still broken, or was found; 2 wrong usage or configuration;
  3 this machine cannot confine code; 4 the model could not be asked; 130 interrupted"""


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one sentence and names the help, instead of printing the whole usage."""

    def error(self, message: str) -> NoReturn:
        self.exit(ExitCode.USAGE, f"{self.prog}: {message}. See `{self.prog} --help`.\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; never raises for what a user or the machine did."""
    prepare_streams()
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        with _stop_signals_interrupt():
            code = _run(arguments)
        if sys.stdout is not None:
            sys.stdout.flush()
        return code
    except BrokenPipeError:
        _forget_output()
        return ExitCode.STILL_BROKEN
    except KeyboardInterrupt:
        return _fail("Interrupted. Notebooks that were not finished are as they were.", ExitCode.INTERRUPTED)
    except NbAgentError as error:
        return _fail(str(error), error.exit_code)
    except Exception as error:  # the one boundary: a bug becomes a sentence and a log
        return _fail(_bug(error, arguments), ExitCode.STILL_BROKEN)


def _run(arguments: list[str]) -> int:
    known = commands.names()
    first = next((word for word in arguments if not word.startswith("-")), None)
    chosen = first if first in known and arguments[0] == first else None
    parser = _parser(known if chosen is None else (chosen,))
    try:
        args = parser.parse_args(arguments)
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else ExitCode.USAGE
    if args.command is None:
        parser.print_help(sys.stderr)
        return ExitCode.USAGE
    return commands.load(args.command).run(args)


def _parser(names: Sequence[str]) -> argparse.ArgumentParser:
    """Return a parser that knows these commands; only they are imported."""
    parser = _Parser(
        prog="nbagent",
        description="Repairs Jupyter notebooks: tries code in a restricted process and writes only what is proved.",
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"nbagent {__version__}")
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands")
    for name in names:
        command = commands.load(name)
        subparser = subparsers.add_parser(
            command.NAME,
            help=command.HELP,
            description=command.HELP,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        command.add_arguments(subparser)
    return parser


@contextlib.contextmanager
def _stop_signals_interrupt() -> Iterator[None]:
    """A polite kill, or a closed terminal, ends a command as Ctrl-C does: scratch folders and branches are cleaned."""
    replaced = {}
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is signal.SIG_DFL:  # not under nohup
                replaced[number] = signal.signal(number, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        yield
    finally:
        for number, handler in replaced.items():
            signal.signal(number, handler)


def _fail(sentence: str, code: ExitCode) -> int:
    with contextlib.suppress(BrokenPipeError):
        if sys.stdout is not None:
            sys.stdout.flush()
    if sys.stderr is not None:
        with contextlib.suppress(BrokenPipeError):
            print(f"{Style(sys.stderr)('nbagent:', 'red', 'bold')} {sentence}", file=sys.stderr, flush=True)
    return code


def _bug(error: Exception, arguments: list[str]) -> str:
    """Keep the traceback in a log and return the sentence that names it."""
    import platform
    import traceback

    from nbagent.hosts.folders import private_folder

    what = f"nbagent met a fault of its own ({type(error).__name__})"
    details = "".join(traceback.format_exception(error))
    head = f"nbagent {__version__}, Python {platform.python_version()}, {platform.platform()}\n{arguments!r}\n\n"
    try:
        log = private_folder("logs") / f"fault-{os.getpid()}.txt"
        with _private(str(log)) as stream:
            stream.write(head + details)
    except (OSError, NbAgentError):
        return f"{what}, and no log could be kept:\n{details}"
    return f"{what}. Nothing more was done. Please report it with the details in {log}."


def _private(path: str) -> IO[str]:
    return open(path, "w", encoding="utf-8", errors="backslashreplace", opener=lambda p, f: os.open(p, f, 0o600))


def _forget_output() -> None:
    """Nobody reads any more: let the interpreter's last flush go nowhere instead of complaining."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
