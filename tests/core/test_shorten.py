"""Texts and pictures fit their budget, and say what was cut."""

from __future__ import annotations

import base64
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as some

from nbagent.core.shorten import cut_middle, picture_size, picture_tokens, plain, room, share, tokens


def png(width: int, height: int) -> str:
    head = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + struct.pack(">II", width, height)
    return base64.b64encode(head).decode()


def jpeg(width: int, height: int) -> str:
    skipped = b"\xff\xe0\x00\x04ab" + b"\xff\xc4\x00\x02"
    frame = b"\xff\xc0\x00\x11\x08" + struct.pack(">HH", height, width) + bytes(10)
    return base64.b64encode(b"\xff\xd8" + skipped + frame).decode()


def test_a_token_is_a_quarter_of_the_bytes_rounded_up() -> None:
    assert [tokens(text) for text in ("", "a", "abcd", "abcde", "éé", "\ud800")] == [0, 1, 1, 2, 1, 1]


def test_a_small_window_leaves_a_sixth_for_each_thing() -> None:
    assert [room(10_000, window) for window in (None, 1_000_000, 6_000)] == [10_000, 10_000, 1_000]


def test_a_long_text_keeps_its_ends_and_says_what_was_cut_and_how_to_get_it() -> None:
    assert cut_middle("abcd" * 5, 5) == "abcd" * 5
    text = "first " + "x" * 1000 + " last"
    assert cut_middle(text, 30, "ask for less") == (
        f"first {'x' * 30}\n[... about 223 tokens cut; ask for less ...]\n{'x' * 31} last"
    )


@given(some.text(min_size=400), some.integers(min_value=20, max_value=90))
def test_a_cut_text_is_never_longer_than_its_limit(text: str, limit: int) -> None:
    assert tokens(cut_middle(text, limit)) <= limit


def test_a_limit_without_room_for_words_leaves_the_note() -> None:
    assert cut_middle("x" * 400, 1) == "\n[... about 99 tokens cut ...]\n"


@given(some.lists(some.text(max_size=200), max_size=6).map(tuple), some.integers(min_value=0, max_value=100))
def test_a_shared_budget_is_kept_and_nobody_gets_more_than_needed(texts: tuple[str, ...], limit: int) -> None:
    grants = share(texts, limit)
    assert sum(grants) <= limit
    assert all(grant <= tokens(text) for grant, text in zip(grants, texts, strict=True))
    if sum(map(tokens, texts)) <= limit:
        assert grants == tuple(map(tokens, texts))


def test_short_texts_leave_their_part_to_long_ones() -> None:
    assert share(("x" * 400, "y" * 8, "z" * 400), 22) == (10, 2, 10)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("as it is\n", "as it is\n"),
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("10%\r20%\r100%\ndone\r\n", "100%\ndone\n"),
        ("kept\r", "kept"),
    ],
)
def test_colours_and_overwritten_progress_are_not_shown(text: str, shown: str) -> None:
    assert plain(text) == shown


@pytest.mark.parametrize(
    ("data", "size"),
    [
        (png(640, 480), (640, 480)),
        (jpeg(30, 20), (30, 20)),
        (base64.b64encode(b"\xff\xd8\xff\xe0\x00\x04ab").decode(), None),
        (base64.b64encode(b"GIF89a").decode(), None),
        ("abcde", None),
    ],
)
def test_the_size_of_a_picture_is_read_from_its_head(data: str, size: tuple[int, int] | None) -> None:
    assert picture_size(data) == size


def test_a_picture_costs_by_its_size() -> None:
    assert [picture_tokens(data) for data in (png(750, 100), png(1, 1), "?")] == [100, 1, 1568 * 1568 // 750]
