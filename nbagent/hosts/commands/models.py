"""`nbagent models`: lists the models that can be asked now."""

from __future__ import annotations

import argparse

NAME = "models"
HELP = "List the models that can be asked: local servers, and providers whose key is set."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("provider", nargs="?", metavar="PROVIDER", help="list this provider alone, e.g. ollama")
    parser.add_argument("--json", action="store_true", help="print the models as one JSON array")


def run(args: argparse.Namespace) -> int:
    """Print the models of each provider that answers; exit code 4 when none does."""
    import asyncio
    import json
    import os
    from dataclasses import asdict
    from pathlib import Path

    from nbagent.core.errors import ExitCode, ModelError
    from nbagent.hosts.settings import load
    from nbagent.models.catalog import HOW_TO_GET_ONE
    from nbagent.models.discovery import reachable

    profiles = load(Path.cwd(), {}).settings.profiles
    found, silent = asyncio.run(reachable(args.provider, profiles, os.environ))
    if args.json:
        print(json.dumps([asdict(one) for one in found], indent=2))
        return ExitCode.DONE if found else ExitCode.MODEL_UNREACHABLE
    for one in found:
        window = f"{one.window:,} tokens" if one.window else "window not told"
        print(f"{one.provider}/{one.name}  ({window})")
    for name in silent:
        print(f"{name}: its key is set, but it gives no list of models. Check the key and the network.")
    if not found and not silent:
        raise ModelError(f"{args.provider} does not answer." if args.provider else HOW_TO_GET_ONE)
    return ExitCode.DONE if found else ExitCode.MODEL_UNREACHABLE
