"""A notebook file as text: read once, changed by replacing exactly the characters that a change means.

Untouched cells stay byte for byte; indentation, key order, escapes, line ends and the last newline are the file's own.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import nbformat
from pydantic import JsonValue

from nbagent.core.cells import Cell, Change, SetKernel, Snapshot
from nbagent.core.errors import NotebookError
from nbagent.core.outputs import Execution
from nbagent.notebooks import scan, shape
from nbagent.notebooks.scan import Span

_BOM = "\ufeff"
_ESCAPED = re.compile(r"\\u(?!00[01])[0-9a-fA-F]{4}")
_INDENTED = re.compile(r"\{\r?\n([ \t]*)\"")


class NotANotebook(NotebookError):
    """The file is no notebook that can be worked on."""

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(f"{path}: {why}. Nothing was changed.")


def _content(path: Path) -> bytes:
    """Read a regular file: a pipe or a device may give nothing for ever, or everything."""
    with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise NotANotebook(path, "it is a pipe or a device, not a file")
        return file.read()


@dataclass(frozen=True)
class Document:
    """The text of one .ipynb. `digest` names the bytes that were read; `upgraded_from` is the old major version if
    the text was converted."""

    path: Path
    text: str
    digest: str
    upgraded_from: int | None = None

    @classmethod
    def read(cls, path: Path) -> Document:
        """Read a file. Raises `NotebookError` with one sentence for everything that is not a notebook."""
        try:
            raw = _content(path)
        except FileNotFoundError:
            raise NotebookError(f"{path}: there is no such file. Check the path.") from None
        except IsADirectoryError:
            raise NotebookError(f"{path}: this is a folder. Name the notebooks in it, as in {path}/*.ipynb.") from None
        except OSError as error:
            raise NotebookError(f"{path}: it cannot be read ({error.strerror}). Nothing was changed.") from error
        return cls.of_bytes(path, raw)

    @classmethod
    def of_bytes(cls, path: Path, raw: bytes) -> Document:
        """Return the document that these bytes are. Raises `NotANotebook`."""
        if not raw.strip():
            raise NotANotebook(path, "the file is empty")
        try:
            document = cls(path, raw.decode("utf-8"), hashlib.sha256(raw).hexdigest())
        except UnicodeDecodeError as error:
            raise NotANotebook(path, f"it is not UTF-8 text (byte {error.start})") from error
        document._check()
        return document

    def _check(self) -> None:
        try:
            data = json.loads(self.text.removeprefix(_BOM))
        except RecursionError:
            raise NotANotebook(self.path, "it is nested too deeply") from None
        except json.JSONDecodeError as error:
            cut = error.pos >= len(self.text.rstrip()) - 1 or error.msg.startswith("Unterminated")
            why = (
                "the JSON ends too early, so the file is cut short" if cut else f"it is not JSON (line {error.lineno})"
            )
            raise NotANotebook(self.path, why) from error
        if not isinstance(data, dict) or not isinstance(data.get("nbformat"), int):
            raise NotANotebook(self.path, "it is JSON, but not a notebook")
        version = data["nbformat"]
        if version not in (3, 4):
            raise NotANotebook(self.path, f"it has notebook format {version}, and only 3 and 4 can be read")
        cells = data.get("cells" if version == 4 else "worksheets")
        if not isinstance(cells, list) or not all(isinstance(cell, dict) for cell in cells):
            raise NotANotebook(self.path, "it says that it is a notebook, but it has no list of cells")
        if version == 4 and not all(isinstance(cell.get("source", ""), str | list) for cell in cells):
            raise NotANotebook(self.path, "a cell's source is neither text nor a list of lines")

    @cached_property
    def data(self) -> dict[str, JsonValue]:
        """The parsed JSON."""
        parsed: dict[str, JsonValue] = json.loads(self.text.removeprefix(_BOM))
        return parsed

    @property
    def version(self) -> int:
        """The major version of the format, 3 or 4."""
        version = self.data["nbformat"]
        return version if isinstance(version, int) else 0

    def upgraded(self) -> Document:
        """Return the document in format 4 (4.4, which has no cell ids); itself if it is that already."""
        if self.version == 4:
            return self
        try:
            notebook = nbformat.convert(nbformat.reads(self.text.removeprefix(_BOM), as_version=3), 4)
        except Exception as error:  # nbformat's converter raises whatever a malformed file makes it stumble over
            raise NotANotebook(self.path, f"its old format cannot be converted ({type(error).__name__})") from error
        notebook["nbformat_minor"] = 4
        for cell in notebook["cells"]:
            cell.pop("id", None)
        text = json.dumps(_split(notebook), indent=1, sort_keys=True, ensure_ascii=False) + "\n"
        return replace(self, text=text, upgraded_from=self.version)

    @cached_property
    def snapshot(self) -> Snapshot:
        """The notebook as core values. A cell without an id of its own gets one derived from its place."""
        cells, seen = [], set()
        for number, stored in enumerate(self._stored, 1):
            own = stored.get("id")
            cell_id = own if isinstance(own, str) and own and own not in seen else f"cell-{number}"
            seen.add(cell_id)
            cells.append(shape.cell_of(stored, cell_id))
        metadata = self.data.get("metadata")
        metadata = metadata if isinstance(metadata, dict) else {}
        kernelspec, info = metadata.get("kernelspec"), metadata.get("language_info")
        name = kernelspec.get("name") if isinstance(kernelspec, dict) else None
        language = kernelspec.get("language") if isinstance(kernelspec, dict) else None
        language = language or (info.get("name") if isinstance(info, dict) else None)
        return Snapshot(
            path=str(self.path),
            cells=tuple(cells),
            kernel=str(name) if name else None,
            language=str(language).lower() if language else None,
        )

    @property
    def _stored(self) -> list[dict[str, JsonValue]]:
        cells = self.data["cells"]
        return [cell for cell in cells if isinstance(cell, dict)] if isinstance(cells, list) else []

    @property
    def has_ids(self) -> bool:
        """Whether the format of this file has cell ids (4.5 and later)."""
        minor = self.data.get("nbformat_minor")
        return isinstance(minor, int) and minor >= 5

    # --- changing

    def changed(self, changes: Sequence[Change], executions: Mapping[str, Execution] | None = None) -> str:
        """Return the text after all changes, with the outputs of these executions stored in their cells.

        Raises `StaleCell` or `UnknownCell`.
        """
        after = self.snapshot.apply(changes)
        executions = executions or {}
        root = scan.value_at(self.text, len(_BOM) if self.text.startswith(_BOM) else 0)
        found = scan.find(self.text, root, "cells")
        assert found is not None
        spans = list(scan.items(self.text, found.value))
        old = {cell.id: (cell, span) for cell, span in zip(self.snapshot.cells, spans, strict=True)}
        texts = []
        for cell in after.cells:
            execution = executions.get(cell.id)
            if cell.id in old:
                texts.append(self._patched(*old[cell.id], cell, execution))
            else:
                texts.append(self._new(cell, execution, spans))
        edits = self._kernel_edits(root, changes)
        if [cell.id for cell in after.cells] == list(old):
            edits += [(span, text) for span, text in zip(spans, texts, strict=True) if span.of(self.text) != text]
        else:
            edits.append((found.value, self._array(found.value, spans, texts)))
        return scan.replaced(self.text, edits)

    def _patched(self, before: Cell, span: Span, after: Cell, execution: Execution | None) -> str:
        text = span.of(self.text)
        whole = Span(0, len(text))
        edits: list[tuple[Span, str]] = []
        base = self._base_indent(span)

        def put(key: str, value: JsonValue) -> None:
            member = scan.find(text, whole, key)
            if member is not None:
                edits.append((member.value, self._dumped(value, base + self._unit)))

        if after.source != before.source:
            member = scan.find(text, whole, "source")
            as_text = member is not None and text[member.value.start] == '"'
            put("source", after.source if as_text else shape.lines(after.source))
        if after.kind == "code" and execution is not None:
            put("outputs", shape.stored_outputs(execution.outputs))
            put("execution_count", execution.execution_count)
        elif after.kind == "code" and after.source != before.source:
            put("outputs", [])
            put("execution_count", None)
        return scan.replaced(text, edits)

    def _new(self, cell: Cell, execution: Execution | None, spans: list[Span]) -> str:
        outputs = execution.outputs if execution else cell.outputs
        count = execution.execution_count if execution else cell.execution_count
        base = self._base_indent(spans[0]) if spans else self._unit * 2
        return self._dumped(shape.stored_cell(cell, with_id=self.has_ids, outputs=outputs, count=count), base)

    def _array(self, array: Span, spans: list[Span], texts: list[str]) -> str:
        """Return the list of cells anew, with the blanks that the file has around its cells."""
        if spans:
            lead = self.text[array.start + 1 : spans[0].start]
            tail = self.text[spans[-1].end : array.end - 1]
        else:
            lead, tail = (self._newline + self._unit * 2, self._newline + self._unit) if self._unit else ("", "")
        between = "," + (lead or self._gap)
        if len(spans) > 1:
            between = self.text[spans[0].end : spans[1].start]
        return "[" + (lead + between.join(texts) + tail if texts else "") + "]"

    def _kernel_edits(self, root: Span, changes: Sequence[Change]) -> list[tuple[Span, str]]:
        wanted = [change for change in changes if isinstance(change, SetKernel)]
        if not wanted:
            return []
        value: dict[str, JsonValue] = {
            "display_name": wanted[-1].display_name,
            "language": wanted[-1].language,
            "name": wanted[-1].name,
        }
        metadata = scan.find(self.text, root, "metadata")
        if metadata is None:
            entry = f'"metadata": {self._dumped({"kernelspec": value}, self._unit)},'
            return [(Span(root.start + 1, root.start + 1), self._newline + self._unit + entry if self._unit else entry)]
        kernelspec = scan.find(self.text, metadata.value, "kernelspec")
        if kernelspec is not None:
            return [(kernelspec.value, self._dumped(value, self._unit * 2))]
        entry = f'"kernelspec": {self._dumped(value, self._unit * 2)}'
        empty = next(scan.members(self.text, metadata.value), None) is None
        if empty:
            return [(metadata.value, self._dumped({"kernelspec": value}, self._unit))]
        at = metadata.value.start + 1
        return [(Span(at, at), (self._newline + self._unit * 2 if self._unit else "") + entry + ",")]

    # --- the file's own style

    @cached_property
    def _newline(self) -> str:
        return "\r\n" if "\r\n" in self.text else "\n"

    @cached_property
    def _unit(self) -> str:
        """One step of indentation; empty for a file that is all on one line."""
        found = _INDENTED.match(self.text.removeprefix(_BOM).lstrip())
        return found[1] if found else ""

    @cached_property
    def _gap(self) -> str:
        return " " if '": ' in self.text else ""

    @cached_property
    def _ascii(self) -> bool:
        return self.text.removeprefix(_BOM).isascii() and _ESCAPED.search(self.text) is not None

    def _base_indent(self, span: Span) -> str:
        line = self.text.rfind("\n", 0, span.start) + 1
        before = self.text[line : span.start]
        return before if self._unit and not before.strip() else self._unit * 2

    def _dumped(self, value: JsonValue, base: str) -> str:
        if not self._unit:
            separators = ("," + self._gap, ":" + self._gap)
            return json.dumps(value, ensure_ascii=self._ascii, separators=separators)
        text = json.dumps(value, ensure_ascii=self._ascii, indent=self._unit)
        return text.replace("\n", self._newline + base)


def _split(notebook: Mapping[str, JsonValue]) -> JsonValue:
    """Return the notebook with its texts as lists of lines, as nbformat writes it."""
    parsed: JsonValue = json.loads(nbformat.v4.writes(nbformat.from_dict(notebook)))
    return parsed
