"""How much the known models can read, for providers that do not say it themselves.

As the vendors' pages gave it in November 2026 (developers.openai.com/api/docs/models, platform.claude.com/docs). A
server that tells its window, and the user's own setting, go before this table. The longest matching name counts.
"""

from __future__ import annotations

WINDOWS: dict[str, int] = {
    "gpt-6": 1_050_000,
    "gpt-5.6": 1_050_000,
    "gpt-5.5": 1_050_000,
    "gpt-5.4": 1_050_000,
    "gpt-5": 400_000,
    "gpt-4.1": 1_047_576,
    "gpt-4o": 128_000,
    "o3": 200_000,
    "o4-mini": 200_000,
    "claude-opus-5": 1_000_000,
    "claude-sonnet-5": 1_000_000,
    "claude-fable-5": 1_000_000,
    "claude-haiku-5": 1_000_000,
    "claude-haiku-4-5": 200_000,
    "claude-": 200_000,
}


def known_window(model: str) -> int | None:
    """Return the window of the longest name in the table that `model` begins with; a vendor's prefix is ignored."""
    name = model.rpartition("/")[2]
    matching = [key for key in WINDOWS if name.startswith(key)]
    return WINDOWS[max(matching, key=len)] if matching else None
