"""The shapes of nbformat 4.5: stored JSON to core values and back (line lists as in nbformat's v4/rwbase.py)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import assert_never

from pydantic import JsonValue, TypeAdapter, ValidationError

from nbagent.core.cells import Cell, Provenance
from nbagent.core.outputs import UNTRUSTED, Display, Output, Raised, Result, StreamText

Json = Mapping[str, JsonValue]
_OUTPUT: TypeAdapter[Output] = TypeAdapter(Output)
_SPLIT = ("application/javascript", "image/svg+xml")
_KINDS = {"stream": "stream", "display_data": "display", "execute_result": "result", "error": "error"}


def joined(value: JsonValue) -> str:
    """Return a multi-line string, which nbformat may store as a list of lines."""
    if isinstance(value, list):
        return "".join(part for part in value if isinstance(part, str))
    return value if isinstance(value, str) else ""


def lines(text: str) -> list[JsonValue]:
    """Return text as nbformat writes it."""
    return list(text.splitlines(keepends=True))


def cell_of(stored: Json, cell_id: str) -> Cell:
    """Return a stored cell as a core value. Outputs that no schema knows are left out of it, not out of the file."""
    metadata = stored.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    outputs = stored.get("outputs")
    count = stored.get("execution_count")
    kind = stored.get("cell_type")
    tags = metadata.get("tags")
    return Cell(
        id=cell_id,
        kind="code" if kind == "code" else "markdown" if kind == "markdown" else "raw",
        source=joined(stored.get("source")),
        outputs=tuple(
            output for item in (outputs if isinstance(outputs, list) else []) if (output := _output(item)) is not None
        ),
        execution_count=count if isinstance(count, int) else None,
        tags=tuple(str(tag) for tag in tags) if isinstance(tags, list) else (),
        provenance=_provenance(metadata.get("nbagent")),
    )


def stored_outputs(outputs: Sequence[Output]) -> list[JsonValue]:
    """Return outputs as nbformat stores them."""
    return [_stored(output) for output in outputs]


def stored_cell(cell: Cell, *, with_id: bool, outputs: Sequence[Output], count: int | None) -> dict[str, JsonValue]:
    """Return a new cell as nbformat stores it, keys sorted as nbformat sorts them."""
    metadata: dict[str, JsonValue] = {}
    if cell.provenance is not None:
        metadata["nbagent"] = {"session": cell.provenance.session, "turn": cell.provenance.turn}
    found: dict[str, JsonValue] = {"cell_type": cell.kind, "metadata": metadata, "source": lines(cell.source)}
    if cell.kind == "code":
        found |= {"execution_count": count, "outputs": stored_outputs(outputs)}
    if with_id:
        found["id"] = cell.id
    return dict(sorted(found.items()))


def _output(item: JsonValue) -> Output | None:
    if not isinstance(item, dict):
        return None
    kind = item.get("output_type")
    fields: dict[str, JsonValue] = {**item, "kind": _KINDS.get(str(kind), "")}
    if kind == "stream":
        fields["text"] = joined(item.get("text"))
    data = item.get("data")
    if isinstance(data, dict):
        fields["data"] = {m: joined(v) if isinstance(v, list) and _is_text(m) else v for m, v in data.items()}
    try:
        return _OUTPUT.validate_python(fields)
    except ValidationError:
        return None


def _without_mark(metadata: Json) -> dict[str, JsonValue]:
    return {key: value for key, value in metadata.items() if key != UNTRUSTED}


def _is_text(mime: str) -> bool:
    return not mime.endswith("json")


def _stored(output: Output) -> dict[str, JsonValue]:
    match output:
        case StreamText():
            return {"name": output.name, "output_type": "stream", "text": lines(output.text)}
        case Display():
            return {
                "data": _bundle(output.data),
                "metadata": _without_mark(output.metadata),
                "output_type": "display_data",
            }
        case Result():
            return {
                "data": _bundle(output.data),
                "execution_count": output.execution_count,
                "metadata": _without_mark(output.metadata),
                "output_type": "execute_result",
            }
        case Raised():
            return {
                "ename": output.ename,
                "evalue": output.evalue,
                "output_type": "error",
                "traceback": list(output.traceback),
            }
        case _:
            assert_never(output)


def _bundle(data: Json) -> dict[str, JsonValue]:
    split = {
        m: lines(v) if isinstance(v, str) and (m.startswith("text/") or m in _SPLIT) else v for m, v in data.items()
    }
    return dict(sorted(split.items()))


def _provenance(value: JsonValue) -> Provenance | None:
    try:
        return Provenance.model_validate(value) if isinstance(value, dict) else None
    except ValidationError:
        return None
