"""The published JSON schemas: `python -m nbagent.hosts.schemas` writes them to docs/protocol of a checkout."""

from __future__ import annotations

import json
from pathlib import Path

from nbagent.core.events import EVENTS

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "protocol"


def published() -> dict[str, str]:
    """Return each schema's text by its file's name."""
    events = EVENTS.json_schema(mode="serialization")
    events["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    events["title"] = "One line of `nbagent run --json`"
    return {"events.schema.json": json.dumps(events, indent=1, sort_keys=True) + "\n"}


if __name__ == "__main__":
    for name, text in published().items():
        (FOLDER / name).write_text(text)
