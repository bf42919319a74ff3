"""What a trial would have done, as one value, and as text and HTML in which nothing from the trial can act."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from nbagent.inside.describe import size

_MOST_ROWS = 40
_MOST_TEXT = 300
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
UNKNOWN = -1
"""The size of a file that nobody looked at."""
_CHANGES = ("new", "rebound", "in place", "deleted")
_COLOURS = {
    "new": "--jp-success-color1, #388e3c",
    "rebound": "--jp-brand-color1, #1976d2",
    "in place": "--jp-warn-color1, #e65100",
    "deleted": "--jp-error-color1, #d32f2f",
}
_QUIET = "--jp-ui-font-color2, #757575"
_CELL = "padding:1px 12px 1px 0;text-align:left;vertical-align:top;background:none;border:none"


@dataclass(frozen=True)
class Change:
    """One variable: `change` is new, rebound, in place or deleted; before and after are short descriptions."""

    name: str
    change: str
    before: str | None
    after: str | None


@dataclass(frozen=True)
class Refused:
    """Something the sandbox did not let the code do, how often, and the option that would allow it."""

    what: str
    target: str
    times: int
    allow_with: str | None


@dataclass(frozen=True)
class Account:
    """A trial that is over. `sentence` says how it ended; memory is the most of its own, in bytes.

    note: what was different about it, where something was.
    """

    sentence: str
    worked: bool
    seconds: float
    memory: int
    changes: tuple[Change, ...] = ()
    files: tuple[tuple[str, int | None], ...] = ()
    refused: tuple[Refused, ...] = ()
    withheld: int = 0
    adoptable: tuple[str, ...] = ()
    note: str = ""


def changes(told: object) -> tuple[Change, ...]:
    """Return the changes that a node reports; what does not look like one is left out."""
    found = []
    for each in told if isinstance(told, list) else ():
        if isinstance(each, dict) and isinstance(each.get("name"), str) and each.get("change") in _CHANGES:
            before, after = (_word(each.get(key)) for key in ("before", "after"))
            found.append(Change(each["name"], str(each["change"]), before, after))
    return tuple(found)


def text(account: Account) -> str:
    """Return the account for a terminal, and for whoever reads the notebook without a browser."""
    lines = [_spelled(f"{account.sentence} ({_costs(account)})")]
    rows = list(_rows(account))
    wide = max((len(label) for label, _, _ in rows), default=0)
    names = max((len(name) for label, name, _ in rows if label in _CHANGES), default=0)
    for label, name, rest in rows:
        padded = name.ljust(names) if label in _CHANGES else name
        lines.append(_spelled(f"  {label.ljust(wide)}  {padded}  {rest}".rstrip()))
    return "\n".join([*lines, *(_spelled(line) for line in _advice(account))])


def markup(account: Account) -> str:
    """Return the same as HTML, everything escaped."""
    colour = "--jp-success-color1, #388e3c" if account.worked else "--jp-error-color1, #d32f2f"
    rows = "".join(
        f'<tr style="background:none"><td style="{_CELL};color:var({_COLOURS.get(label, _QUIET)})">{label}</td>'
        f'<td style="{_CELL};font-family:var(--jp-code-font-family, monospace)">{_escaped(name)}</td>'
        f'<td style="{_CELL}">{_escaped(rest)}</td></tr>'
        for label, name, rest in _rows(account)
    )
    table = f'<table style="margin:4px 0;border-collapse:collapse;font-size:inherit"><tbody>{rows}</tbody></table>'
    advice = "".join(f'<div style="color:var({_QUIET})">{_escaped(line)}</div>' for line in _advice(account))
    return (
        f'<div style="border-left:3px solid var({colour});padding:2px 0 2px 10px;margin:4px 0;'
        'font-family:var(--jp-ui-font-family, sans-serif);font-size:var(--jp-ui-font-size1, 13px)">'
        f'<div>{_escaped(account.sentence)} <span style="color:var({_QUIET})">{_escaped(_costs(account))}</span></div>'
        f"{table if rows else ''}{advice}</div>"
    )


def _costs(account: Account) -> str:
    return f"{account.seconds:.2f} s" + (f", {size(account.memory)}" if account.memory else "")


def _rows(account: Account) -> Iterator[tuple[str, str, str]]:
    imported = [change.name for change in account.changes if _is_import(change)]
    shown = [(change.change, change.name, _became(change)) for change in account.changes if not _is_import(change)]
    yield from _bounded(shown, "variables")
    if imported:
        yield "imports", ", ".join(imported[:_MOST_ROWS]), ""
    files = [("writes" if bytes_ is not None else "removes", name, _size(bytes_)) for name, bytes_ in account.files]
    yield from _bounded(files, "files")
    yield from _bounded([("refused", *_refusal(each)) for each in account.refused], "refusals")


def _is_import(change: Change) -> bool:
    return change.change == "new" and (change.after or "").startswith("module ")


def _bounded(rows: list[tuple[str, str, str]], what: str) -> Iterable[tuple[str, str, str]]:
    more = len(rows) - _MOST_ROWS
    return rows if more <= 0 else [*rows[:_MOST_ROWS], ("", f"and {more} {what} more", "")]


def _became(change: Change) -> str:
    if change.change == "new":
        return change.after or ""
    if change.change == "deleted":
        return change.before or ""
    before, after = change.before or "?", change.after or "?"
    return f"{after}, with other contents" if before == after else f"{before} \N{RIGHTWARDS ARROW} {after}"


def _refusal(each: Refused) -> tuple[str, str]:
    how = "" if each.times == 1 else f"{each.times} times"
    way = f"%%trial {each.allow_with} would allow it" if each.allow_with else ""
    return f"{each.what} {each.target}".strip(), ", ".join(part for part in (how, way) if part)


def _size(count: int | None) -> str:
    return "" if count is None or count == UNKNOWN else size(count)


def _advice(account: Account) -> Iterator[str]:
    if account.note:
        yield account.note
    if account.withheld:
        yield "Output that needs scripts or the network was shown as text: a trial's page could act in your name."
    if account.adoptable:
        yield f"%adopt brings over {', '.join(account.adoptable[:8])}{_more(account.adoptable)}: nothing is run again."


def _more(names: tuple[str, ...]) -> str:
    return f" and {len(names) - 8} more" if len(names) > 8 else ""


def _word(told: object) -> str | None:
    return told[:_MOST_TEXT] if isinstance(told, str) else None


def _spelled(line: str) -> str:
    return _CONTROL.sub(lambda match: match.group().encode("unicode_escape").decode(), line)


def _escaped(line: str) -> str:
    return html.escape(_spelled(line))
