"""What code gave, as a model can use it: outputs within a budget, tracebacks cut to the cell's frames, state change."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import unescape
from typing import assert_never

from pydantic import JsonValue

from nbagent.core.model import Image, Part, Text
from nbagent.core.outputs import Display, Execution, Output, Raised, Result, StateChange, StreamText
from nbagent.core.privacy import Privacy, hides_values, sampled, visible
from nbagent.core.shorten import TOOL_TOKENS, cut_middle, plain, share

PICTURES = ("image/png", "image/jpeg", "image/gif", "image/webp")
FRAME = re.compile(r"^(?:File |Cell |\s*Input |Traceback|~?/|<)")
OWN_FRAME = re.compile(r"^(?:Cell In|\s*Input In|File <ipython)|<cell ")
ENDS = {
    "ok": "",
    "raised": "",
    "exited": "The process ended by itself.",
    "timed_out": "Stopped at the time limit.",
    "limited": "Stopped at a limit.",
    "interrupted": "Interrupted.",
}


def outputs(shown: Sequence[Output], level: Privacy, limit: int = TOOL_TOKENS, rest: str = "") -> tuple[Part, ...]:
    """Return outputs as parts of a result: texts share `limit` tokens, pictures stay in their place."""
    parts = [part for output in _joined(shown) for part in _parts(output, level)]
    texts = tuple(part.text for part in parts if isinstance(part, Text))
    grants = iter(share(texts, limit))
    return tuple(
        Text(text=cut_middle(part.text, next(grants), rest)) if isinstance(part, Text) else part for part in parts
    )


def account(execution: Execution, level: Privacy, limit: int = TOOL_TOKENS) -> tuple[Part, ...]:
    """Return an execution as the model reads it: how it ended, what it showed, what it changed, what was refused."""
    parts = list(outputs(_without_repeated_error(execution), level, limit, "print less, or a part of it"))
    ended = " ".join(text for text in (ENDS[execution.status], execution.detail) if text)
    facts = [f"[{execution.status}, {execution.seconds:.1f} s] {ended}".rstrip()]
    if execution.error is not None:
        facts.append(cut_middle(traceback(execution.error, level), limit // 4))
    facts += [_refusal(refusal.what, refusal.target, refusal.allow_with) for refusal in execution.refusals]
    facts += _state(execution.state)
    return (*parts, Text(text="\n".join(facts)))


def traceback(error: Raised, level: Privacy) -> str:
    """Return an exception with the frames of cells whole and one line for each frame of a library."""
    if hides_values(level):
        message = f"[message withheld: {len(error.evalue)} characters; privacy level {level}]" if error.evalue else ""
        return f"{error.ename}: {message}".rstrip(": ")
    kept: list[str] = []
    for entry in error.traceback:
        text = plain(entry).strip("\n")
        if OWN_FRAME.search(text):
            kept.append(text)
        elif FRAME.match(text) and not text.startswith("Traceback"):
            kept.append(text.splitlines()[0])
    return "\n".join([*kept, f"{error.ename}: {plain(error.evalue)}"])


def measure(shown: Sequence[Output]) -> str:
    """Return what stored outputs are, without their content: `table 3 x 4, picture, text 120 lines`."""
    return ", ".join(_measured(output) for output in _joined(shown))


def _joined(shown: Sequence[Output]) -> list[Output]:
    """Streams that follow each other become one: kernels cut them anywhere."""
    joined: list[Output] = []
    for output in shown:
        last = joined[-1] if joined else None
        if isinstance(output, StreamText) and isinstance(last, StreamText) and last.name == output.name:
            joined[-1] = StreamText(name=output.name, text=last.text + output.text)
        else:
            joined.append(output)
    return joined


def _without_repeated_error(execution: Execution) -> tuple[Output, ...]:
    return tuple(output for output in execution.outputs if execution.error is None or not isinstance(output, Raised))


def _parts(output: Output, level: Privacy) -> list[Part]:
    match output:
        case StreamText():
            return [Text(text=sampled(plain(output.text), level, output.name))] if output.text.strip() else []
        case Raised():
            return [Text(text=traceback(output, level))]
        case Display() | Result():
            for media_type in PICTURES:
                if media_type in output.data:
                    data = _text(output.data[media_type]).replace("\n", "")
                    return [visible(Image(media_type=media_type, data=data, alt=_described(output.data)), level)]
            return [Text(text=sampled(_described(output.data), level, _kind(output.data)))]
        case _:
            assert_never(output)


def _described(data: object) -> str:
    """The text form of rich output; what only a front-end can show is named."""
    bundle = dict(data) if isinstance(data, dict) else {}
    for media_type in ("text/markdown", "text/plain", "text/latex"):
        if media_type in bundle:
            return plain(_text(bundle[media_type]))
    if "text/html" in bundle:
        return re.sub(r"\s*\n\s*", "\n", unescape(re.sub(r"<[^>]+>", " ", _text(bundle["text/html"])))).strip()
    return f"[{', '.join(sorted(bundle)) or 'nothing'}]"


def _text(value: JsonValue) -> str:
    return "".join(str(line) for line in value) if isinstance(value, list) else str(value)


def _kind(data: object) -> str:
    bundle = dict(data) if isinstance(data, dict) else {}
    if any(media_type in bundle for media_type in PICTURES):
        return "picture"
    return "table" if "<table" in _text(bundle.get("text/html", "")) else "text"


def _measured(output: Output) -> str:
    match output:
        case StreamText():
            return f"{output.name} {_lines(output.text)}"
        case Raised():
            return f"error {output.ename}"
        case Display() | Result():
            text = _described(output.data)
            shape = re.search(r"\[(\d+) rows x (\d+) columns\]", text)
            size = f" {shape[1]} x {shape[2]}" if shape else f" {_lines(text)}"
            kind = _kind(output.data)
            return kind if kind == "picture" else kind + size
        case _:
            assert_never(output)


def _lines(text: str) -> str:
    count = len(text.splitlines())
    return "1 line" if count == 1 else f"{count} lines"


def _refusal(what: str, target: str, allow_with: str | None) -> str:
    allowed = f"; the user can allow it with {allow_with}" if allow_with else ""
    return f"The sandbox refused: {what} {target}{allowed}. It is not missing or broken."


def _state(state: StateChange | None) -> list[str]:
    if state is None or not (state.names or state.files):
        return []
    names = [
        f"{change.name} {change.change}" + (f" ({' -> '.join(filter(None, (change.before, change.after)))})")
        for change in state.names
    ]
    lines = [f"Variables: {cut_middle('; '.join(names).replace(' ()', ''), 500)}"] if names else []
    files = ", ".join(state.files[:20]) + (f" and {len(state.files) - 20} more" if len(state.files) > 20 else "")
    return [*lines, f"Files it would write: {files}"] if files else lines
