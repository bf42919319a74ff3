"""What code gave, as a model can use it: outputs within a budget, tracebacks cut to the cell's frames, state change."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from html import unescape
from itertools import groupby
from typing import assert_never

from pydantic import JsonValue

from nbagent.core.model import Image, Part, Text
from nbagent.core.outputs import Display, Execution, NameChange, Output, Raised, Result, StateChange, StreamText
from nbagent.core.privacy import Privacy, hides_values, sampled, visible
from nbagent.core.shorten import MOST_PICTURES, cut_middle, plain, share, tokens

PICTURES = ("image/png", "image/jpeg", "image/gif", "image/webp")
FRAME = re.compile(r"^(?:File |Cell |\s*Input |Traceback|~?/|<)")
OWN_FRAME = re.compile(r"^(?:Cell In|\s*Input In|File <ipython)|<cell ")
PLACE = re.compile(r"^(?:Cell In|\s*Input In) ?\[\d+\], line \d+")
CELL_END = re.compile(r"</t[dh]\s*>", re.IGNORECASE)
ROW_END = re.compile(r"</(?:tr|table|p|div)\s*>", re.IGNORECASE)
STATE_TOKENS = 500
MOST_FILES = 20
ENDS = {
    "ok": "",
    "raised": "",
    "exited": "The process ended by itself.",
    "timed_out": "Stopped at the time limit.",
    "limited": "Stopped at a limit.",
    "interrupted": "Interrupted.",
}


def outputs(shown: Sequence[Output], level: Privacy, limit: int, rest: str = "") -> tuple[Part, ...]:
    """Return outputs as parts of a result: texts share `limit` tokens, pictures stay in their place."""
    parts = [part for output in _joined(shown) for part in _parts(output, level)]
    texts = tuple(part.text for part in parts if isinstance(part, Text))
    grants = iter(share(texts, limit))
    return tuple(
        Text(text=cut_middle(part.text, next(grants), rest)) if isinstance(part, Text) else part for part in parts
    )


def account(execution: Execution, level: Privacy, limit: int) -> tuple[Part, ...]:
    """Return an execution as the model reads it: how it ended, what it showed, what it changed, what was refused."""
    ended = " ".join(text for text in (ENDS[execution.status], execution.detail) if text)
    facts = [f"[{execution.status}, {execution.seconds:.1f} s] {ended}".rstrip()]
    if execution.error is not None:
        facts.append(cut_middle(traceback(execution.error, level), limit // 4))
    facts += [_refusal(refusal.what, refusal.target, refusal.allow_with) for refusal in execution.refusals]
    facts += _state(execution.state)
    last = cut_middle("\n".join(facts), limit // 2)
    shown = outputs(_without_repeated_error(execution), level, limit - tokens(last), "print less, or a part of it")
    return (*shown, Text(text=last))


def capped(parts: Sequence[Part], limit: int) -> tuple[Part, ...]:
    """Return a result in at most `limit` tokens of text and eight pictures, whatever it is made of."""
    pictures = [part for part in parts if isinstance(part, Image)]
    left_out = len(pictures) - MOST_PICTURES
    note = (Text(text=f"[{left_out} more pictures left out: show fewer at once]"),) if left_out > 0 else ()
    kept = tuple(p for p in parts if isinstance(p, Text) or any(p is first for first in pictures[:MOST_PICTURES]))
    texts = tuple(part.text for part in kept if isinstance(part, Text))
    if sum(map(tokens, texts)) <= limit:
        return (*kept, *note)
    grants = iter(share(texts, limit))
    cut = (Text(text=cut_middle(p.text, next(grants))) if isinstance(p, Text) else p for p in kept)
    return (*cut, *note)


def traceback(error: Raised, level: Privacy) -> str:
    """Return an exception with the frames of cells whole and one line for each frame of a library.

    Where values are withheld, only line numbers are left of the frames: source that was put together may hold any.
    """
    frames = [plain(entry).strip("\n") for entry in error.traceback]
    own = [OWN_FRAME.search(text) is not None for text in frames]
    if hides_values(level):
        places = [place[0] for text in frames if (place := PLACE.match(text))]
        message = f"[message withheld: {len(error.evalue)} characters; privacy level {level}]" if error.evalue else ""
        return "\n".join([*places, f"{error.ename}: {message}".rstrip(": ")])
    kept = [
        text if whole else text.splitlines()[0]
        for text, whole in zip(frames, own, strict=True)
        if whole or (FRAME.match(text) and not text.startswith("Traceback"))
    ]
    return "\n".join([*kept, f"{error.ename}: {sampled(plain(error.evalue), level)}"])


def measure(shown: Sequence[Output]) -> str:
    """Return what stored outputs are, without their content: `table 3 x 4, picture, stdout 120 lines`."""
    return ", ".join(_measured(output) for output in _joined(shown))


def _joined(shown: Sequence[Output]) -> list[Output]:
    """Streams that follow each other become one: kernels cut them anywhere."""
    joined: list[Output] = []
    for stream, group in groupby(shown, lambda output: output.name if isinstance(output, StreamText) else None):
        if stream is None:
            joined += group
        else:
            joined.append(StreamText(name=stream, text="".join(o.text for o in group if isinstance(o, StreamText))))
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


def _described(data: Mapping[str, JsonValue]) -> str:
    """The text form of rich output; what only a front-end can show is named."""
    html = _text(data.get("text/html", ""))
    if "<table" in html:
        return _table(html)
    for media_type in ("text/markdown", "text/plain", "text/latex"):
        if media_type in data:
            return plain(_text(data[media_type]))
    return _words(html) if html else f"[{', '.join(sorted(data)) or 'nothing'}]"


def _table(html: str) -> str:
    """Rows as lines, cells between bars: all columns that a front-end shows, without the blanks of a text table."""
    return _words(ROW_END.sub("\n", CELL_END.sub(" | ", re.sub(r"\s+", " ", html))))


def _words(html: str) -> str:
    text = unescape(re.sub(r"<(style|script)\b.*?</\1>|<[^>]*>", " ", html, flags=re.DOTALL | re.IGNORECASE))
    lines = (" ".join(line.split()).rstrip(" |") for line in text.splitlines())
    return "\n".join(line for line in lines if line)


def _text(value: JsonValue) -> str:
    return "".join(str(line) for line in value) if isinstance(value, list) else str(value)


def _kind(data: Mapping[str, JsonValue]) -> str:
    if any(media_type in data for media_type in PICTURES):
        return "picture"
    return "table" if "<table" in _text(data.get("text/html", "")) else "text"


def _measured(output: Output) -> str:
    match output:
        case StreamText():
            return f"{output.name} {_lines(output.text)}"
        case Raised():
            return f"error {output.ename}"
        case Display() | Result():
            kind, text = _kind(output.data), _text(output.data.get("text/plain", ""))
            shape = re.search(r"\[(\d+) rows x (\d+) columns\]\s*$", text[-100:])
            size = f" {shape[1]} x {shape[2]}" if shape else f" {_lines(text)}" if text else ""
            return kind if kind == "picture" else kind + size
        case _:
            assert_never(output)


def _lines(text: str) -> str:
    count = text.count("\n") + (not text.endswith("\n"))
    return "1 line" if count == 1 else f"{count} lines"


def _refusal(what: str, target: str, allow_with: str | None) -> str:
    allowed = f"; the user can allow it with {allow_with}" if allow_with else ""
    return f"The sandbox refused: {what} {target}{allowed}. It is not missing or broken."


def _state(state: StateChange | None) -> list[str]:
    if state is None:
        return []
    names = cut_middle("; ".join(_change(change) for change in state.names), STATE_TOKENS)
    more = len(state.files) - MOST_FILES
    files = ", ".join(state.files[:MOST_FILES]) + (f" and {more} more" if more > 0 else "")
    return [*([f"Variables: {names}"] if names else []), *([f"Files it would write: {files}"] if files else [])]


def _change(change: NameChange) -> str:
    what = " -> ".join(filter(None, (change.before, change.after)))
    return f"{change.name} {change.change}" + (f" ({what})" if what else "")
