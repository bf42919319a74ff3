"""How `nbagent sandbox` shows what code shows: nothing that a terminal obeys, and no more bytes than the limit."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Protocol, TextIO, assert_never

from pydantic import JsonValue

from nbagent.core.outputs import Display, Execution, Output, Raised, Refusal, Result, StreamText
from nbagent.core.shorten import COLOURS
from nbagent.hosts.text import Style, harmless
from nbagent.sandbox.session import Carried, HandedOver

_RESERVE = 16 << 10  # bytes of the limit that are kept for what nbagent itself says
_MOST_NAMES = 20


class View(Protocol):
    """Where outputs go as they come, and what is said at the end."""

    def show(self, output: Output) -> None:
        """Show one output."""
        ...

    def end(self, done: Execution, handed: HandedOver, code: int) -> None:
        """Say how it ended."""
        ...

    def tell(self, sentence: str) -> None:
        """Say something of nbagent's own."""
        ...


class _Room:
    """Counts bytes against the limit on output: what control characters are spelled as counts too."""

    def __init__(self, most: int) -> None:
        self._left = max(most - _RESERVE, most // 2)
        self.cut = False

    def for_text(self, text: str) -> str:
        """Return as much of the text as may still be written."""
        size = len(text) if text.isascii() else len(text.encode("utf-8", "backslashreplace"))
        if size > self._left:
            self.cut = True
            text = text.encode("utf-8", "backslashreplace")[: self._left].decode("utf-8", "ignore")
            size = self._left
        self._left -= size
        return text

    def fits(self, size: int) -> bool:
        """Take room for something that cannot be cut; return whether there was any."""
        if size > self._left:
            self.cut = True
            return False
        self._left -= size
        return True


class Plain:
    """Text for people: stdout and stderr as the code wrote them, displays as text, pictures as a note."""

    def __init__(self, out: TextIO, err: TextIO, most: int) -> None:
        self._out, self._err, self._room = out, err, _Room(most)
        self._style = Style(err)
        self._raised = False

    def show(self, output: Output) -> None:
        """Print one output."""
        match output:
            case StreamText():
                self._write(self._err if output.name == "stderr" else self._out, output.text)
            case Display() | Result():
                self._write(self._out, _summary(output.data) + "\n")
            case Raised():
                self._raised = True
                self._write(self._err, _trace(output) + "\n")
            case _:
                assert_never(output)

    def end(self, done: Execution, handed: HandedOver, code: int) -> None:
        """Say what is not visible in the outputs: limits, refusals, files."""
        if done.error is not None and not self._raised:
            self._write(self._err, _trace(done.error) + "\n")
        if self._room.cut:
            self.tell("More output came than --output allows; it was cut.")
        if done.status not in ("ok", "raised"):
            self.tell(f"The code was ended: {done.detail}.")
        for refusal in done.refusals:
            self.tell(_refused(refusal))
        for where, carried in (("workspace", handed.workspace), ("scratch folder", handed.scratch)):
            if where == "workspace":
                self._names(f"Written to the {where}", carried.written)
                self._names(f"Removed from the {where}", carried.removed)
            self._names(f"Not written to the {where}", [f"{name} ({why})" for name, why in carried.kept_back])

    def tell(self, sentence: str) -> None:
        """Print a sentence of nbagent's own on stderr."""
        self._out.flush()
        print(f"{self._style('nbagent:', 'bold')} {harmless(sentence)}", file=self._err, flush=True)

    def _names(self, what: str, names: Sequence[str]) -> None:
        if names:
            more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
            self.tell(f"{what}: {', '.join(name[:200] for name in names[:_MOST_NAMES])}{more}.")

    def _write(self, stream: TextIO, text: str) -> None:
        """Write text; carriage returns, which could hide what came before, start a new line."""
        stream.write(self._room.for_text(harmless(text.replace("\r\n", "\n").replace("\r", "\n"))))
        stream.flush()


class JsonLines:
    """One JSON object a line: each output as it comes, at last `{"kind": "ended", ...}`; all of it ASCII."""

    def __init__(self, out: TextIO, most: int) -> None:
        self._out, self._room = out, _Room(most)

    def show(self, output: Output) -> None:
        """Print one output."""
        line = json.dumps(output.model_dump(mode="json"))
        if self._room.fits(len(line) + 1):
            print(line, file=self._out, flush=True)

    def end(self, done: Execution, handed: HandedOver, code: int) -> None:
        """Print how it ended; outputs are not repeated."""
        account = done.model_dump(mode="json", exclude={"outputs", "state"})
        for part in ("evalue", "traceback"):
            if account["error"]:
                account["error"].pop(part)
        files = {"workspace": _short(handed.workspace), "scratch": _short(handed.scratch)}
        line = {"kind": "ended", **account, "exit_code": int(code), "cut": self._room.cut, **files}
        print(json.dumps(line), file=self._out, flush=True)

    def tell(self, sentence: str) -> None:
        """Print a sentence of nbagent's own."""
        print(json.dumps({"kind": "note", "text": sentence}), file=self._out, flush=True)


def _short(carried: Carried) -> Mapping[str, JsonValue]:
    told = carried.model_dump(mode="json")
    return {name: entries[:_MOST_NAMES] for name, entries in told.items()}


def _summary(data: Mapping[str, JsonValue]) -> str:
    """Return a display as text: its plain form, and a note for each kind that is no text."""
    plain = data.get("text/plain")
    lines = [plain] if isinstance(plain, str) else []
    for kind, value in data.items():
        binary = kind.startswith(("image/", "audio/", "video/")) or kind in ("application/pdf", _UNKNOWN)
        if kind != "text/plain" and (binary or not lines):
            size = len(value) * 3 // 4 if binary and isinstance(value, str) else len(json.dumps(value))
            lines.append(f"[{kind}, {size:,} bytes]")
    return "\n".join(lines)


_UNKNOWN = "application/octet-stream"


def _trace(error: Raised) -> str:
    return COLOURS.sub("", "\n".join(error.traceback)) or f"{error.ename}: {error.evalue}"


def _refused(refusal: Refusal) -> str:
    if refusal.what == "network":
        return f"The sandbox has no network, and the code asked for {refusal.target}. Only --mode full has it."
    how = f"Allow it with {refusal.allow_with}." if refusal.allow_with else "Only --mode full allows it."
    return f"The sandbox did not let the code {refusal.what} {refusal.target}. {how}"
