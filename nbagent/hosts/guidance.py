"""AGENTS.md files: what a project tells every agent, from the git root down to the notebook's folder."""

from __future__ import annotations

from pathlib import Path

NAME = "AGENTS.md"
MOST_BYTES = 32 * 1024
"""Of all files together; what Codex reads at most."""


def guidance(notebook: Path) -> str:
    """Return the files' texts, outermost first, each with where it lies; says so when they were cut."""
    folder = notebook.resolve().parent
    texts = []
    for place in _folders(folder):
        file = place / NAME
        if file.is_file() and file.resolve().is_relative_to(place):
            texts.append(f"--- {file}\n{file.read_text('utf-8', 'replace').strip()}")
    whole = "\n\n".join(texts).encode()
    if len(whole) <= MOST_BYTES:
        return whole.decode()
    return whole[:MOST_BYTES].decode("utf-8", "ignore") + f"\n[cut: {len(whole) - MOST_BYTES} bytes more]"


def _folders(folder: Path) -> list[Path]:
    above = [folder, *folder.parents]
    root = next((place for place in above if (place / ".git").exists()), folder)
    return above[: above.index(root) + 1][::-1]
