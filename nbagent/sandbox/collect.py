"""Outputs as a notebook stores them, folded from the messages of one cell, within a bound."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import JsonValue, TypeAdapter, ValidationError

from nbagent.core.outputs import UNTRUSTED, Display, Execution, Output, Raised, Result, StreamText
from nbagent.ports import ShowOutput
from nbagent.sandbox.tame import tame

_FLOOD = 8
"""Times the bound on output after which the code is stopped instead of read on."""
_OUTPUT: TypeAdapter[Output] = TypeAdapter(Output)
_BUNDLES = {"display_data": "display", "update_display_data": "display", "execute_result": "result"}

Content = Mapping[str, JsonValue]


class Collector:
    """Takes messages and raw text; `outputs()` is what the cell's outputs are.

    limit: bytes that are kept; what comes after is dropped and said in one line. What does not have the shape of the
    Jupyter protocol is left out. `show` gets each output as it arrives. mark: the code is not trusted:
    displays are marked so, and terminal escapes beyond colours are spelled.
    """

    def __init__(self, limit: int, show: ShowOutput | None = None, *, mark: bool = False) -> None:
        self._limit, self._show, self._mark = limit, show, mark
        self._outputs: list[Output] = []
        self._texts: list[list[str]] = []
        self._seen = 0
        self._clear_next = False
        self._reply: Content = {}
        self.error: Raised | None = None

    @property
    def cut(self) -> bool:
        """Whether more came than is kept."""
        return self._seen > self._limit

    @property
    def flooded(self) -> bool:
        """Whether so much came that reading on makes no sense."""
        return self._seen > self._limit * _FLOOD

    def text(self, name: str, text: str) -> None:
        """Take stream text; consecutive text of one stream is one output, as nbformat has it."""
        if not text or not self._fits(len(text) if text.isascii() else len(text.encode("utf-8", "replace"))):
            return
        text = tame(text) if self._mark else text
        self._cleared()
        new = StreamText(name="stderr" if name == "stderr" else "stdout", text=text)
        last = self._outputs[-1] if self._outputs else None
        if isinstance(last, StreamText) and last.name == new.name:
            self._texts[-1].append(text)
        else:
            self._add(new)
        if self._show:
            self._show(new)

    def message(self, kind: str, content: Content, size: int | None = None) -> None:
        """Take a message; `size` is what it took on the wire, where that is known."""
        if kind == "stream":
            self.text(str(content.get("name")), str(content.get("text", "")))
        elif kind == "clear_output":
            self._clear_next = bool(content.get("wait"))
            if not self._clear_next:
                self._clear()
        else:
            output = _output(kind, content)
            if output is not None and self._fits(size or len(output.model_dump_json())):
                self._take(output, update=kind == "update_display_data")

    def skipped(self, size: int) -> None:
        """Count what was too big to be read."""
        self._seen += size

    def reply(self, content: Content) -> None:
        """Take a kernel's execute_reply."""
        self._reply = content

    def outputs(self) -> tuple[Output, ...]:
        """Return the outputs in order."""
        found: list[Output] = []
        for output, parts in zip(self._outputs, self._texts, strict=True):
            joined = StreamText(name=output.name, text="".join(parts)) if isinstance(output, StreamText) else output
            found.append(joined)
        if self.cut:
            megabytes = self._limit / (1 << 20)
            found.append(StreamText(name="stderr", text=f"[nbagent: output was cut after {megabytes:g} MB]\n"))
        return tuple(found)

    def execution(self, seconds: float) -> Execution:
        """Return the account of a kernel's cell that ran to its end.

        An exception is one that the reply *or* an output tells of: the reply of a failing `_repr_html_` names
        NoneType while the output has the exception, and a missing magic has a reply but no error output.
        """
        count = self._reply.get("execution_count")
        error = self.error or _told_by_reply(self._reply)
        return Execution(
            status="raised" if error else "ok",
            outputs=self.outputs(),
            error=error,
            seconds=seconds,
            execution_count=count if isinstance(count, int) else None,
        )

    def cut_short(self, status: str, detail: str, seconds: float) -> Execution:
        """Return the account of a cell that did not end by itself."""
        return Execution.model_validate(
            {"status": status, "detail": detail, "seconds": seconds, "outputs": self.outputs()}
        )

    def _fits(self, size: int) -> bool:
        self._seen += size
        return self._seen <= self._limit

    def _take(self, output: Output, *, update: bool) -> None:
        output = _tamed(output) if self._mark else output
        if self._mark and isinstance(output, Display | Result):
            output = output.model_copy(update={"metadata": {**output.metadata, UNTRUSTED: True}})
        if update and isinstance(output, Display):
            self._update(output)
        else:
            self._cleared()
            self._add(output)
        if isinstance(output, Raised):
            self.error = output
        if self._show:
            self._show(output)

    def _add(self, output: Output) -> None:
        self._outputs.append(output)
        self._texts.append([output.text] if isinstance(output, StreamText) else [])

    def _update(self, new: Display) -> None:
        for position, old in enumerate(self._outputs):
            if isinstance(old, Display) and old.display_id is not None and old.display_id == new.display_id:
                self._outputs[position] = new

    def _cleared(self) -> None:
        if self._clear_next:
            self._clear()

    def _clear(self) -> None:
        self._clear_next = False
        self._outputs.clear()
        self._texts.clear()


def _output(kind: str, content: Content) -> Output | None:
    fields: dict[str, object]
    if kind == "error":
        fields = {"kind": "error", **{key: content.get(key) for key in ("ename", "evalue", "traceback")}}
    elif kind in _BUNDLES:
        fields = {"kind": _BUNDLES[kind], "data": content.get("data"), "metadata": content.get("metadata") or {}}
        if kind == "execute_result":
            fields["execution_count"] = content.get("execution_count")
        else:
            transient = content.get("transient")
            fields["display_id"] = transient.get("display_id") if isinstance(transient, Mapping) else None
    else:
        return None
    try:
        return _OUTPUT.validate_python(fields)
    except ValidationError:
        return None


def _told_by_reply(reply: Content) -> Raised | None:
    if reply.get("status") == "ok":
        return None
    try:
        return Raised.model_validate({key: reply[key] for key in ("ename", "evalue", "traceback") if key in reply})
    except ValidationError:
        return Raised(ename="KernelError", evalue=f"the kernel answered {reply.get('status')!r}")


def _tamed(output: Output) -> Output:
    """Return the output with its texts tamed; HTML and other formats are a front-end's to sanitise."""
    if isinstance(output, StreamText):
        return output.model_copy(update={"text": tame(output.text)})
    if isinstance(output, Raised):
        update = {"ename": tame(output.ename), "evalue": tame(output.evalue)}
        return output.model_copy(update={**update, "traceback": tuple(tame(line) for line in output.traceback)})
    assert isinstance(output, Display | Result)
    plain = output.data.get("text/plain")
    data = {**output.data, "text/plain": tame(plain)} if isinstance(plain, str) else output.data
    return output.model_copy(update={"data": data})
