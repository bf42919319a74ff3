"""One cell's Jupyter messages, as they arrive, become the account of its execution."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter, ValidationError

from nbagent.core.outputs import Display, Execution, Output, Raised, StreamText

_OUTPUT: TypeAdapter[Output] = TypeAdapter(Output)


class Collector:
    """Folds iopub messages and the reply. What does not have the shape of the protocol is left out."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit = limit_bytes
        self._size = 0
        self._outputs: list[Output] = []
        self._clear_next = False
        self._error: Raised | None = None
        self._reply: Mapping[str, Any] | None = None

    @property
    def full(self) -> bool:
        """Whether more came out than the limit allows."""
        return self._size > self._limit

    def take(self, kind: str, content: Mapping[str, Any]) -> Output | None:
        """Take one message; return the output it carries, if any."""
        if kind == "clear_output":
            self._clear_next = bool(content.get("wait"))
            if not self._clear_next:
                self._outputs.clear()
            return None
        output = self._parsed(kind, content)
        if output is None:
            return None
        self._size += len(output.model_dump_json())
        if self.full:
            return None
        if kind == "update_display_data":
            self._update(output)
            return output
        if self._clear_next:
            self._outputs.clear()
            self._clear_next = False
        if isinstance(output, Raised):
            self._error = output
        self._add(output)
        return output

    def reply(self, content: Mapping[str, Any]) -> None:
        """Take the execute_reply."""
        self._reply = content

    def execution(self, seconds: float) -> Execution:
        """Return the account of a cell that ran to its end.

        An exception is one that the reply *or* an output tells of: the reply of a failing `_repr_html_` names
        NoneType while the output has the exception, and a missing magic has a reply but no error output.
        """
        reply = self._reply or {}
        count = reply.get("execution_count")
        error = self._error or self._told_by_reply(reply)
        return Execution(
            status="raised" if error else "ok",
            outputs=tuple(self._outputs),
            error=error,
            seconds=seconds,
            execution_count=count if isinstance(count, int) else None,
        )

    def cut_short(self, status: str, detail: str, seconds: float) -> Execution:
        """Return the account of a cell that did not end by itself."""
        return Execution.model_validate(
            {"status": status, "detail": detail, "seconds": seconds, "outputs": tuple(self._outputs)}
        )

    def _told_by_reply(self, reply: Mapping[str, Any]) -> Raised | None:
        if reply.get("status") == "ok":
            return None
        try:
            return Raised.model_validate({key: reply[key] for key in ("ename", "evalue", "traceback") if key in reply})
        except ValidationError:
            return Raised(ename="KernelError", evalue=f"the kernel answered {reply.get('status')!r}")

    def _parsed(self, kind: str, content: Mapping[str, Any]) -> Output | None:
        fields: dict[str, Any]
        if kind == "stream":
            fields = {"kind": "stream", "name": content.get("name"), "text": content.get("text")}
        elif kind in ("display_data", "update_display_data"):
            transient = content.get("transient")
            name = transient.get("display_id") if isinstance(transient, dict) else None
            fields = {"kind": "display", "data": content.get("data"), "metadata": content.get("metadata") or {}}
            fields["display_id"] = name
        elif kind == "execute_result":
            fields = {"kind": "result", "data": content.get("data"), "metadata": content.get("metadata") or {}}
            fields["execution_count"] = content.get("execution_count")
        elif kind == "error":
            fields = {"kind": "error", **{key: content.get(key) for key in ("ename", "evalue", "traceback")}}
        else:
            return None
        try:
            return _OUTPUT.validate_python(fields)
        except ValidationError:
            return None

    def _add(self, output: Output) -> None:
        last = self._outputs[-1] if self._outputs else None
        if isinstance(output, StreamText) and isinstance(last, StreamText) and last.name == output.name:
            self._outputs[-1] = last.model_copy(update={"text": last.text + output.text})
        else:
            self._outputs.append(output)

    def _update(self, output: Output) -> None:
        if not isinstance(output, Display) or output.display_id is None:
            return
        for place, old in enumerate(self._outputs):
            if isinstance(old, Display) and old.display_id == output.display_id:
                self._outputs[place] = output
