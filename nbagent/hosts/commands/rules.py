"""`nbagent rules`: lists what can be repaired without a model."""

from __future__ import annotations

import argparse

NAME = "rules"
HELP = "List the repair rules, or explain one: `nbagent rules SKL001`."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("code", nargs="?", metavar="CODE", help="a rule's code or name")
    parser.add_argument("--json", action="store_true", help="print the rules as one JSON array")


def run(args: argparse.Namespace) -> int:
    """Print the list, or one rule with its examples."""
    import inspect
    import json

    from nbagent.core.errors import ExitCode, UsageError
    from nbagent.repair.registry import all_rules
    from nbagent.repair.rule import Rule

    def described(rule: Rule) -> dict[str, object]:
        return {
            "code": rule.code,
            "name": rule.name,
            "confidence": rule.confidence,
            "says": inspect.getdoc(type(rule)) or "",
            "source": rule.source,
            "examples": [{"before": e.before, "after": e.after} for e in rule.examples],
        }

    rules = sorted(all_rules(), key=lambda rule: rule.code)
    if args.code:
        rules = [rule for rule in rules if args.code in (rule.code, rule.name)]
        if not rules:
            raise UsageError(f"There is no rule {args.code!r}. `nbagent rules` lists them.")
    if args.json:
        print(json.dumps([described(rule) for rule in rules], indent=2))
    elif args.code:
        _explain(rules[0])
    else:
        width = max(len(rule.name) for rule in rules)
        for rule in rules:
            first = (inspect.getdoc(type(rule)) or "").splitlines()[0]
            print(f"{rule.code}  {rule.name:{width}}  {first}")
    return ExitCode.DONE


def _explain(rule: object) -> None:
    import inspect

    from nbagent.repair.rule import Rule

    assert isinstance(rule, Rule)
    print(f"{rule.code} {rule.name} ({rule.confidence})\n\n{inspect.getdoc(type(rule))}")
    if rule.source:
        print(f"\nSource: {rule.source}")
    for example in rule.examples:
        for mark, text in (("-", example.before), ("+", example.after)):
            print("\n" + "\n".join(f"{mark} {line}" for line in text.splitlines()), end="")
        print()
