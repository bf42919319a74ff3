"""Outputs as a notebook stores them, folded from the messages of one cell, within a bound."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import JsonValue, ValidationError

from nbagent.core.outputs import Display, Output, Raised, Result, StreamText
from nbagent.ports import ShowOutput
from nbagent.sandbox.wire import Frame

_FLOOD = 8
"""Times the bound on output after which the code is stopped instead of read on."""


class Collector:
    """Takes frames and raw text; `outputs()` is what the cell's outputs are.

    limit: bytes that are kept; what comes after is dropped and said in one line. `flooded` turns true at `_FLOOD`
    times that.
    """

    def __init__(self, limit: int, show: ShowOutput | None = None) -> None:
        self._limit, self._show = limit, show
        self._outputs: list[Output] = []
        self._texts: list[list[str]] = []
        self._seen = 0
        self._clear_next = False
        self.error: Raised | None = None

    @property
    def flooded(self) -> bool:
        """Whether so much came that reading on makes no sense."""
        return self._seen > self._limit * _FLOOD

    def text(self, name: str, text: str) -> None:
        """Take stream text; consecutive text of one stream is one output, as nbformat has it."""
        if not self._fits(len(text)):
            return
        self._cleared()
        kind: StreamText = StreamText(name="stderr" if name == "stderr" else "stdout", text=text)
        last = self._outputs[-1] if self._outputs else None
        if isinstance(last, StreamText) and last.name == kind.name:
            self._texts[-1].append(text)
        else:
            self._add(kind)
        if self._show:
            self._show(kind)

    def frame(self, frame: Frame) -> None:
        """Take a message; kinds that a notebook does not store, and contents of a wrong type, are ignored."""
        content = frame.content
        if frame.kind == "stream":
            self.text(str(content.get("name")), str(content.get("text", "")))
        elif frame.kind == "clear_output":
            if content.get("wait"):
                self._clear_next = True
            else:
                self._clear()
        elif frame.kind in ("display_data", "execute_result", "update_display_data", "error") and self._fits(
            frame.size
        ):
            output = _output(frame)
            if frame.kind == "update_display_data" and isinstance(output, Display):
                self._update(output)
            elif output is not None:
                self._cleared()
                self._add(output)
            if isinstance(output, Raised):
                self.error = output
            if output is not None and self._show:
                self._show(output)

    def outputs(self) -> tuple[Output, ...]:
        """Return the outputs in order."""
        found: list[Output] = []
        for output, parts in zip(self._outputs, self._texts, strict=True):
            joined = StreamText(name=output.name, text="".join(parts)) if isinstance(output, StreamText) else output
            found.append(joined)
        if self._seen > self._limit:
            megabytes = self._limit / (1 << 20)
            found.append(StreamText(name="stderr", text=f"[nbagent: output was cut after {megabytes:g} MB]\n"))
        return tuple(found)

    def _fits(self, size: int) -> bool:
        self._seen += size
        return self._seen <= self._limit

    def _add(self, output: Output) -> None:
        self._outputs.append(output)
        self._texts.append([output.text] if isinstance(output, StreamText) else [])

    def _update(self, new: Display) -> None:
        for position, old in enumerate(self._outputs):
            if isinstance(old, Display) and old.display_id == new.display_id:
                self._outputs[position] = new

    def _cleared(self) -> None:
        if self._clear_next:
            self._clear()

    def _clear(self) -> None:
        self._clear_next = False
        self._outputs.clear()
        self._texts.clear()


def _output(frame: Frame) -> Output | None:
    content = frame.content
    try:
        match frame.kind:
            case "error":
                return Raised.model_validate({key: content.get(key) for key in ("ename", "evalue", "traceback")})
            case "execute_result":
                return Result.model_validate({**_bundle(content), "execution_count": content.get("execution_count")})
            case _:
                transient = content.get("transient")
                display_id = transient.get("display_id") if isinstance(transient, Mapping) else None
                return Display.model_validate({**_bundle(content), "display_id": display_id})
    except ValidationError:
        return None


def _bundle(content: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    return {"data": content.get("data"), "metadata": content.get("metadata") or {}}
