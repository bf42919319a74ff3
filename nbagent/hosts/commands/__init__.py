"""The subcommands of `nbagent`: one module each, named as the command, found by its file and imported when used."""

from __future__ import annotations

import argparse
import importlib
import pkgutil
from typing import Protocol, cast


class Command(Protocol):
    """What a module in this folder has; a module whose name starts with an underscore is no command."""

    NAME: str
    HELP: str

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare options and arguments. Import nothing heavy here or at the module's top: `--help` runs it."""
        ...

    def run(self, args: argparse.Namespace) -> int:
        """Do it, and return the exit code. Failures that a person can act on are raised as `NbAgentError`."""
        ...


def names() -> tuple[str, ...]:
    """Return every command's name, sorted, without importing any."""
    return tuple(sorted(module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_")))


def load(name: str) -> Command:
    """Import one command."""
    return cast(Command, importlib.import_module(f"{__name__}.{name}"))
