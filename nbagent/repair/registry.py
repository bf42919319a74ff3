"""Finds the rules: every `Rule` with a code in any module of `nbagent.repair.rules`.

A new rule needs no other change than its file.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from functools import lru_cache

import nbagent.repair.rules as rules_package
from nbagent.repair.rule import Rule


@lru_cache(maxsize=1)
def all_rules() -> tuple[Rule, ...]:
    """Return one instance of each rule: `sure` ones first, then by code. Two rules with one code are a bug."""
    found: dict[str, Rule] = {}
    for info in pkgutil.walk_packages(rules_package.__path__, rules_package.__name__ + "."):
        module = importlib.import_module(info.name)
        for _, kind in inspect.getmembers(module, inspect.isclass):
            if not issubclass(kind, Rule) or kind.__module__ != module.__name__ or "code" not in vars(kind):
                continue
            if kind.code in found:
                raise ValueError(f"two rules have the code {kind.code}")
            found[kind.code] = kind()
    return tuple(sorted(found.values(), key=lambda rule: (rule.confidence != "sure", rule.code)))
