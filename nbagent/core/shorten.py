"""Text and pictures are cut to a number of tokens before they enter the history."""

from __future__ import annotations

import base64
import re
import struct

TOOL_TOKENS = 10_000
"""At most this much of one tool result stays in history (what Codex grants its models)."""
OUTLINE_TOKENS = 6_000
SUMMARY_TOKENS = 8_000
MESSAGE_TOKENS = 20_000
"""Of the user's own messages outlives a compaction (Codex keeps as much)."""
MOST_PICTURES = 8
"""Of one result."""
LONG_SIDE = 1568
"""Pixels of a picture's longer side; beyond that providers scale it down themselves (Anthropic's vision guide)."""
PIXELS_PER_TOKEN = 750
"""Anthropic's vision guide: a picture costs width x height / 750 tokens."""
COLOURS = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")


def room(most: int, window: int | None) -> int:
    """Return how many tokens a thing may take that gets `most` of a large window: a sixth of a small one."""
    return most if window is None else min(most, window // 6)


def tokens(text: str) -> int:
    """Estimate how many tokens a text costs: a quarter of its UTF-8 bytes, rounded up."""
    return -(-len(text.encode("utf-8", "surrogatepass")) // 4)


def cut_middle(text: str, limit: int, rest: str = "") -> str:
    """Return the text in at most `limit` tokens: when it is longer, its first and last part around a short note.

    rest: how to get what was cut, for the note. A text that fits comes back as it is.
    """
    excess = tokens(text) - limit
    if excess <= 0:
        return text
    advice = f"; {rest}" if rest else ""
    note = f"\n[... about {excess} tokens cut{advice} ...]\n"
    raw = text.encode("utf-8", "surrogatepass")
    half = max(0, limit - tokens(note)) * 2
    head = raw[:half].decode("utf-8", "ignore")
    tail = raw[len(raw) - half :].decode("utf-8", "ignore")
    return f"{head}{note}{tail}"


def share(texts: tuple[str, ...], limit: int) -> tuple[int, ...]:
    """Divide a budget: short texts get what they need, long ones share what is left evenly."""
    left, needs = limit, [tokens(text) for text in texts]
    grants = dict.fromkeys(range(len(texts)), 0)
    waiting = sorted(grants, key=needs.__getitem__)
    for done, place in enumerate(waiting):
        grants[place] = min(needs[place], left // (len(waiting) - done))
        left -= grants[place]
    return tuple(grants.values())


def plain(text: str) -> str:
    """Return the text without terminal colours, and of each line only what its last carriage return left visible."""
    if "\x1b" in text:
        text = COLOURS.sub("", text)
    if "\r" not in text:
        return text
    lines = text.replace("\r\n", "\n").split("\n")
    return "\n".join(line.rstrip("\r").rsplit("\r", 1)[-1] for line in lines)


def picture_size(data: str) -> tuple[int, int] | None:
    """Return width and height of a base64 PNG or JPEG as its header tells them, or None."""
    try:
        raw = base64.b64decode(data[: 256 * 1024], validate=False)
    except ValueError:
        return None
    if raw[:8] == b"\x89PNG\r\n\x1a\n" and len(raw) >= 24:
        width, height = struct.unpack(">II", raw[16:24])
        return width, height
    return _jpeg_size(raw) if raw[:2] == b"\xff\xd8" else None


def _jpeg_size(raw: bytes) -> tuple[int, int] | None:
    place = 2
    while place + 9 <= len(raw):
        marker, length = raw[place + 1], int.from_bytes(raw[place + 2 : place + 4], "big")
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):  # the frame headers of ITU T.81, table B.1
            height, width = struct.unpack(">HH", raw[place + 5 : place + 9])
            return width, height
        place += 2 + length
    return None


def picture_tokens(data: str) -> int:
    """Estimate what a picture costs; one whose size cannot be read counts as a full one."""
    width, height = picture_size(data) or (LONG_SIDE, LONG_SIDE)
    return max(1, width * height // PIXELS_PER_TOKEN)
